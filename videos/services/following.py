"""The feed of the channels that a person follows, and the videos in it that are new to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import User
from videos.models import FeedVisit, Video
from videos.services.history import add_progress

# The shelf on home shows nothing older.
RECENT = timedelta(days=30)


def mark_new(videos: Sequence[Video], user: User) -> None:
    """Set ``is_new`` of the videos that were published after the last visit of ``user`` to their feed.

    Before the first visit, nothing is new.
    """
    if not videos:
        return
    visit = FeedVisit.objects.filter(user=user).first()
    for video in videos:
        video.is_new = bool(visit and video.published_at and video.published_at > visit.visited_at)


def record_visit(user: User, at: datetime) -> None:
    """Record that ``user`` saw the head of their feed at ``at``."""
    FeedVisit.objects.update_or_create(user=user, defaults={"visited_at": at})


def recent_of_followed(user: User, most: int, without: Iterable[int] = ()) -> list[Video]:
    """Return the latest videos of followed channels, with progress, the new ones marked.

    ``without`` names videos that the page shows elsewhere.
    """
    since = timezone.now() - RECENT
    fresh = Video.objects.followed_by(user).not_dismissed_by(user).exclude(pk__in=without)
    videos = list(fresh.for_cards().filter(published_at__gte=since).order_by("-published_at", "-pk")[:most])
    mark_new(videos, user)
    add_progress(videos, user)
    return videos
