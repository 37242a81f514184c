"""Files of imports on their way into storage: bounds on each, and one object of many parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts.models import Channel
from common import storage
from videos import room
from videos.models import Video
from videos.transcoding.errors import LimitsExceeded, NoRoomToStore

PART_BYTES = 16 * 1024**2  # ten thousand of them are more than any upload may have


def check_size(size_bytes: int) -> None:
    """Raise LimitsExceeded for a file that is too large for an upload."""
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise LimitsExceeded("import too large", limit="size_bytes", most=settings.MAX_UPLOAD_BYTES)


def check_disk(size_bytes: int) -> None:
    """Raise NoRoomToStore if the disk of our own storage is too full for this file."""
    if not room.has_disk_room(size_bytes):
        raise NoRoomToStore("disk")


def check_quota(video: Video, size_bytes: int) -> None:
    """Raise NoRoomToStore if a file of this size exceeds the limits of its owner."""
    _check_limits(video.channel, size_bytes)


def check_room(channel: Channel, size_bytes: int) -> None:
    """Raise LimitsExceeded or NoRoomToStore for a file that a channel may not store."""
    check_size(size_bytes)
    check_disk(size_bytes)
    _check_limits(channel, size_bytes)


def _check_limits(channel: Channel, size_bytes: int) -> None:
    if not room.has_room_today(channel, size_bytes):
        raise NoRoomToStore("day")
    if not room.may_keep(channel, size_bytes):
        raise NoRoomToStore("kept")


def store(key: str, parts: Iterator[bytes]) -> int:
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


def parts_of(path: Path) -> Iterator[bytes]:
    """Yield a local file in parts."""
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part
