"""Captions that people bring: any usual file in, one WebVTT file of ours for each language out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from django.db import transaction

from videoplatform import storage
from videos.cleaning import doom
from videos.languages import canonical_tag
from videos.models import CaptionTrack, Video
from videos.services.errors import (
    CaptionsTooLarge,
    CaptionsUnreadable,
    NoCaptions,
    StorageUnavailable,
    TooManyCaptions,
    UnknownLanguage,
)
from videos.tasks import empty_doomed_prefixes
from videos.transcoding import captions

if TYPE_CHECKING:
    from django.core.files import File

MAX_TRACKS = 60


def add_captions(video: Video, *, language: str, file: File[bytes]) -> tuple[CaptionTrack, int]:
    """Give ``video`` captions in ``language``, in place of what it had in it.

    Returns the track, and how many cues of the file could not be used.
    """
    tag = canonical_tag(language)
    if tag is None:
        raise UnknownLanguage(attr="language")
    if (file.size or 0) > captions.MAX_BYTES:
        raise CaptionsTooLarge(attr="file")
    if video.captions.exclude(language=tag).count() >= MAX_TRACKS:
        raise TooManyCaptions
    try:
        read = captions.read_captions(file.read(captions.MAX_BYTES), language=tag)
    except captions.UnreadableCaptions as error:
        raise CaptionsUnreadable(attr="file") from error
    # A name of its own: whoever still plays the old file is not given half of the new one.
    key = f"{video.prefix}captions/{tag}-{secrets.token_hex(6)}.vtt"
    try:
        storage.put_bytes(key, read.render().encode())
    except storage.StorageError as error:
        raise StorageUnavailable from error
    with transaction.atomic():
        _forget(video, tag)
        track = CaptionTrack.objects.create(video=video, language=tag, key=key, cue_count=len(read.cues))
    return track, read.skipped


@transaction.atomic
def remove_captions(video: Video, *, language: str) -> None:
    if not _forget(video, canonical_tag(language) or ""):
        raise NoCaptions


def _forget(video: Video, language: str) -> bool:
    """Whether there were captions in ``language``; their file is deleted soon."""
    track = CaptionTrack.objects.select_for_update().filter(video=video, language=language).first()
    if track is None:
        return False
    doom(track.key)
    track.delete()
    transaction.on_commit(lambda: empty_doomed_prefixes.delay())
    return True
