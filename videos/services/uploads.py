"""Uploads from the browser directly to S3: the site signs the parts and never carries the bytes.

The multipart upload in S3 is the source of truth about arrived parts, so an upload
can be resumed from another tab, on another day, or after a restart of the site.
"""

from __future__ import annotations

import logging
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from botocore.exceptions import ClientError
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import moderation, sign_up
from accounts.errors import EmailNotConfirmed
from accounts.models import Channel
from common import storage
from common.templatetags import human
from common.words import composed
from videos import progress, queue, room, transcriptions
from videos.cleaning import delete_with_objects
from videos.models import (
    MAX_DESCRIPTION,
    MAX_TITLE,
    Job,
    Upload,
    UploadCharge,
    Video,
    VideoDefaults,
)
from videos.services.access import check_has_password, password_fields
from videos.services.errors import (
    EnoughForToday,
    MayNotUpload,
    NoRoomLeft,
    NotUploading,
    PartsMissing,
    StorageFull,
    StorageUnavailable,
    TooManyUploads,
    UploadTooLarge,
    WrongSize,
)
from videos.tagging import set_tags

if TYPE_CHECKING:
    from collections.abc import Callable


logger = logging.getLogger(__name__)

MIB = 1024 * 1024
MIN_PART_BYTES = 8 * MIB  # S3 demands 5 MiB; fewer parts mean fewer requests
MAX_PARTS = 10_000  # S3's own limit
MAX_OPEN_UPLOADS = 50
MAX_AGE = timedelta(days=7)  # the bucket's lifecycle rule frees the parts of older ones
ROWS_AT_ONCE = 50  # per sweep
# S3 may take long to join parts; until then, the sweep leaves the upload to its request.
COMPLETING_FOR = timedelta(minutes=2)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UploadedPart:
    number: int
    etag: str
    size_bytes: int


def needs_storage(service: Callable[P, T]) -> Callable[P, T]:
    """Make ``service`` raise StorageUnavailable if S3 is unreachable or refuses."""

    @wraps(service)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return service(*args, **kwargs)
        except storage.StorageError as error:
            raise StorageUnavailable from error

    return guarded


@needs_storage
def start_upload(
    *,
    channel: Channel,
    title: str,
    filename: str,
    size_bytes: int,
    description: str = "",
    tags: Sequence[str] = (),
    category: str | None = None,
    visibility: str | None = None,
    comments_mode: str | None = None,
    password: str = "",
) -> Upload:
    """Open a multipart upload for a new video of ``channel``, whose defaults fill the settings left out.

    The rows are written first.  If the process is killed before S3 answers, they
    expire, and the clean-up frees the multipart upload in S3.
    """
    check_may_upload(channel, size_bytes)
    defaults = VideoDefaults.of(channel)
    audience = defaults.audience | ({"comments_mode": comments_mode} if comments_mode else {})
    video = Video(
        channel=channel,
        title=composed(title, MAX_TITLE),
        description=composed(description, MAX_DESCRIPTION),
        category=category or defaults.category,
        visibility=visibility or defaults.visibility,
        **audience,
        source_filename=neutral_filename(filename),
        source_size_bytes=size_bytes,
    )
    for name, value in (password_fields(password) if password else {}).items():
        setattr(video, name, value)
    check_has_password(video)
    video.source_key = f"{video.prefix}source"
    with transaction.atomic():
        # A person's uploads start one at a time, so that two at once cannot exceed the limits.
        Channel.objects.select_for_update().get(pk=channel.pk)
        check_quota(channel, size_bytes)
        video.save()
        set_tags(video, tags)
        upload = create_upload(video)
    open_multipart(upload)
    return upload


def check_may_upload(channel: Channel, size_bytes: int) -> None:
    """Raise a refusal if the owner of a channel may not upload a file of this size."""
    if not moderation.may_speak(channel.owner):
        raise MayNotUpload
    if not sign_up.may_take_part(channel.owner):
        raise EmailNotConfirmed
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise UploadTooLarge(attr="size_bytes")
    check_disk(size_bytes)


def create_upload(video: Video) -> Upload:
    """Create the row of the upload of a saved video or edition, and charge its owner."""
    size_bytes = video.source_size_bytes
    part_size_bytes = part_size(size_bytes)
    return Upload.objects.create(
        video=video,
        charge=UploadCharge.objects.create(channel=video.channel, size_bytes=size_bytes),
        size_bytes=size_bytes,
        part_size_bytes=part_size_bytes,
        # S3 cannot join zero parts: an empty file is one empty part, and fails later
        # like any other file that is not a video.
        part_count=max(1, math.ceil(size_bytes / part_size_bytes)),
        expires_at=timezone.now() + settings.UPLOAD_LIFETIME,
    )


def open_multipart(upload: Upload) -> None:
    """Open the multipart upload in S3, or delete the rows if S3 fails."""
    try:
        opened = storage.client().create_multipart_upload(
            Bucket=settings.S3_BUCKET, Key=upload.video.source_key, ContentType="application/octet-stream"
        )
    except storage.StorageError:
        _refund(upload, sent_bytes=0)
        delete_with_objects(upload.video)
        raise
    upload.multipart_id = opened["UploadId"]
    if not Upload.objects.filter(pk=upload.pk).update(multipart_id=upload.multipart_id):
        # Deleted meanwhile, by a moderator for example.
        storage.abort_multipart(upload.video.source_key, upload.multipart_id)
        raise NotUploading


def check_disk(size_bytes: int) -> None:
    """Raise StorageFull if the disk of our own S3 server has no room for ``size_bytes``.

    The check runs for the whole file at the start, and again for the parts that are signed.
    """
    if not room.has_disk_room(size_bytes):
        raise StorageFull


def check_quota(channel: Channel, size_bytes: int) -> None:
    """Raise a refusal if a file of this size exceeds the limits of a channel; lock the channel before."""
    if Upload.objects.filter(video__channel=channel).count() >= MAX_OPEN_UPLOADS:
        raise TooManyUploads
    if not room.has_room_today(channel, size_bytes):
        raise EnoughForToday
    if not room.may_keep(channel, size_bytes):
        raise NoRoomLeft(
            _("You are using %(kept)s of %(most)s, and this file is %(size)s. Delete some videos first.")
            % {
                "kept": human.size(room.kept_bytes(channel)),
                "most": human.size(settings.MAX_BYTES_KEPT_PER_PERSON),
                "size": human.size(size_bytes),
            },
            attr="size_bytes",
        )


def _refund(upload: Upload, *, sent_bytes: int) -> None:
    """Reduce the charge of an upload that ends early to the bytes that were sent."""
    UploadCharge.objects.filter(upload=upload).update(size_bytes=min(sent_bytes, upload.size_bytes))


def part_size(size_bytes: int) -> int:
    """Return the size of a part: whole MiB, as small as 10,000 parts allow, at least 8 MiB."""
    needed = math.ceil(size_bytes / MAX_PARTS / MIB) * MIB
    return max(MIN_PART_BYTES, needed)


def neutral_filename(filename: str) -> str:
    """Return ``filename`` as a label, without folders and control characters.

    It never becomes a path, a key or an argument.
    """
    name = unicodedata.normalize("NFC", filename).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(" " if _is_control(letter) else letter for letter in name).strip()
    return name[:120] + name[120:][-16:] if len(name) > 136 else name


def _is_control(letter: str) -> bool:
    """Return whether a character is an invisible control; emoji and Persian need their joiners."""
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in "\u200c\u200d"


def keep_open(upload: Upload) -> Upload:
    """Extend the lifetime of an upload while its parts arrive, up to ``MAX_AGE`` after its start."""
    upload.expires_at = min(timezone.now() + settings.UPLOAD_LIFETIME, upload.created_at + MAX_AGE)
    upload.save(update_fields=["expires_at"])
    return upload


def presign_parts(upload: Upload, numbers: Sequence[int], md5s: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return URLs for a PUT of the parts ``numbers`` (from 1), as ``[{"number", "url"}]``.

    Each URL is signed with the exact length of its part and with its checksum, if
    ``md5s`` lists checksums in the same order.  Numbers beyond the last part are skipped.
    """
    if not upload.multipart_id:
        raise NotUploading
    wanted = [
        (n, md5) for n, md5 in zip(numbers, md5s or [""] * len(numbers), strict=True) if n in upload.numbers
    ]
    check_disk(sum(upload.part_size(number) for number, _md5 in wanted))
    expires = max(timedelta(minutes=1), upload.expires_at - timezone.now())
    return [
        {
            "number": number,
            "url": storage.part_url(
                upload.video.source_key,
                upload.multipart_id,
                number,
                size_bytes=upload.part_size(number),
                expires=expires,
                md5=md5,
            ),
        }
        for number, md5 in wanted
    ]


@needs_storage
def uploaded_parts(upload: Upload) -> list[UploadedPart]:
    """Return the parts of an upload that S3 holds, in the order of their numbers."""
    if not upload.multipart_id:
        raise NotUploading
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


def finish_upload(upload: Upload, *, parts: Sequence[dict[str, Any]]) -> Video:
    """Join the parts and queue the source for the workers; safe to repeat if a call was cut short.

    Raises PartsMissing while parts can still be sent.  A part of an unexpected size
    ends the upload with WrongSize.
    """
    numbers = sorted(part["number"] for part in parts)
    if numbers != list(upload.numbers):
        raise PartsMissing(attr="parts")
    try:
        _join(upload, {part["number"]: part["etag"] for part in parts})
    except WrongSize:
        abort_upload(upload)
        raise
    return _queue_plan(upload)


def finish_interrupted_uploads() -> None:
    """Complete uploads that a killed process or a storage outage interrupted while parts were joined."""
    long_ago = timezone.now() - COMPLETING_FOR
    interrupted = Upload.objects.filter(completing_at__lt=long_ago).select_related("video__channel")
    for upload in interrupted.order_by("completing_at")[:ROWS_AT_ONCE]:
        log = {"video": upload.video.public_id}
        try:
            _join(upload, etags=None)
            _queue_plan(upload)
        except StorageUnavailable:
            # The next sweep tries it after the others.
            Upload.objects.filter(pk=upload.pk).update(completing_at=timezone.now() - COMPLETING_FOR)
            logger.warning("Upload completed later: the storage does not answer", extra=log)
        except WrongSize:
            abort_upload(upload)
            logger.warning("Upload ended: size differs from the declared size", extra=log)
        except (PartsMissing, NotUploading) as error:
            Upload.objects.filter(pk=upload.pk).update(completing_at=None)
            logger.warning("Upload stays open", extra=log | {"reason": error.code})
        else:
            logger.info("Upload completed by a sweep", extra=log)


@needs_storage
def _join(upload: Upload, etags: dict[int, str] | None) -> None:
    """Have S3 join the parts after a check of their sizes; return if they are already joined.

    ``etags`` are the client's, by part number; without them, S3's own are used.
    """
    key = upload.video.source_key
    try:
        arrived = {part.number: part for part in uploaded_parts(upload)}
    except NotUploading:
        # An earlier request joined the parts, but was killed or its answer was lost.
        _check_joined(upload)
        return
    _check_sizes(upload, arrived)
    Upload.objects.filter(pk=upload.pk).update(completing_at=timezone.now())
    joined = [
        {"PartNumber": number, "ETag": etags[number] if etags else arrived[number].etag}
        for number in upload.numbers
    ]
    try:
        storage.client().complete_multipart_upload(
            Bucket=settings.S3_BUCKET,
            Key=key,
            UploadId=upload.multipart_id,
            MultipartUpload={"Parts": joined},  # type: ignore[typeddict-item]
        )
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"InvalidPart", "InvalidPartOrder", "EntityTooSmall"}:
            Upload.objects.filter(pk=upload.pk).update(completing_at=None)
            raise PartsMissing(attr="parts") from error
        if code != "NoSuchUpload":
            raise
    _check_joined(upload)


def _check_sizes(upload: Upload, arrived: dict[int, UploadedPart]) -> None:
    """Raise PartsMissing if parts are missing, WrongSize if one has an unexpected size or is surplus."""
    missing = False
    for number in upload.numbers:
        if number not in arrived:
            missing = True
        elif arrived[number].size_bytes != upload.part_size(number):
            raise WrongSize
    if missing:
        raise PartsMissing(attr="parts")
    if len(arrived) > upload.part_count:
        raise WrongSize


def _check_joined(upload: Upload) -> None:
    """Raise NotUploading if the object does not exist, WrongSize if it is not of the declared size."""
    size_bytes = storage.size_of(upload.video.source_key)
    if size_bytes is None:
        raise NotUploading
    if size_bytes != upload.size_bytes:
        raise WrongSize


def _queue_plan(upload: Upload) -> Video:
    """Queue an arrived source for the workers.  Raises NotUploading if another request was faster."""
    video = upload.video
    with transaction.atomic():
        if not video.transition(Video.Status.PROCESSING):
            raise NotUploading
        Job.objects.create(video=video, encode_key=video.encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.FIRST)
        Upload.objects.filter(pk=upload.pk).delete()
        if video.edition_of_id is None:
            transcriptions.request_for_upload(video)
        transaction.on_commit(lambda: queue.wake(Job.Lane.FIRST))
    progress.publish(video)
    return video


def abort_upload(upload: Upload) -> None:
    """Abort an upload; its parts are freed once storage answers."""
    try:
        _refund(upload, sent_bytes=sum(part.size_bytes for part in uploaded_parts(upload)))
    except (StorageUnavailable, NotUploading):
        logger.info("Aborted upload charged at its full size", extra={"video": upload.video.public_id})
    delete_with_objects(upload.video)
