"""Storing of captions, uploaded or made by ourselves."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from common import deletion, storage
from videos.hls.multivariant import SubtitleRendition
from videos.models import CaptionTrack, Video
from videos.transcoding.caption_conversion import Converted

MAX_TRACKS = 60
SUBTITLE_GROUP = "captions"
PLAYLIST_PREFIX = "captions-"
# The cues of captions and the frames of an encode count from the same moment (RFC 8216, 3.5).
TIMESTAMP_MAP = b"X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"


class TracksFull(Exception):
    """A video with captions in ``MAX_TRACKS`` other languages."""


class TrackChanged(Exception):
    """Captions that changed since they were read."""


def put(video: Video, language: str, webvtt: bytes) -> str:
    """Store a WebVTT file and return its key.

    Each has a new name: a player with the old URL never gets parts of the new file.
    """
    key = f"{video.prefix}captions/{language}-{secrets.token_hex(6)}.vtt"
    storage.put_bytes(key, webvtt.replace(b"WEBVTT\n", b"WEBVTT\n" + TIMESTAMP_MAP, 1))
    return key


def rendition_of(track: CaptionTrack, uri: Callable[[str], str]) -> SubtitleRendition:
    """Return the rendition of a track in HLS; ``uri`` maps the name of its playlist to a URL."""
    return SubtitleRendition(
        group_id=SUBTITLE_GROUP,
        name=track.label,
        language=track.language,
        uri=uri(f"{PLAYLIST_PREFIX}{track.language}"),
    )


@transaction.atomic
def record(
    video: Video,
    language: str,
    key: str,
    converted: Converted,
    origin: CaptionTrack.Origin,
    *,
    based_on: str | None = None,
) -> CaptionTrack:
    """Make a stored file the captions of ``video`` in ``language``, replacing others.

    Raises TracksFull, and TrackChanged if ``based_on`` is not the version that it replaces
    (empty: there were none).
    """
    # Locked, so that two first files of a language do not meet.
    Video.objects.select_for_update().filter(pk=video.pk).first()
    if based_on is not None:
        found = video.captions.filter(language=language).first()
        if (found.version if found else "") != based_on:
            raise TrackChanged
    if video.captions.exclude(language=language).count() >= MAX_TRACKS:
        raise TracksFull
    now_is = {"key": key, "cue_count": converted.cue_count, "origin": origin}
    track, is_new = CaptionTrack.objects.get_or_create(video=video, language=language, defaults=now_is)
    if not is_new:
        deletion.delete_later(track.key)
        track.key, track.cue_count, track.origin = key, converted.cue_count, origin
        track.created_at = timezone.now()
        track.save(update_fields=[*now_is, "created_at"])
    return track


@transaction.atomic
def record_ours(
    video: Video,
    language: str,
    key: str,
    converted: Converted,
    origin: CaptionTrack.Origin,
    *,
    encode_key: str = "",
) -> bool:
    """Record captions that nobody uploaded unless better ones exist; then delete the file and return False.

    Only automatic captions give way to them.  The same happens if ``encode_key`` is not the video's
    any more, because a trim may have moved its times.  Raises TracksFull.
    """
    current = Video.objects.select_for_update().filter(pk=video.pk).first()
    if encode_key and (current is None or current.encode_key != encode_key):
        deletion.delete_later(key)
        return False
    kept = video.captions.filter(language=language).exclude(origin=CaptionTrack.Origin.AUTOMATIC)
    if kept.exists():
        deletion.delete_later(key)
        return False
    record(video, language, key, converted, origin)
    return True
