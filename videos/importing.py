"""Import of a video by its address: a worker streams the file into storage, then the encode begins.

The address was named by a stranger: :mod:`common.safe_http` connects to public hosts
only.  A killed worker begins anew, under a key of its own attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Channel
from common import deletion, storage
from common.safe_http import Download, FetchError, fetch
from videos import ends, progress, queue, room
from videos.leases import LeaseKeeper, lease_kept
from videos.models import Job, UploadCharge, Video
from videos.publishing import LeaseLost
from videos.transcoding.errors import FetchFailed, FetchRefused, LimitsExceeded, NoRoomToStore

logger = logging.getLogger(__name__)

MAX_IMPORTS = 10  # unfinished ones of one person
MAX_FETCH_S = 6 * 3600.0
PART_BYTES = 16 * 1024**2  # ten thousand of them are more than any upload may have
PROGRESS_EVERY_S = 0.5  # a piece may be a single byte
PERCENTS = 100.0  # the length of a fetch in "seconds", for the progress of its job


def fetch_source(job: Job) -> None:
    """Fetch the file of an import into storage and plan its encode."""
    video = job.video
    key = f"{video.prefix}source-{job.pk}-{job.attempt}"
    try:
        # The thread renews the lease while servers make us wait; a lost lease ends the fetch in _pieces.
        with (
            lease_kept(job),
            fetch(video.import_url, timeout_s=MAX_FETCH_S, allowed=settings.IMPORT_NETWORKS) as download,
        ):
            _check_size(download.size_bytes or 0)
            _check_disk(download.size_bytes or 0)
            _check_quota(video, download.size_bytes or 0)
            size_bytes = _store(key, _pieces(job, download))
    except FetchError as error:
        raise (FetchRefused if error.is_final else FetchFailed)(str(error)) from error
    try:
        _finish(job, key, size_bytes)
    except (LeaseLost, NoRoomToStore):
        deletion.delete_later(key)
        raise
    progress.publish(video)


def _pieces(job: Job, download: Download) -> Iterator[bytes]:
    """Yield the file in parts, renewing the lease.

    Raises LeaseLost, FetchError, LimitsExceeded and NoRoomToStore.
    """
    keep: Callable[[float], None] = LeaseKeeper(job)
    part, kept_at = bytearray(), float("-inf")
    for piece in download.pieces(256 * 1024):
        _check_size(download.read_bytes)
        if monotonic() - kept_at > PROGRESS_EVERY_S:
            share = download.read_bytes / download.size_bytes if download.size_bytes else 0
            keep(PERCENTS * min(share, 0.99))
            kept_at = monotonic()
        part += piece
        if len(part) >= PART_BYTES:
            _check_disk(len(part))
            _check_quota(job.video, download.read_bytes)
            yield bytes(part)
            part.clear()
    _check_disk(len(part))
    _check_quota(job.video, download.read_bytes)
    yield bytes(part)


def _check_size(size_bytes: int) -> None:
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise LimitsExceeded("import too large", limit="size_bytes", most=settings.MAX_UPLOAD_BYTES)


def _check_disk(size_bytes: int) -> None:
    if not room.has_disk_room(size_bytes):
        raise NoRoomToStore("disk")


def _check_quota(video: Video, size_bytes: int) -> None:
    """Raise NoRoomToStore if a file of this size exceeds the limits of its owner."""
    if not room.has_room_today(video.channel, size_bytes):
        raise NoRoomToStore("day")
    if not room.may_keep(video.channel, size_bytes):
        raise NoRoomToStore("kept")


def _store(key: str, parts: Iterator[bytes]) -> int:
    """Store the parts as one object and return its size; leave nothing behind if that fails."""
    where: dict[str, Any] = {"Bucket": settings.S3_BUCKET, "Key": key}
    client = storage.client()
    multipart_id = client.create_multipart_upload(**where)["UploadId"]
    size_bytes, joined = 0, []  # type: int, list[Any]
    try:
        for number, part in enumerate(parts, 1):
            answer = client.upload_part(**where, UploadId=multipart_id, PartNumber=number, Body=part)
            joined.append({"PartNumber": number, "ETag": answer["ETag"]})
            size_bytes += len(part)
        client.complete_multipart_upload(**where, UploadId=multipart_id, MultipartUpload={"Parts": joined})
    except BaseException:
        # Also on a lost lease or a signal: parts of an unfinished upload are kept for good otherwise.
        storage.abort_multipart(key, multipart_id)
        raise
    return size_bytes


@transaction.atomic
def _finish(job: Job, key: str, size_bytes: int) -> None:
    """Record the source, charge its owner and queue the plan.  Raises LeaseLost and NoRoomToStore."""
    video = job.video
    # One file of a person at a time, so that two imports at once cannot exceed the limits.
    Channel.objects.select_for_update().filter(pk=video.channel_id).first()
    _check_quota(video, size_bytes)
    ends.finish_row(job)
    Job.objects.filter(pk=job.pk).update(length_s=0)  # the encode's progress begins at 0
    current = Video.objects.filter(pk=video.pk, encode_key=job.encode_key)
    if not current.update(source_key=key, source_size_bytes=size_bytes, import_url=""):
        raise LeaseLost
    UploadCharge.objects.create(channel=video.channel, size_bytes=size_bytes)
    Job.objects.create(video=video, encode_key=video.encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.FIRST)
    transaction.on_commit(lambda: queue.wake(Job.Lane.FIRST))


def has_free_import(channel: Channel) -> bool:
    """Return whether a channel may begin another import; lock the channel before."""
    fetching = Video.objects.filter(channel=channel, status=Video.Status.PROCESSING)
    return fetching.exclude(import_url="").count() < MAX_IMPORTS


def queue_fetch(video: Video) -> None:
    """Have a worker fetch the file; inside a transaction."""
    Job.objects.create(
        video=video,
        encode_key=video.encode_key,
        kind=Job.Kind.FETCH,
        lane=Job.Lane.BULK,
        length_s=PERCENTS,
    )
    transaction.on_commit(lambda: queue.wake(Job.Lane.BULK))
