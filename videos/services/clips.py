"""Clips: made by viewers of a video, renamed by their makers, deleted by those or the video's owner."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.db.models import F
from django.urls import reverse

from accounts import moderation, sign_up
from accounts.errors import EmailNotConfirmed
from accounts.viewers import Viewer
from common import deletion
from common.storage import media_url
from common.viewer_sessions import ViewerSessions
from common.words import composed
from videos import clip_posters
from videos.models import MAX_CLIP_S, MAX_TITLE, MIN_CLIP_S, Clip, Video
from videos.publishing import Encode, Excerpt, NothingPublished
from videos.services.errors import (
    BadClipTimes,
    ClipsRefused,
    MayNotClip,
    NotEncodedYet,
    TooManyClips,
)
from videos.services.watching import (
    SESSION_TTL_S,
    caption_json,
    is_view,
    loudness_json,
    storyboard_path,
    view_threshold_s,
    with_token,
)

logger = logging.getLogger(__name__)

MAX_CLIPS_OF_A_VIDEO = 100  # by one user
# Players place their handles by a clock that differs from ours by less than a frame.
_ROUNDING_S = 0.05
_sessions = ViewerSessions("videos.clips", SESSION_TTL_S)


def create_clip(video: Video, viewer: Viewer, *, title: str, start_s: float, end_s: float) -> Clip:
    """Return a new clip of ``video`` by ``viewer``; an empty title becomes the video's.

    Raises ClipsRefused, MayNotClip, EmailNotConfirmed, BadClipTimes, NotEncodedYet and
    TooManyClips.
    """
    user = viewer.user
    if not user.is_authenticated or not video.can_clip(viewer):
        raise ClipsRefused
    if not moderation.may_speak(user):
        raise MayNotClip
    if not sign_up.may_take_part(user):
        raise EmailNotConfirmed
    with transaction.atomic():
        # Locked, so that two clips at once cannot exceed the bound, and the video is neither
        # deleted nor trimmed meanwhile.
        locked = Video.objects.select_for_update().filter(pk=video.pk).first()
        if locked is None:
            raise ClipsRefused
        start_s, end_s = _checked_times(locked, start_s, end_s)
        if Clip.objects.filter(video=video, maker=user).count() >= MAX_CLIPS_OF_A_VIDEO:
            raise TooManyClips
        clip = Clip.objects.create(
            video=video,
            maker=user,
            title=composed(title, MAX_TITLE).strip() or video.title,
            start_s=start_s,
            end_s=end_s,
        )
        clip_posters.queue_for(clip)
    logger.info("Clip made", extra={"clip": clip.public_id, "video": video.public_id})
    return clip


def _checked_times(video: Video, start_s: float, end_s: float) -> tuple[float, float]:
    """Return the times within the video, in milliseconds.  Raises BadClipTimes and NotEncodedYet."""
    start_s = max(0.0, start_s)
    if video.status == Video.Status.READY and video.duration_s and end_s > video.duration_s:
        end_s = video.duration_s
    length_s = end_s - start_s
    if not MIN_CLIP_S - _ROUNDING_S <= length_s <= MAX_CLIP_S + _ROUNDING_S:
        raise BadClipTimes(attr="end_s")
    try:
        Excerpt.of(Encode.of(video), start_s, end_s)
    except NothingPublished:
        raise NotEncodedYet(attr="end_s") from None
    return round(start_s, 3), round(end_s, 3)


def excerpt_of(clip: Clip) -> Excerpt | None:
    """Return the segments of the clip, or None if the current encode does not hold it yet or any more.

    The times of a cut clip are those of the source, where the video shows something else.
    """
    if clip.is_cut or clip.video is None or not clip.video.is_playable:
        return None
    try:
        return Excerpt.of(Encode.of(clip.video), clip.start_s, clip.end_s)
    except NothingPublished:
        return None


def clip_playback(clip: Clip, excerpt: Excerpt, token: str = "") -> dict[str, Any]:
    """Return the URLs and captions for a player, and the times (s) at which it begins and stops.

    ``in_s`` and ``out_s`` count from the beginning of the playlists; the storyboard is the
    video's.  ``token`` is the viewer's, for a video that is not open.
    """
    video = excerpt.encode.video
    names = [clip.public_id, video.encode_key]

    def path(name: str, *more: str) -> str:
        return with_token(video, reverse(name, args=[*names, *more]), token)

    storyboard = storyboard_path(video)
    return {
        "hls_url": path("clip-multivariant"),
        "in_s": round(excerpt.in_s, 3),
        "out_s": round(excerpt.out_s, 3),
        "poster_url": media_url(clip.shown_poster_key) if clip.shown_poster_key else None,
        "storyboard_url": with_token(video, storyboard, token) if storyboard else None,
        "loudness": [loudness_json(track) for track in video.loudness or []],
        "captions": [
            caption_json(track) | {"url": path("clip-captions", track.language)}
            for track in video.captions.all()
        ],
    }


def rename_clip(clip: Clip, *, title: str) -> Clip:
    """Give the clip another title; an empty one becomes the video's."""
    clip.title = composed(title, MAX_TITLE).strip() or (clip.video.title if clip.video else clip.title)
    clip.save(update_fields=["title"])
    return clip


@transaction.atomic
def delete_clip(clip: Clip) -> None:
    """Delete the clip and its poster; the video stays as it is."""
    if clip.poster_key:
        deletion.delete_later(clip.poster_key)
    clip.delete()


def record_clip_watching(clip: Clip, *, position_s: float, session: str = "", viewer: str) -> str:
    """Record a player's report as for a video, and count the views of the clip alone."""
    session_id, subject = _sessions.read(session, clip.public_id), f"clip-{clip.pk}"
    threshold_s = view_threshold_s(clip.duration_s)
    if is_view(session_id, subject, position_s=position_s, viewer=viewer, threshold_s=threshold_s):
        Clip.objects.filter(pk=clip.pk).update(view_count=F("view_count") + 1)
    return _sessions.sign(session_id, clip.public_id)
