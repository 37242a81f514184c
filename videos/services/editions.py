"""New versions of a video: another encode of its source, or of another file.

The video stays watchable meanwhile, and as it is if the new version fails or is cancelled;
``videos.editions`` describes the take-over.
"""

from __future__ import annotations

import logging

from django.db import transaction

from accounts.models import Channel
from common import storage
from videos import progress, queue
from videos.cleaning import delete_with_objects
from videos.importing import queue_fetch
from videos.models import Job, Upload, UploadCharge, Video
from videos.services.editing import cancel_encode, retry_video
from videos.services.errors import CannotRetry, EditionRuns, NoEdition, NoOriginal, NotReadyYet
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

logger = logging.getLogger(__name__)


@needs_storage
def reencode(video: Video, *, counts: bool = True) -> Video:
    """Encode the source of a ready video again, with the ladder of today; return the edition.

    It costs what an upload of the source costs, and counts as one unless a moderator asks
    for it (``counts``).  Raises NotReadyYet, EditionRuns, NoOriginal, StorageUnavailable,
    StorageFull and the refusals of ``check_quota``.
    """
    if not video.source_key or storage.size_of(video.source_key) is None:
        raise NoOriginal
    check_disk(video.source_size_bytes)
    with transaction.atomic():
        if counts:
            Channel.objects.select_for_update().get(pk=video.channel_id)
            check_quota(video.channel, video.source_size_bytes)
            UploadCharge.objects.create(channel=video.channel, size_bytes=video.source_size_bytes)
        edition = Video(
            edition_kind=Video.EditionKind.REENCODE,
            status=Video.Status.PROCESSING,
            source_key=video.source_key,
            source_filename=video.source_filename,
            source_size_bytes=video.source_size_bytes,
            copy_refusal=video.copy_refusal,
        )
        _begin(video, edition)
        job = Job(video=edition, encode_key=edition.encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.BULK)
        job.save()
        transaction.on_commit(lambda: queue.wake(Job.Lane.BULK))
    progress.publish(video)
    return edition


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
        _begin(video, edition)
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
        _begin(video, edition)
        queue_fetch(edition)
    return edition


def _begin(video: Video, edition: Video) -> None:
    """Save a new edition of ``video``, in the caller's transaction; one that failed gives way to it."""
    ready = Video.objects.select_for_update().filter(pk=video.pk, status=Video.Status.READY)
    if not ready.exists():
        raise NotReadyYet
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
