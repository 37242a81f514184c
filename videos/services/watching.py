"""Playback, view counts and likes.

A *view* is time watched, not a page opened.  A player reports every 10 s of
playing, and a session counts as a view after 30 s, or after half of a video shorter
than a minute.  The session token is signed.  The watched time is kept on the server
and grows no faster than the clock.
"""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from accounts.viewers import TOKEN_PARAMETER
from common.storage import media_url
from common.viewer_sessions import ViewerSessions
from videos.models import CaptionTrack, Like, Video

if TYPE_CHECKING:
    from accounts.models import User

REPORT_EVERY_S = 10
REPORT_SLACK_S = 5
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
        Video.objects.filter(pk=video.pk).update(view_count=F("view_count") + 1)
    return _sessions.sign(session_id, video.public_id)


def is_view(session_id: str, subject: str, *, position_s: float, viewer: str, threshold_s: float) -> bool:
    """Record the report of a session; return whether ``subject`` has one view more by it.

    An unchanged position adds no watched time; a changed one adds the time since the last
    report, up to a limit.
    """
    watched_s = _add_watched(session_id, position_s)
    return (
        watched_s >= threshold_s
        and _is_first(f"viewed:{session_id}", SESSION_TTL_S)
        and _is_first(f"viewed:{subject}:{viewer}", COUNT_AGAIN_AFTER_S)
    )


def view_threshold_s(duration_s: float | None) -> float:
    return min(VIEW_AFTER_S, (duration_s or VIEW_AFTER_S) / 2)


def _add_watched(session_id: str, position_s: float) -> float:
    """Return the session's watched time (s) after adding the time since its last report, 15 s at most."""
    key, now = f"watching:{session_id}", time()
    watched_s, reported_at, last_position_s = cache.get(key) or (0.0, None, None)
    if reported_at is None:
        # A player sends its first report after its first ten seconds.
        watched_s = float(REPORT_EVERY_S)
    elif position_s != last_position_s:
        watched_s += min(now - reported_at, REPORT_EVERY_S + REPORT_SLACK_S)
    cache.set(key, (watched_s, now, position_s), SESSION_TTL_S)
    return watched_s


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
