"""Popularity of videos: views by day, and the ranking of those that trend.

A video's score is the sum of its views of the last ``TRENDING_DAYS`` days, each day worth half
of the day ``HALF_LIFE_DAYS`` later.  So a video rises with its first hundred views and sinks
within days, whatever its total is.  Views cost a script the time of a viewer
(:mod:`videos.watch_time`), a channel has few places, and a video needs several viewers.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Case, F, FloatField, Sum, Value, When
from django.utils import timezone

from videos.models import DailyViews, TrendingVideo, Video

TRENDING_DAYS = 7
HALF_LIFE_DAYS = 2.0
LEAST_VIEWS = 3
MAX_TRENDING = 100
MAX_TRENDING_OF_A_CHANNEL = 3
# Candidates that are read: a channel may hold many of the first places.
CANDIDATES = 1_000


@transaction.atomic
def record_view(video: Video) -> None:
    """Add one view to the video and to its day."""
    Video.objects.filter(pk=video.pk).update(view_count=F("view_count") + 1)
    today = {"video": video, "day": timezone.now().date()}
    if not DailyViews.objects.filter(**today).update(views=F("views") + 1):
        _, is_first = DailyViews.objects.get_or_create(**today, defaults={"views": 1})
        if not is_first:
            DailyViews.objects.filter(**today).update(views=F("views") + 1)


def rank_trending() -> None:
    """Replace the places of all trending videos."""
    ranked = _ranked(timezone.now().date())
    with transaction.atomic():
        TrendingVideo.objects.all().delete()
        TrendingVideo.objects.bulk_create(
            TrendingVideo(video_id=pk, place=place) for place, pk in enumerate(ranked, start=1)
        )


def _ranked(today: date) -> list[int]:
    """Return the ids of the trending videos, the first one first."""
    weights = {today - timedelta(days=age): 0.5 ** (age / HALF_LIFE_DAYS) for age in range(TRENDING_DAYS)}
    worth = Case(
        *(When(daily_views__day=day, then=Value(weight)) for day, weight in weights.items()),
        output_field=FloatField(),
    )
    found = (
        Video.objects.listed()
        .filter(daily_views__day__in=weights)
        .annotate(recent_views=Sum("daily_views__views"), score=Sum(F("daily_views__views") * worth))
        .filter(recent_views__gte=LEAST_VIEWS)
        .order_by("-score", "-pk")
    )
    places: Counter[int] = Counter()
    ranked = []
    for pk, channel_id in found.values_list("pk", "channel_id")[:CANDIDATES]:
        places[channel_id] += 1
        if places[channel_id] <= MAX_TRENDING_OF_A_CHANNEL:
            ranked.append(pk)
    return ranked[:MAX_TRENDING]
