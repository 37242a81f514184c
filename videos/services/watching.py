"""Playback, view counts and likes.

A *view* is time watched, not a page opened.  A player reports when it begins and every 10 s
of playing, and a session counts as a view after 30 s, or after half of a video shorter than a
minute.  A script has to spend as much time as a viewer: the watched time is kept on the server,
grows no faster than the clock, counts each second of the video once, and is limited for each
viewer across all videos.
"""

from __future__ import annotations

from dataclasses import astuple, replace
from math import ceil
from time import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from accounts.viewers import TOKEN_PARAMETER
from common.buckets import Charge, take
from common.rates import RATES
from common.storage import media_url
from common.viewer_sessions import ViewerSessions
from videos.models import CaptionTrack, Like, Video
from videos.services.popularity import record_view
from videos.watch_time import WatchTime

if TYPE_CHECKING:
    from accounts.models import User

VIEW_AFTER_S = 30
SESSION_TTL_S = 6 * 3600
COUNT_AGAIN_AFTER_S = 3600  # the same viewer and the same video
_sessions = ViewerSessions("videos.watching", SESSION_TTL_S)


def playback(video: Video) -> dict[str, Any] | None:
    """Return the URLs and captions for a player, or None while the video is not playable."""
    if not video.is_playable:
        return None
    return {
        "hls_url": reverse("hls-multivariant", args=[video.public_id, video.encode_key]),
        "poster_url": poster_url(video),
        "storyboard_url": storyboard_path(video),
        "loudness": [loudness_json(track) for track in video.loudness or []],
        "captions": [caption_json(track) for track in video.captions.all()],
    }


def with_token(video: Video, path: str, token: str) -> str:
    """Return ``path`` with the viewer's token, which a player needs for all playlists of a locked video."""
    return path if video.is_open or not token else f"{path}?{urlencode({TOKEN_PARAMETER: token})}"


def caption_json(track: CaptionTrack) -> dict[str, Any]:
    return {
        "language": track.language,
        "label": track.label,
        "url": media_url(track.key),
        "is_automatic": track.is_automatic,
        "version": track.version,
    }


def poster_url(video: Video) -> str | None:
    return media_url(video.poster_key) if video.poster_key else None


def storyboard_path(video: Video) -> str | None:
    if not video.has_storyboard:
        return None
    return reverse("hls-storyboard", args=[video.public_id, video.encode_key])


def loudness_json(track: list[float] | None) -> dict[str, float] | None:
    """Return the loudness of an audio track for clients; None for a silent one."""
    return {"integrated_lufs": track[0], "true_peak_dbtp": track[1]} if track else None


def record_watching(video: Video, *, position_s: float, session: str = "", viewer: str) -> str:
    """Record a player's report; return the session token to send with the next report.

    ``viewer`` identifies an account or an address for counting.
    """
    session_id = _sessions.read(session, video.public_id)
    threshold_s = view_threshold_s(video.duration_s)
    if is_view(session_id, str(video.pk), position_s=position_s, viewer=viewer, threshold_s=threshold_s):
        record_view(video)
    return _sessions.sign(session_id, video.public_id)


def is_view(session_id: str, subject: str, *, position_s: float, viewer: str, threshold_s: float) -> bool:
    """Record the report of a session; return whether ``subject`` has one view more by it.

    Half of the threshold has to be clocked, because nothing confirms the time before the
    first report.  Concurrent reports of a session count as one of them.
    """
    key, now = f"watched:{session_id}", time()
    kept = cache.get(key)
    before = WatchTime(*kept) if kept else WatchTime(now, position_s)
    if before.is_counted:
        return False
    watched = before.reported(position_s, now) if kept else before.before_first_report()
    earned_s = watched.total_s - before.total_s
    if earned_s and take(_charge(viewer, earned_s)):
        return False
    is_enough = watched.total_s >= threshold_s and watched.clocked_s >= threshold_s / 2
    cache.set(key, astuple(replace(watched, is_counted=is_enough)), SESSION_TTL_S)
    return (
        is_enough
        and _is_first(f"viewed:{session_id}", SESSION_TTL_S)
        and _is_first(f"viewed:{subject}:{viewer}", COUNT_AGAIN_AFTER_S)
    )


def _charge(viewer: str, earned_s: float) -> Charge:
    """Return the charge for watched time of all videos: a person watches few at once, a school many."""
    name = "watching" if viewer.startswith("user-") else "watching_address"
    return Charge(name, viewer, RATES[name], ceil(earned_s))


def view_threshold_s(duration_s: float | None) -> float:
    return min(VIEW_AFTER_S, (duration_s or VIEW_AFTER_S) / 2)


def _is_first(key: str, ttl_s: int) -> bool:
    return bool(cache.add(key, 1, ttl_s))


@transaction.atomic
def like(video: Video, user: User) -> None:
    _, is_new = Like.objects.get_or_create(video=video, user=user)
    if is_new:
        Video.objects.filter(pk=video.pk).update(like_count=F("like_count") + 1)


@transaction.atomic
def unlike(video: Video, user: User) -> None:
    deleted, _ = Like.objects.filter(video=video, user=user).delete()
    if deleted:
        Video.objects.filter(pk=video.pk, like_count__gt=0).update(like_count=F("like_count") - 1)
