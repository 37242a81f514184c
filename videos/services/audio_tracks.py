"""Audio tracks that an owner adds to a ready video: another language, a commentary, an audio description.

A track is an edition of its video while it is uploaded and encoded (``videos.editions``), so
that a video has one edition at a time; then it is a rendition beside those of the source.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.db.models import F

from accounts.models import Channel
from common import deletion, storage
from videos import loudness, progress
from videos.languages import canonical_tag, language_name
from videos.models import AddedTrack, Rendition, SegmentRun, Upload, Video
from videos.publishing import Encode, write_multivariant_playlist
from videos.services.editions import begin_edition
from videos.services.errors import EditionRuns, NoPicture, NoTrack, TooManyTracks, UnknownLanguage
from videos.services.uploads import (
    check_may_upload,
    check_quota,
    create_upload,
    neutral_filename,
    open_multipart,
)

logger = logging.getLogger(__name__)

MAX_ADDED_TRACKS = 20
MAX_LABEL = 90  # characters


def audio_tracks_of(video: Video) -> list[Rendition]:
    """Return the audio tracks of a video in the order of its playlist."""
    return Encode.of(video).tracks


def add_track_by_upload(
    video: Video, *, filename: str, size_bytes: int, language: str, role: str, label: str = ""
) -> Upload:
    """Open a multipart upload of an audio file that becomes a further audio track of ``video``.

    Raises UnknownLanguage, NoPicture, TooManyTracks, NotReadyYet, EditionRuns, NoOriginal and
    the refusals of ``start_upload``.
    """
    channel = video.channel
    check_may_upload(channel, size_bytes)
    named = _described(language=language, label=label, role=role)
    if not video.has_picture:
        raise NoPicture
    with transaction.atomic():
        Channel.objects.select_for_update().get(pk=channel.pk)
        check_quota(channel, size_bytes)
        added = Rendition.objects.filter(video=video, encode_key=video.encode_key, is_added=True)
        if added.count() >= MAX_ADDED_TRACKS:
            raise TooManyTracks
        edition = Video(
            edition_kind=Video.EditionKind.AUDIO,
            source_filename=neutral_filename(filename),
            source_size_bytes=size_bytes,
        )
        begin_edition(video, edition)
        AddedTrack.objects.create(edition=edition, **named)
        upload = create_upload(edition)
    open_multipart(upload)
    return upload


def _described(*, language: str, label: str, role: str) -> dict[str, str]:
    """Return the fields of a track; without a name it has that of its language.  Raises UnknownLanguage."""
    tag = canonical_tag(language)
    if tag is None:
        raise UnknownLanguage(attr="language")
    label = " ".join(label.split())[:MAX_LABEL] or language_name(tag)[:MAX_LABEL]
    return {"language": tag[:16], "label": label, "role": role}


def edit_track(video: Video, name: str, *, label: str, language: str, role: str) -> Rendition:
    """Change name, language and role of an added track.  Raises NoTrack, EditionRuns and UnknownLanguage."""
    named = _described(language=language, label=label, role=role)
    with transaction.atomic():
        _added(video, name).update(**named)
        _change(video)
    _store_playlist(video)
    return Rendition.objects.get(video=video, encode_key=video.encode_key, name=name)


def remove_track(video: Video, name: str) -> None:
    """Remove an added track; players that play it keep it until its URLs expire.

    Raises NoTrack and EditionRuns.
    """
    signed_for = storage.lifetime(video.duration_s) + storage.SIGNING_WINDOW
    with transaction.atomic():
        rows = _added(video, name)
        at = [track.name for track in audio_tracks_of(video)].index(name)
        for run in SegmentRun.objects.filter(video=video, kind=Rendition.Kind.AUDIO):
            if run.renditions == [name]:
                folder = run.objects_key or f"{run.encode_key}/{name}"
                deletion.delete_later(f"{video.prefix}{folder}/", after=signed_for)
                run.delete()
        rows.delete()
        measured = Video.objects.get(pk=video.pk).loudness  # locked: a measurement may have ended meanwhile
        _change(video, loudness=measured and [*measured[:at], *measured[at + 1 :]])
    logger.info("Audio track removed", extra={"video": video.public_id})
    _store_playlist(video)


def _added(video: Video, name: str) -> Any:
    """Return the rows of an added track, locked with its video: one for each encode.

    A trim has copied them for its encode, which would undo a change.  Raises NoTrack and EditionRuns.
    """
    Video.objects.select_for_update().get(pk=video.pk)
    if Video.objects.filter(edition_of=video, edition_kind=Video.EditionKind.TRIM).exists():
        raise EditionRuns
    rows = Rendition.objects.filter(video=video, is_added=True, name=name)
    if not rows.filter(encode_key=video.encode_key).exists():
        raise NoTrack
    return rows


def _change(video: Video, **fields: Any) -> None:
    Video.objects.filter(pk=video.pk).update(audio_version=F("audio_version") + 1, **fields)
    current = Video.objects.get(pk=video.pk)
    if current.loudness is None:
        # A measurement of the tracks before this change will not be stored.
        loudness.queue_for(Encode.of(current))
    transaction.on_commit(lambda: progress.publish(video))


def _store_playlist(video: Video) -> None:
    """Store the list of renditions again; players get theirs from SQL, with or without the storage."""
    video.refresh_from_db()
    try:
        write_multivariant_playlist(Encode.of(video))
    except storage.StorageError:
        logger.warning("Playlist in storage is outdated", extra={"video": video.public_id})
