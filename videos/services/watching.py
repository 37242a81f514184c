"""Playing, counting and liking.

A *view* is time watched, not a page opened: a player reports every ten seconds
of playing, and a session counts once it has played thirty seconds, or half of a
shorter video.  The session is signed; how much of it was watched is kept on our
side and grows no faster than the clock.
"""

from __future__ import annotations

import secrets
from time import time
from typing import TYPE_CHECKING, Any

from django.core import signing
from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from videoplatform.storage import media_url
from videos.models import CaptionTrack, Like, Video

if TYPE_CHECKING:
    from accounts.models import User

REPORT_EVERY_S = 10
REPORT_SLACK_S = 5
VIEW_AFTER_S = 30
SESSION_TTL_S = 6 * 3600
COUNT_AGAIN_AFTER_S = 3600  # the same viewer and the same video
_signer = signing.TimestampSigner(salt="videos.watching")


def playback(video: Video) -> dict[str, Any] | None:
    """What a player needs, or None while there is nothing to play."""
    if not video.is_playable:
        return None
    return {
        "hls_url": reverse("hls-multivariant", args=[video.public_id, video.encode_key]),
        "poster_url": poster_url(video),
        "storyboard_url": None,
        "captions": [caption_json(track) for track in video.captions.all()],
    }


def caption_json(track: CaptionTrack) -> dict[str, str]:
    return {"language": track.language, "label": track.label, "url": media_url(track.key)}


def poster_url(video: Video) -> str | None:
    return media_url(video.poster_key) if video.poster_key else None


def record_watching(video: Video, *, position_s: float, session: str = "", viewer: str) -> str:
    """Note ten more seconds of playing; return the session to send with the next report.

    ``viewer`` tells people apart for counting (an account, or an address).  A
    position that has not moved adds nothing; one that has adds what the clock allows.
    """
    session_id = _session_id(video, session) or secrets.token_urlsafe(12)
    watched_s = _add_watched(session_id, position_s)
    if (
        watched_s >= view_threshold_s(video)
        and _is_first(f"viewed:{session_id}", SESSION_TTL_S)
        and _is_first(f"viewed:{video.pk}:{viewer}", COUNT_AGAIN_AFTER_S)
    ):
        Video.objects.filter(pk=video.pk).update(view_count=F("view_count") + 1)
    return _signer.sign(f"{video.public_id}:{session_id}")


def view_threshold_s(video: Video) -> float:
    return min(VIEW_AFTER_S, (video.duration_s or VIEW_AFTER_S) / 2)


def _session_id(video: Video, session: str) -> str:
    """The id inside a session we signed for this video; empty for any other."""
    try:
        public_id, _, session_id = _signer.unsign(session, max_age=SESSION_TTL_S).partition(":")
    except signing.BadSignature:
        return ""
    return session_id if public_id == video.public_id else ""


def _add_watched(session_id: str, position_s: float) -> float:
    """Seconds this session has watched: a report adds the time since the last, fifteen seconds at most."""
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
