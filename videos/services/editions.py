"""New versions of a video: another encode of its source, or of another file, or of parts of it.

The video stays watchable meanwhile, and as it is if the new version fails or is cancelled;
``videos.editions`` describes the take-over.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Sum

from accounts.models import Channel
from common import storage
from videos import progress, queue
from videos.cleaning import delete_with_objects
from videos.importing import queue_fetch
from videos.models import Job, SegmentRun, Upload, UploadCharge, Video
from videos.services.editing import cancel_encode, retry_video
from videos.services.errors import (
    BadParts,
    CannotRetry,
    CannotTrim,
    EditionRuns,
    IsTrimmed,
    NoEdition,
    NoOriginal,
    NothingCut,
    NotReadyYet,
    NotTrimmed,
    TooManyTrims,
    UnderModeration,
    VersionChanged,
)
from videos.services.imports import check_import_quota, check_may_import, filename_of
from videos.services.uploads import (
    abort_upload,
    check_disk,
    check_may_upload,
    check_quota,
    create_upload,
    needs_storage,
    neutral_filename,
    open_multipart,
)
from videos.transcoding.timeline import KeptParts

logger = logging.getLogger(__name__)

MAX_PARTS = 50
MIN_PART_S = 0.1
MIN_KEPT_S = 1.0
# Each trim adds parameter sets to the init segments, which hold at most 31.
MAX_TRIMS = 25


@needs_storage
def reencode(video: Video, *, counts: bool = True) -> Video:
    """Encode the source of a ready video again, with the ladder of today; return the edition.

    It costs as much as an upload of the source, and counts as one unless a moderator asks
    for it (``counts``).  Raises NotReadyYet, EditionRuns, NoOriginal, StorageUnavailable,
    StorageFull, IsTrimmed and the refusals of ``check_quota``.
    """
    if video.is_trimmed:
        # The parts that were cut would come back.
        raise IsTrimmed
    return _encode_again(video, Video.EditionKind.REENCODE, counts=counts)


@needs_storage
def restore_original(video: Video) -> Video:
    """Encode the whole source of a trimmed video again; return the edition.

    Everything with a time moves back.  Raises NotTrimmed and the refusals of ``reencode``.
    """
    if not video.is_trimmed:
        raise NotTrimmed
    return _encode_again(video, Video.EditionKind.RESTORE, counts=True)


def _encode_again(video: Video, kind: Video.EditionKind, *, counts: bool) -> Video:
    if not video.source_key or storage.size_of(video.source_key) is None:
        raise NoOriginal
    check_disk(video.source_size_bytes)
    with transaction.atomic():
        if counts:
            Channel.objects.select_for_update().get(pk=video.channel_id)
            check_quota(video.channel, video.source_size_bytes)
            UploadCharge.objects.create(channel=video.channel, size_bytes=video.source_size_bytes)
        edition = Video(
            edition_kind=kind,
            status=Video.Status.PROCESSING,
            source_key=video.source_key,
            source_filename=video.source_filename,
            source_size_bytes=video.source_size_bytes,
            copy_refusal=video.copy_refusal,
        )
        begin_edition(video, edition)
        _queue_plan(edition)
    progress.publish(video)
    return edition


def _queue_plan(edition: Video) -> None:
    """Queue the plan of an edition that nobody waits for: the video plays meanwhile."""
    Job.objects.create(video=edition, encode_key=edition.encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.BULK)
    transaction.on_commit(lambda: queue.wake(Job.Lane.BULK))


@needs_storage
def trim(video: Video, *, parts: Sequence[Sequence[float]], encode_key: str = "") -> Video:
    """Cut a ready video down to ``parts``, pairs of start and end in seconds; return the edition.

    It counts as an upload of the kept parts.  ``encode_key`` is that of the encode to which the
    times belong.  Raises CannotTrim, UnderModeration, BadParts, NothingCut, TooManyTrims,
    NotReadyYet, VersionChanged, EditionRuns, StorageFull and the refusals of ``check_quota``.
    """
    if encode_key and encode_key != video.encode_key:
        raise VersionChanged
    if video.is_recording:
        raise CannotTrim
    if video.withheld:
        raise UnderModeration
    if video.status != Video.Status.READY or not video.duration_s:
        raise NotReadyYet
    kept = _checked_parts(video.duration_s, parts)
    restored = video.timeline_changes.filter(is_restored=True).order_by("-pk").first()
    if video.timeline_changes.filter(pk__gt=restored.pk if restored else 0).count() >= MAX_TRIMS:
        raise TooManyTrims
    stored = SegmentRun.objects.of(video).aggregate(total=Sum("bytes_stored"))["total"] or 0
    size_bytes = int(stored * kept.duration_s / video.duration_s)
    check_disk(size_bytes)
    with transaction.atomic():
        Channel.objects.select_for_update().get(pk=video.channel_id)
        check_quota(video.channel, size_bytes)
        UploadCharge.objects.create(channel=video.channel, size_bytes=size_bytes)
        edition = Video(
            edition_kind=Video.EditionKind.TRIM,
            status=Video.Status.PROCESSING,
            source_key=video.source_key,
            source_filename=video.source_filename,
            source_size_bytes=video.source_size_bytes,
            copy_refusal=video.copy_refusal,
            kept_parts=kept.to_json(),
        )
        begin_edition(video, edition)
        _queue_plan(edition)
    progress.publish(video)
    return edition


def _checked_parts(duration_s: float, parts: Sequence[Sequence[float]]) -> KeptParts:
    """Return the parts within the video.  Raises BadParts and NothingCut."""
    if not 0 < len(parts) <= MAX_PARTS:
        raise BadParts
    try:
        kept = KeptParts.of((start_s, min(end_s, duration_s)) for start_s, end_s in parts)
    except (ValueError, TypeError, OverflowError):
        raise BadParts from None
    if kept.duration_s < MIN_KEPT_S or any(end_s - start_s < MIN_PART_S for start_s, end_s in kept.parts):
        raise BadParts
    if duration_s - kept.duration_s < MIN_PART_S:
        raise NothingCut
    return kept


@needs_storage
def replace_by_upload(video: Video, *, filename: str, size_bytes: int) -> Upload:
    """Open a multipart upload of a file that replaces that of ``video``, with the limits of any upload.

    Raises NotReadyYet, EditionRuns, NoOriginal and the refusals of ``start_upload``.
    """
    channel = video.channel
    check_may_upload(channel, size_bytes)
    with transaction.atomic():
        Channel.objects.select_for_update().get(pk=channel.pk)
        check_quota(channel, size_bytes)
        edition = Video(
            edition_kind=Video.EditionKind.REPLACEMENT,
            source_filename=neutral_filename(filename),
            source_size_bytes=size_bytes,
        )
        begin_edition(video, edition)
        upload = create_upload(edition)
    open_multipart(upload)
    return upload


def replace_by_import(video: Video, *, url: str) -> Video:
    """Queue the import of a file that replaces that of ``video``; return the edition.

    Raises NotReadyYet, EditionRuns, NoOriginal and the refusals of ``import_video``.
    """
    check_may_import(video.channel, url)
    with transaction.atomic():
        Channel.objects.select_for_update().get(pk=video.channel_id)
        check_import_quota(video.channel)
        edition = Video(
            edition_kind=Video.EditionKind.REPLACEMENT,
            status=Video.Status.PROCESSING,
            source_filename=filename_of(url),
            import_url=url,
        )
        begin_edition(video, edition)
        queue_fetch(edition)
    return edition


def begin_edition(video: Video, edition: Video) -> None:
    """Save a new edition of ``video``, in the caller's transaction; one that failed gives way to it.

    Raises NotReadyYet, VersionChanged, NoOriginal and EditionRuns.
    """
    locked = Video.objects.select_for_update().filter(pk=video.pk, status=Video.Status.READY).first()
    if locked is None:
        raise NotReadyYet
    if locked.encode_key != video.encode_key:
        # The caller has checked the length and the trims of another encode.
        raise VersionChanged
    if video.is_recording:
        raise NoOriginal
    before = Video.objects.filter(edition_of=video).first()
    if before:
        if before.status != Video.Status.FAILED:
            raise EditionRuns
        delete_with_objects(before)
    edition.edition_of, edition.channel, edition.title = video, video.channel, video.title
    edition.visibility = Video.Visibility.PRIVATE
    # Beside the source of the video, which stays until the edition has taken over.
    edition.source_key = edition.source_key or f"{video.prefix}source-{edition.encode_key}"
    edition.save()
    logger.info("Edition begun", extra={"video": video.public_id, "kind": edition.edition_kind})


def edition_of(video: Video) -> Video:
    """Return the edition of ``video``.  Raises NoEdition."""
    edition = Video.objects.select_related("edition_of").filter(edition_of=video).first()
    if edition is None:
        raise NoEdition
    return edition


def cancel_edition(video: Video) -> None:
    """Delete the edition of ``video``, which stays as it is.  Raises NoEdition."""
    edition = edition_of(video)
    upload = Upload.objects.filter(video=edition).first()
    if upload:
        abort_upload(upload)
    else:
        delete_with_objects(edition)
    logger.info("Edition cancelled", extra={"video": video.public_id, "kind": edition.edition_kind})


def stop_encode(video: Video) -> None:
    """Stop the encode of ``video``, or delete its edition.  Raises CannotCancel."""
    if Video.objects.filter(edition_of=video).exists():
        cancel_edition(video)
    else:
        cancel_encode(video)


def retry_edition(video: Video) -> Video:
    """Encode a failed edition again; return it.  Raises NoEdition, CannotRetry and TooManyImports."""
    edition = edition_of(video)
    if not edition.can_retry:
        raise CannotRetry
    return retry_video(edition)
