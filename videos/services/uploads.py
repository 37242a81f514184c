"""Uploads go from the browser straight to S3: we sign the parts and never carry the bytes.

The multipart upload that S3 keeps is the truth about what has arrived, so an
upload can be resumed from another tab, another day, or after we were restarted.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from botocore.exceptions import ClientError
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts import moderation
from accounts.models import Channel
from videoplatform import storage
from videos import progress, queue
from videos.cleaning import abort_multipart, doom
from videos.models import Category, Job, Upload, Video
from videos.services.editing import set_tags
from videos.services.errors import (
    EnoughForToday,
    MayNotUpload,
    NotUploading,
    PartsMissing,
    StorageUnavailable,
    TooManyUploads,
    UploadTooLarge,
)
from videos.tasks import empty_doomed_prefixes

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1024 * 1024
MIN_PART_BYTES = 8 * MIB  # S3 demands 5 MiB; fewer parts mean fewer requests
MAX_PARTS = 10_000  # S3's own limit
MAX_OPEN_UPLOADS = 50

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UploadedPart:
    number: int
    etag: str
    size_bytes: int


def _needs_storage(service: Callable[P, T]) -> Callable[P, T]:
    """Turn an unreachable or refusing S3 into a sentence that says to try again."""

    @wraps(service)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return service(*args, **kwargs)
        except storage.StorageError as error:
            raise StorageUnavailable from error

    return guarded


# --- Starting -------------------------------------------------------------------


@_needs_storage
def start_upload(
    *,
    channel: Channel,
    title: str,
    filename: str,
    size_bytes: int,
    description: str = "",
    tags: Sequence[str] = (),
    category: str = Category.OTHER,
    visibility: str = Video.Visibility.PUBLIC,
    comments_mode: str = Video.CommentsMode.OPEN,
) -> Upload:
    """Open a multipart upload for a new video of ``channel``."""
    _check(channel, size_bytes)
    video = Video(
        channel=channel,
        title=title,
        description=description,
        category=category,
        visibility=visibility,
        comments_mode=comments_mode,
        source_filename=neutral_filename(filename),
        source_size_bytes=size_bytes,
    )
    video.source_key = f"{video.prefix}source"
    # Outside the transaction: SQLite's one writer must not wait for the network.
    opened = storage.client().create_multipart_upload(
        Bucket=settings.S3_BUCKET, Key=video.source_key, ContentType="application/octet-stream"
    )
    part_size_bytes = part_size(size_bytes)
    with transaction.atomic():
        video.save()
        set_tags(video, tags)
        return Upload.objects.create(
            video=video,
            multipart_id=opened["UploadId"],
            size_bytes=size_bytes,
            part_size_bytes=part_size_bytes,
            # S3 joins no nothing: an empty file is one empty part, and fails like any
            # other file that is no video.
            part_count=max(1, math.ceil(size_bytes / part_size_bytes)),
            expires_at=timezone.now() + settings.UPLOAD_LIFETIME,
        )


def _check(channel: Channel, size_bytes: int) -> None:
    if not moderation.may_speak(channel.owner):
        raise MayNotUpload
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise UploadTooLarge(attr="size_bytes")
    if Upload.objects.filter(video__channel=channel).count() >= MAX_OPEN_UPLOADS:
        raise TooManyUploads
    if settings.RATE_LIMITS and _bytes_of_a_day(channel) + size_bytes > settings.MAX_UPLOAD_BYTES_PER_DAY:
        raise EnoughForToday


def _bytes_of_a_day(channel: Channel) -> int:
    """What a channel began to send in the last 24 hours, and still has."""
    since = timezone.now() - timedelta(days=1)
    recent = Video.objects.filter(channel=channel, created_at__gte=since)
    return int(recent.aggregate(sent=Sum("source_size_bytes"))["sent"] or 0)


def part_size(size_bytes: int) -> int:
    """Bytes of a part: whole MiB, as small as 10,000 parts allow, at least 8 MiB."""
    needed = math.ceil(size_bytes / MAX_PARTS / MIB) * MIB
    return max(MIN_PART_BYTES, needed)


def neutral_filename(filename: str) -> str:
    """The name a person gave, as a label only: it never becomes a path, a key, or an argument."""
    name = unicodedata.normalize("NFC", filename).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(" " if _is_control(letter) else letter for letter in name).strip()
    return name[:120] + name[120:][-16:] if len(name) > 136 else name


def _is_control(letter: str) -> bool:
    """Whether a letter moves others about instead of being seen; emoji and Persian need their joiners."""
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in "\u200c\u200d"


# --- Parts ----------------------------------------------------------------------


def keep_open(upload: Upload) -> Upload:
    """Let an upload whose parts still arrive live on: its lifetime counts from the last sign of life."""
    upload.expires_at = timezone.now() + settings.UPLOAD_LIFETIME
    upload.save(update_fields=["expires_at"])
    return upload


def presign_parts(upload: Upload, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """URLs to PUT the parts ``numbers`` (from 1) to, ``[{"number", "url"}]``."""
    wanted = [number for number in numbers if 1 <= number <= upload.part_count]
    # Signed for the address browsers use: the signature covers the host.
    s3 = storage.client(storage.public_base())
    return [{"number": number, "url": _part_url(s3, upload, number)} for number in wanted]


def _part_url(s3: Any, upload: Upload, number: int) -> str:
    remaining: timedelta = upload.expires_at - timezone.now()
    url: str = s3.generate_presigned_url(
        "upload_part",
        Params={
            "Bucket": settings.S3_BUCKET,
            "Key": upload.video.source_key,
            "UploadId": upload.multipart_id,
            "PartNumber": number,
        },
        ExpiresIn=max(60, int(remaining.total_seconds())),
    )
    return url


@_needs_storage
def uploaded_parts(upload: Upload) -> list[UploadedPart]:
    """What S3 has of an upload, by number."""
    paginator = storage.client().get_paginator("list_parts")
    try:
        pages = list(
            paginator.paginate(
                Bucket=settings.S3_BUCKET, Key=upload.video.source_key, UploadId=upload.multipart_id
            )
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchUpload":
            raise NotUploading from error
        raise
    return [
        UploadedPart(part["PartNumber"], part["ETag"].strip('"'), part["Size"])
        for page in pages
        for part in page.get("Parts", [])
    ]


# --- Ends -----------------------------------------------------------------------


def finish_upload(upload: Upload, *, parts: Sequence[dict[str, Any]]) -> Video:
    """Join the parts and hand the source to the workers; safe to repeat after a lost answer."""
    _check_parts(upload, parts)
    _join(upload, parts)
    video = upload.video
    with transaction.atomic():
        if not video.transition(Video.Status.PROCESSING):
            raise NotUploading
        Job.objects.create(video=video, encode_key=video.encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.FIRST)
        Upload.objects.filter(pk=upload.pk).delete()
        transaction.on_commit(lambda: queue.wake(Job.Lane.FIRST))
    progress.announce(video)
    return video


def _check_parts(upload: Upload, parts: Sequence[dict[str, Any]]) -> None:
    numbers = sorted(part["number"] for part in parts)
    if numbers != list(range(1, upload.part_count + 1)):
        raise PartsMissing(attr="parts")


@_needs_storage
def _join(upload: Upload, parts: Sequence[dict[str, Any]]) -> None:
    """Complete the multipart upload; one that an earlier, lost answer completed already is fine.

    Sizes are compared before, while missing or wrong parts can still be sent.
    """
    key = upload.video.source_key
    try:
        arrived = {part.number: part.size_bytes for part in uploaded_parts(upload)}
    except NotUploading:
        if storage.size_of(key) == upload.size_bytes:
            return
        raise
    numbers = range(1, upload.part_count + 1)
    if any(arrived.get(number) != upload.part_size(number) for number in numbers):
        raise PartsMissing(attr="parts")
    in_order = sorted(parts, key=lambda part: int(part["number"]))
    try:
        storage.client().complete_multipart_upload(
            Bucket=settings.S3_BUCKET,
            Key=key,
            UploadId=upload.multipart_id,
            MultipartUpload={
                "Parts": [{"PartNumber": part["number"], "ETag": part["etag"]} for part in in_order]
            },
        )
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"InvalidPart", "InvalidPartOrder", "EntityTooSmall"}:
            raise PartsMissing(attr="parts") from error
        if storage.size_of(key) != upload.size_bytes:
            raise


@_needs_storage
def abort_upload(upload: Upload) -> None:
    """Give up an upload: its parts are freed, its video never was."""
    abort_multipart(upload)
    with transaction.atomic():
        doom(upload.video.prefix)
        upload.video.delete()
        transaction.on_commit(lambda: empty_doomed_prefixes.delay())
