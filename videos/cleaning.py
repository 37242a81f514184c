"""What nobody needs any more: abandoned uploads, objects of deleted videos, folders of killed workers."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from time import time

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from videoplatform import storage
from videos.models import DoomedPrefix, Upload, Video

logger = logging.getLogger(__name__)

WORK_FOLDER_MAX_AGE_S = 3 * 24 * 3600  # longer than any encode may take
PASSES_AT_ONCE = 200


def doom(prefix: str) -> None:
    """Have what lies under ``prefix`` deleted, soon and again when no late worker can still write there."""
    last_pass_at = timezone.now() + timedelta(seconds=3 * settings.ENCODE_LEASE_S)
    DoomedPrefix.objects.create(prefix=prefix, last_pass_at=last_pass_at)


def clean_up() -> None:
    """Everything that waits to be cleaned; run every few minutes."""
    abandon_expired_uploads()
    empty_doomed_prefixes()
    remove_old_work_folders()


def abandon_expired_uploads() -> None:
    expired = Upload.objects.filter(expires_at__lt=timezone.now()).select_related("video")
    for upload in expired[:PASSES_AT_ONCE]:
        # The row first: an upload that its owner completes at this moment is no
        # longer uploading, and nothing of it may be touched.
        with transaction.atomic():
            abandoned = Video.objects.filter(pk=upload.video_id, status=Video.Status.UPLOADING)
            if not abandoned.delete()[0]:
                continue
            doom(upload.video.prefix)
        try:
            abort_multipart(upload)
        except storage.StorageError:
            # The bucket's lifecycle rule frees the parts in its time.
            logger.warning(
                "Parts of an abandoned upload stay for now", extra={"video": upload.video.public_id}
            )
        logger.info("Abandoned upload removed", extra={"video": upload.video.public_id})


def abort_multipart(upload: Upload) -> None:
    """Give back the parts of an upload; one that S3 has forgotten is fine."""
    try:
        storage.client().abort_multipart_upload(
            Bucket=settings.S3_BUCKET, Key=upload.video.source_key, UploadId=upload.multipart_id
        )
    except storage.ClientError as error:
        if error.response.get("Error", {}).get("Code") not in {"NoSuchUpload", "404"}:
            raise


def empty_doomed_prefixes() -> None:
    """Delete what lies under doomed prefixes; forget a prefix after its last pass."""
    for doomed in DoomedPrefix.objects.order_by("pk")[:PASSES_AT_ONCE]:
        is_last_pass = doomed.last_pass_at <= timezone.now()
        try:
            storage.delete_prefix(doomed.prefix)
        except storage.StorageError:
            logger.warning("Doomed objects stay for now", extra={"prefix": doomed.prefix})
            continue
        if is_last_pass:
            doomed.delete()


def remove_old_work_folders() -> None:
    """A worker that was killed could not remove its folder."""
    for folder in (settings.DATA_DIR / "work").glob("*"):
        try:
            is_old = folder.stat().st_mtime < time() - WORK_FOLDER_MAX_AGE_S
        except FileNotFoundError:
            continue  # its worker was faster
        if is_old:
            shutil.rmtree(folder, ignore_errors=True)
