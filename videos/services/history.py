"""Watch history: recorded from the reports of players, for people who are signed in.

The history belongs to one person: nobody else reads it.  It lists only videos that the
person may watch now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, prefetch_related_objects
from django.utils import timezone

from accounts.models import User
from videos.models import HistoryPause, Video, WatchedVideo

if TYPE_CHECKING:
    from accounts.viewers import Viewer

MAX_WATCHED = 5_000  # videos in the history of one person
PEOPLE_AT_ONCE = 100  # per sweep
# The entries that a list of resumable videos reads, of which some are not watchable any more.
READ_FOR_SHELF = 3


def record_watched(video: Video, user: User | AnonymousUser, position_s: float) -> None:
    """Add the video to the history of ``user``, or renew its entry, unless the history is paused."""
    if not user.is_authenticated or is_history_paused(user):
        return
    entry = WatchedVideo(
        user=user,
        video=video,
        position_s=min(position_s, video.duration_s or position_s),
        watched_at=timezone.now(),
    )
    WatchedVideo.objects.bulk_create(
        [entry],
        update_conflicts=True,
        unique_fields=["user", "video"],
        update_fields=["position_s", "watched_at"],
    )


def is_history_paused(user: User) -> bool:
    return HistoryPause.objects.filter(user=user).exists()


def pause_history(user: User, *, is_paused: bool) -> None:
    """Pause or resume the history; its entries stay."""
    if is_paused:
        HistoryPause.objects.get_or_create(user=user)
    else:
        HistoryPause.objects.filter(user=user).delete()


def forget_watched(user: User, public_id: str) -> None:
    """Remove one video from the history."""
    WatchedVideo.objects.of(user).filter(video__public_id=public_id).delete()


def clear_history(user: User) -> None:
    WatchedVideo.objects.of(user).delete()


def resume_s(video: Video, user: User | AnonymousUser) -> float:
    """Return the position (s) where ``user`` continues the video, 0 for the beginning.

    A paused history knows an old position only: the browser has a newer one.
    """
    if not user.is_authenticated:
        return 0.0
    paused = HistoryPause.objects.filter(user=user)
    entry = WatchedVideo.objects.of(user).filter(~Exists(paused), video=video).first()
    if entry is None:
        return 0.0
    entry.video = video
    return entry.resume_s


def continued(viewer: Viewer, most: int) -> list[WatchedVideo]:
    """Return the entries of unfinished videos that the viewer may watch, the latest first."""
    if not viewer.user.is_authenticated:
        return []
    unfinished = WatchedVideo.objects.of(viewer.user).unfinished()
    wanted = unfinished.exclude(video__dismissals__user=viewer.user)
    latest = wanted.for_cards().order_by("-watched_at", "-pk")
    return watchable(list(latest[: most * READ_FOR_SHELF]), viewer)[:most]


def watchable(entries: list[WatchedVideo], viewer: Viewer) -> list[WatchedVideo]:
    """Return the entries whose videos the viewer may watch now."""
    viewer = viewer.for_list(entry.video.channel_id for entry in entries)
    return [entry for entry in entries if entry.video.can_watch(viewer)]


def add_progress(videos: Iterable[Video], user: User | AnonymousUser) -> None:
    """Set ``watched_percent`` of the videos that ``user`` has watched; two queries for the list."""
    if not user.is_authenticated:
        return
    listed = {video.pk: video for video in videos}
    if not listed:
        return
    entries = list(WatchedVideo.objects.of(user).filter(video__in=listed))
    for entry in entries:
        entry.video = listed[entry.video_id]
    prefetch_related_objects([entry.video for entry in entries], "timeline_changes")
    for entry in entries:
        entry.video.watched_percent = entry.percent


def prune_histories() -> None:
    """Delete the oldest entries beyond ``MAX_WATCHED`` of a person."""
    counted = WatchedVideo.objects.values("user").annotate(count=Count("pk")).filter(count__gt=MAX_WATCHED)
    for person in counted.values_list("user", flat=True)[:PEOPLE_AT_ONCE]:
        entries = WatchedVideo.objects.filter(user=person).order_by("-watched_at", "-pk")
        oldest_kept = entries.values_list("watched_at", flat=True)[MAX_WATCHED - 1]
        entries.filter(watched_at__lt=oldest_kept).delete()
