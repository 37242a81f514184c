"""Tests of views by day and of the ranking of trending videos."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.tests.factories import UserFactory
from videos import services
from videos.models import DailyViews, TrendingVideo, Video
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


def viewed(video: Video, *views: int) -> Video:
    """Store the views of the last days, today first."""
    today = timezone.now().date()
    for age, count in enumerate(views):
        if count:
            DailyViews.objects.create(video=video, day=today - timedelta(days=age), views=count)
    return video


def trending() -> list[Video]:
    services.rank_trending()
    return list(Video.objects.trending())


def test_view_adds_to_the_total_and_to_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    video = VideoFactory(view_count=40)
    for day in (1, 1, 2):
        now = datetime(2026, 12, day, 23, 59, tzinfo=UTC)
        monkeypatch.setattr(timezone, "now", lambda now=now: now)
        services.record_view(video)

    video.refresh_from_db()
    found = {f"{row.day:%d}": row.views for row in DailyViews.objects.filter(video=video)}
    assert (video.view_count, found) == (43, {"01": 2, "02": 1})


def test_recent_views_are_worth_more_than_older_and_old_ones_nothing() -> None:
    yesterdays = viewed(VideoFactory(view_count=10_000), 0, 60)
    todays = viewed(VideoFactory(), 50)
    last_weeks = viewed(VideoFactory(), *[0] * 6, 300)
    viewed(VideoFactory(), *[0] * 7, 5_000)

    assert trending() == [todays, yesterdays, last_weeks]


def test_few_views_do_not_trend() -> None:
    viewed(VideoFactory(), 1, 1)
    several = viewed(VideoFactory(), 1, 1, 1)

    assert trending() == [several]


def test_channel_has_few_places() -> None:
    channel = UserFactory().channel
    own = [viewed(VideoFactory(channel=channel), 100 - number) for number in range(5)]
    other = viewed(VideoFactory(), 3)

    assert trending() == [*own[:3], other]


def test_only_listed_videos_trend() -> None:
    shown, hidden = viewed(VideoFactory(), 9), viewed(VideoFactory(), 99)
    viewed(VideoFactory(visibility=Video.Visibility.UNLISTED), 50)
    assert trending() == [hidden, shown]

    Video.objects.filter(pk=hidden.pk).update(visibility=Video.Visibility.PRIVATE)
    assert list(Video.objects.trending()) == [shown]


def test_ranking_replaces_the_one_before() -> None:
    first = viewed(VideoFactory(), 9)
    assert trending() == [first]
    second = viewed(VideoFactory(), 99)
    DailyViews.objects.filter(video=first).delete()

    assert trending() == [second]
    assert TrendingVideo.objects.count() == 1
