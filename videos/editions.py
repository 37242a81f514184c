"""Editions: another encode of a video, made beside the one that is watched, and its take-over.

An edition is a :class:`~videos.models.Video` of its own with ``edition_of``, so that upload,
import, encode, failure and retry are those of any video.  Nobody watches it, and no list
contains it; its objects lie in the folder of its video.  When its encode is complete, one
transaction gives its rows to the video and deletes the edition.  The encode before becomes
a :class:`~videos.models.RetiredEncode`, which players may still request.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from common import deletion, storage
from videos import (
    arrivals,
    clip_posters,
    embedded_captions,
    loudness,
    moved_times,
    progress,
    storyboards,
    transcriptions,
)
from videos.models import UNCUT, CaptionTrack, Job, Rendition, RetiredEncode, SegmentPlan, SegmentRun, Video
from videos.moved_times import MovedCaptions
from videos.publishing import Encode

logger = logging.getLogger(__name__)

# Captions made from the source, not by its owner.
_OF_SOURCE = (CaptionTrack.Origin.AUTOMATIC, CaptionTrack.Origin.EMBEDDED)


def prepare(encode: Encode) -> MovedCaptions:
    """Store the captions with moved times for a take-over.  Raises an error of storage."""
    video = encode.video.edition_of
    move = moved_times.move_of(encode.video, video) if video else None
    return moved_times.moved_captions(video, move) if video and move else MovedCaptions()


def take_over(encode: Encode, prepared: MovedCaptions) -> bool:
    """Make a complete edition the encode of its video, in the caller's transaction.

    The caller has locked the edition.  Return False if its video is not ready any more or has been
    trimmed meanwhile, or if its captions have changed since they were ``prepared``.
    """
    edition = encode.video
    owned = Video.objects.select_related("channel__owner").select_for_update(of=("self",))
    video = owned.filter(edition=edition, status=Video.Status.READY).first()
    if video is None:
        return False
    if edition.edition_kind == Video.EditionKind.AUDIO:
        _add_track(video, encode)
        return True
    if edition.edition_kind == Video.EditionKind.REENCODE and video.is_trimmed:
        # It was begun before the trim, and holds what that has cut.
        return False
    move = moved_times.move_of(edition, video)
    if move and not moved_times.are_current(video, prepared):
        return False
    is_replaced = edition.source_key != video.source_key
    _retire(video, is_replaced=is_replaced)
    if edition.edition_kind == Video.EditionKind.TRIM:
        # Those of earlier re-encodes hold the cut parts too.
        video.retired_encodes.end_soon()
    for model in (Job, Rendition, SegmentRun, SegmentPlan):
        rows = model.objects.filter(video=edition, encode_key=edition.encode_key)
        rows.update(video=video)
    old_key = video.encode_key
    _keep_added_tracks(video, edition, is_replaced=is_replaced)
    moved = moved_times.move(video, move, prepared) if move else {}
    Video.objects.filter(pk=video.pk).update(**_fields(video, edition, encode) | moved)
    progress.notify_owner(edition, is_ready=True)
    edition.delete()
    video.refresh_from_db()
    taken = Encode.of(video)
    storyboards.queue_for(taken)
    loudness.queue_for(taken)
    clip_posters.queue_missing(video)
    if not is_replaced:
        embedded_captions.queue_again(video, old_key)
    if is_replaced:
        # The times of another file are not those of this one.
        video.timeline_changes.all().delete()
        _renew_captions(video)
    elif move and transcriptions.cancel(video):
        # It has heard chunks of the old time line.
        transcriptions.request_for_upload(video)
    transaction.on_commit(lambda: progress.publish(video))
    transaction.on_commit(lambda: arrivals.publish(old_key))
    logger.info("Encode replaced", extra={"video": video.public_id, "kind": edition.edition_kind})
    return True


def _add_track(video: Video, encode: Encode) -> None:
    """Make the audio track of a complete edition a rendition of the video's encode; delete the edition."""
    edition = encode.video
    key = edition.encode_key
    Rendition.objects.filter(video=edition, encode_key=key).update(video=video, encode_key=video.encode_key)
    runs = SegmentRun.objects.filter(video=edition, encode_key=key)
    runs.update(video=video, encode_key=video.encode_key, objects_key=key)
    Video.objects.filter(pk=video.pk).update(audio_version=F("audio_version") + 1)
    # Its segments are those of the kept parts.
    deletion.delete_later(edition.source_key)
    progress.notify_owner(edition, is_ready=True)
    edition.delete()
    video.refresh_from_db()
    loudness.queue_for(Encode.of(video))
    transaction.on_commit(lambda: progress.publish(video))
    logger.info("Audio track added", extra={"video": video.public_id})


def _keep_added_tracks(video: Video, edition: Video, *, is_replaced: bool) -> None:
    """Carry the added audio tracks of a video over to its new encode, as far as they fit that.

    A trim has made its own of them, and the whole ones wait for *Restore the original*.
    """
    kinds, key = Video.EditionKind, edition.encode_key
    whole = _added_rows(video, UNCUT)
    current = _added_rows(video, video.encode_key)
    if edition.edition_kind == kinds.REENCODE:
        _copy_rows(current, key)
        return
    if edition.edition_kind == kinds.TRIM and not video.is_trimmed:
        _copy_rows(current, UNCUT)
        return
    if edition.edition_kind == kinds.RESTORE:
        _copy_rows(whole, key)
    kept = set() if is_replaced else {run.objects_key for run in whole if isinstance(run, SegmentRun)}
    # Players may hold the old playlists, and after that the URLs of their segments.
    kept_for = 2 * (storage.lifetime(video.duration_s) + storage.SIGNING_WINDOW)
    ended = {run.objects_key for run in [*current, *whole] if isinstance(run, SegmentRun)} - kept
    for objects_key in ended:
        deletion.delete_later(f"{video.prefix}{objects_key}/", after=kept_for)
    if edition.edition_kind != kinds.TRIM:
        for model in (Rendition, SegmentRun):
            model.objects.filter(video=video, encode_key=UNCUT).delete()


def _added_rows(video: Video, encode_key: str) -> list[Rendition | SegmentRun]:
    """Return the added tracks of one encode, with objects of their own: renditions and runs."""
    runs = list(SegmentRun.objects.filter(video=video, encode_key=encode_key).exclude(objects_key=""))
    names = [name for run in runs for name in run.renditions]
    tracks = Rendition.objects.filter(video=video, encode_key=encode_key, is_added=True, name__in=names)
    return [*tracks, *runs]


def _copy_rows(rows: list[Rendition | SegmentRun], encode_key: str) -> None:
    for row in rows:
        row.pk, row.encode_key = None, encode_key
        row.save(force_insert=True)


def _retire(video: Video, *, is_replaced: bool) -> None:
    """Keep the current encode of a video for the players that have its playlist."""
    retired = RetiredEncode(
        video=video,
        encode_key=video.encode_key,
        duration_s=video.duration_s,
        storyboard_key=video.storyboard_key,
        source_key=video.source_key if is_replaced else "",
    )
    retired.due_at = timezone.now() + retired.signed_for
    retired.save()


def _fields(video: Video, edition: Video, encode: Encode) -> dict[str, Any]:
    """Return the fields of a video that its new encode changes."""
    fields = {
        "encode_key": edition.encode_key,
        "duration_s": round(encode.duration_s, 3),
        "width_px": edition.width_px,
        "height_px": edition.height_px,
        "source_json": edition.source_json,
        "copy_refusal": edition.copy_refusal,
        "kept_parts": None if edition.source_key != video.source_key else video.kept_parts,
        "poster_key": video.poster_key if video.has_own_poster else edition.poster_key,
        # Drawn and measured next.
        "storyboard_key": "",
        "poster_times_s": None,
        "mp4_key": "",
        "mp4_expires_at": None,
    }
    if edition.source_key != video.source_key:
        fields |= {
            "source_key": edition.source_key,
            "source_filename": edition.source_filename,
            "source_size_bytes": edition.source_size_bytes,
            # The audio of the same source stays as loud as it was.
            "loudness": None,
        }
    return fields


def _renew_captions(video: Video) -> None:
    """Delete the captions that were made of the old source, and request those of the new one."""
    outdated = video.captions.filter(origin__in=_OF_SOURCE)
    for track in outdated:
        deletion.delete_later(track.key)
    outdated.delete()
    transcriptions.cancel(video)
    embedded_captions.queue_for(video)
    transcriptions.request_for_upload(video)
