"""Captions that people upload: files in the usual formats, converted to one WebVTT file per language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from common import deletion, storage
from videos import caption_tracks
from videos.languages import canonical_tag
from videos.models import CaptionTrack, Video
from videos.services.errors import (
    CaptionsBusy,
    CaptionsChanged,
    CaptionsTooLarge,
    CaptionsUnreadable,
    NoCaptions,
    StorageUnavailable,
    TooManyCaptions,
    UnknownLanguage,
)
from videos.transcoding import captions
from videos.transcoding.caption_conversion import ConversionBusy, convert
from videos.transcoding.errors import LimitsExceeded

if TYPE_CHECKING:
    from django.core.files import File


def add_captions(video: Video, *, language: str, file: File[bytes]) -> tuple[CaptionTrack, int]:
    """Store ``file`` as the captions of ``video`` in ``language``, replacing earlier ones.

    Return the track and the number of cues that could not be used.
    """
    tag = canonical_tag(language)
    if tag is None:
        raise UnknownLanguage(attr="language")
    if (file.size or 0) > captions.MAX_BYTES:
        raise CaptionsTooLarge(attr="file")
    if video.captions.exclude(language=tag).count() >= caption_tracks.MAX_TRACKS:
        raise TooManyCaptions
    try:
        converted = convert(file.read(captions.MAX_BYTES), language=tag)
    except (captions.UnreadableCaptions, LimitsExceeded) as error:
        raise CaptionsUnreadable(attr="file") from error
    except ConversionBusy as error:
        raise CaptionsBusy from error
    try:
        key = caption_tracks.put(video, tag, converted.webvtt)
    except storage.StorageError as error:
        raise StorageUnavailable from error
    try:
        track = caption_tracks.record(video, tag, key, converted, CaptionTrack.Origin.OWNER)
    except caption_tracks.TracksFull as error:
        deletion.delete_later(key)
        raise TooManyCaptions from error
    return track, converted.skipped


def save_captions(video: Video, *, language: str, webvtt: str, based_on: str) -> CaptionTrack:
    """Store edited captions, which are then the owner's own and no longer automatic.

    ``based_on`` is the version that the editor began with, empty for new captions.
    """
    tag = canonical_tag(language)
    if tag is None:
        raise UnknownLanguage(attr="language")
    data = webvtt.encode()
    if len(data) > captions.MAX_BYTES:
        raise CaptionsTooLarge(attr="webvtt")
    try:
        converted = convert(data, language=tag)
        key = caption_tracks.put(video, tag, converted.webvtt)
    except (captions.UnreadableCaptions, LimitsExceeded) as error:
        raise CaptionsUnreadable(attr="webvtt") from error
    except ConversionBusy as error:
        raise CaptionsBusy from error
    except storage.StorageError as error:
        raise StorageUnavailable from error
    owner = CaptionTrack.Origin.OWNER
    try:
        return caption_tracks.record(video, tag, key, converted, owner, based_on=based_on)
    except caption_tracks.TracksFull as error:
        deletion.delete_later(key)
        raise TooManyCaptions from error
    except caption_tracks.TrackChanged as error:
        deletion.delete_later(key)
        raise CaptionsChanged from error


@transaction.atomic
def remove_captions(video: Video, *, language: str) -> None:
    if not _forget(video, canonical_tag(language) or ""):
        raise NoCaptions


def _forget(video: Video, language: str) -> bool:
    """Delete the captions in ``language`` and, soon after, their file; return False if there were none."""
    track = CaptionTrack.objects.select_for_update().filter(video=video, language=language).first()
    if track is None:
        return False
    deletion.delete_later(track.key)
    track.delete()
    return True
