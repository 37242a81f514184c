"""Storage in one private S3 bucket: sources, HLS and images.

Browsers reach it only through presigned URLs (``common.signing``); boto3
does the rest: multipart uploads, writing, deleting.
"""

from __future__ import annotations

import re
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from asgiref.sync import iscoroutinefunction
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError as ClientError
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware
from storages.backends.s3 import S3Storage

from common.signing import session, sign

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from mypy_boto3_s3 import S3Client

StorageError = (BotoCoreError, ClientError)


def is_missing(error: Exception) -> bool:
    """Return whether storage answered that the object does not exist; a missing bucket is another error."""
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") == "NoSuchKey"


SIGNING_WINDOW = timedelta(hours=1)
MIN_LIFETIME = timedelta(hours=6)
MAX_LIFETIME = timedelta(days=7)  # the maximum of SigV4
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

IMMUTABLE = "private, max-age=31536000, immutable"
CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".bin": "application/octet-stream",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".vtt": "text/vtt",
}


_request_origin: ContextVar[str] = ContextVar("request_origin", default="")


def public_base() -> str:
    """Return the endpoint for browsers: ``S3_PUBLIC_URL``, or the request's own host with S3's port.

    The second serves the embedded server, so that a phone which opened
    ``http://192.168.1.5:8000`` loads its segments from ``192.168.1.5`` as well.
    """
    if settings.S3_PUBLIC_URL:
        return str(settings.S3_PUBLIC_URL).rstrip("/")
    endpoint = urlsplit(settings.S3_ENDPOINT_URL or f"https://s3.{settings.S3_REGION}.amazonaws.com")
    requested = urlsplit(_request_origin.get())
    if endpoint.hostname in LOOPBACK and requested.hostname:
        host = f"[{requested.hostname}]" if ":" in requested.hostname else requested.hostname
        return f"{endpoint.scheme}://{host}:{endpoint.port}"
    return urlunsplit(endpoint).rstrip("/")


def public_origin(request: HttpRequest | None = None) -> str:
    """Return scheme, host and port of the bucket for browsers, for a Content-Security-Policy."""
    if request is None:
        base = public_base()
    else:
        with _asked_as(request):
            base = public_base()
    parts = urlsplit(base)
    bucket = f"{settings.S3_BUCKET}." if settings.S3_ADDRESSING_STYLE == "virtual" else ""
    return f"{parts.scheme}://{bucket}{parts.netloc}"


@contextmanager
def _asked_as(request: HttpRequest) -> Iterator[None]:
    """Sign URLs for the host of ``request`` inside the block."""
    token = _request_origin.set(f"{request.scheme}://{request.get_host()}")
    try:
        yield
    finally:
        _request_origin.reset(token)


@sync_and_async_middleware
def request_origin_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Sign every URL of a response for the host of its request."""

    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            with _asked_as(request):
                response: HttpResponseBase = await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        with _asked_as(request):
            response: HttpResponseBase = get_response(request)
        return response

    return answer


def lifetime(duration_s: float | None) -> timedelta:
    """Return the lifetime of issued URLs: twice the video, at least six hours, at most SigV4's week."""
    twice = timedelta(seconds=2 * (duration_s or 0))
    return min(max(MIN_LIFETIME, twice), MAX_LIFETIME - SIGNING_WINDOW)


def window_start(now: datetime) -> datetime:
    """Return the beginning of the signing window that contains ``now``."""
    seconds = int(SIGNING_WINDOW.total_seconds())
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, tz=UTC)


def sign_get(key: str, *, base: str, signed_at: datetime, expires: timedelta) -> str:
    """Return the presigned GET URL of ``key`` for browsers, which reach the service at ``base``."""
    seen_as = settings.S3_SIGNED_URL
    return sign("GET", key, base=base, signed_at=signed_at, expires=expires, seen_as=seen_as)


def media_url(key: str, *, duration_s: float | None = None) -> str:
    """Return a URL for browsers to load ``key``; it stays the same for a whole window."""
    expires = lifetime(duration_s) + SIGNING_WINDOW
    return sign_get(key, base=public_base(), signed_at=window_start(timezone.now()), expires=expires)


def download_url(key: str, *, disposition: str, expires: timedelta) -> str:
    """Return a URL under which browsers save ``key`` with the given Content-Disposition."""
    return sign(
        "GET",
        key,
        base=public_base(),
        signed_at=timezone.now().astimezone(UTC),
        expires=expires,
        # As bytes: a browser must never show a stranger's file as a page of the bucket's host.
        query=(
            ("response-content-disposition", disposition),
            ("response-content-type", "application/octet-stream"),
        ),
        seen_as=settings.S3_SIGNED_URL,
    )


def part_url(
    key: str, multipart_id: str, number: int, *, size_bytes: int, expires: timedelta, md5: str = ""
) -> str:
    """Return the URL to which a browser PUTs part ``number`` of an upload.

    The length is signed, so the storage takes a part of exactly ``size_bytes``:
    browsers send Content-Length of a Blob by themselves.  With ``md5`` (base64) the
    request must carry it as Content-MD5, and the storage compares.
    """
    headers = [("content-length", str(size_bytes)), *([("content-md5", md5)] if md5 else [])]
    return sign(
        "PUT",
        key,
        base=public_base(),
        signed_at=timezone.now().astimezone(UTC),
        expires=min(expires, MAX_LIFETIME),
        query=(("partNumber", str(number)), ("uploadId", multipart_id)),
        headers=headers,
        seen_as=settings.S3_SIGNED_URL,
    )


def internal_url(key: str, *, expires: timedelta = timedelta(hours=24)) -> str:
    """Return a URL for our own FFmpeg to read ``key``."""
    base = settings.S3_ENDPOINT_URL or public_base()
    return sign("GET", key, base=base, signed_at=timezone.now().astimezone(UTC), expires=expires)


class MediaStorage(S3Storage):
    """Default storage of image and file fields, with our client settings and our signed URLs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.client_config = _config(settings.S3_ADDRESSING_STYLE, WEB)

    def url(self, name: str, *_args: Any, **_kwargs: Any) -> str:
        return media_url(name)


@dataclass(frozen=True, slots=True)
class Patience:
    """Timeouts and tries of a client before it reports an outage of the storage."""

    connect_s: float
    read_s: float
    tries: int


WEB = Patience(connect_s=2, read_s=10, tries=2)  # a person waits for the answer
WORKER = Patience(connect_s=3, read_s=60, tries=4)


def _config(addressing_style: str, patience: Patience) -> Config:
    return Config(
        signature_version="s3v4",
        s3={"addressing_style": addressing_style},  # type: ignore[arg-type]  # the settings check it
        connect_timeout=patience.connect_s,
        read_timeout=patience.read_s,
        retries={"mode": "standard", "max_attempts": patience.tries},
        max_pool_connections=32,
        # Many S3 servers do not support checksums in trailers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


_client_lock = threading.Lock()


@lru_cache(maxsize=16)
def _client(
    endpoint: str | None, keys: tuple[str, str, str], region: str, style: str, patience: Patience
) -> S3Client:
    access_key, secret_key, token = keys
    return session().client(
        "s3",
        endpoint_url=endpoint,
        # None selects boto3's default chain, which renews the keys of roles.
        aws_access_key_id=access_key or None,
        aws_secret_access_key=secret_key or None,
        aws_session_token=token or None,
        region_name=region,
        config=_config(style, patience),
    )


def client() -> S3Client:
    """Return the S3 client of this process, with short timeouts during a request.

    Threads may share boto3's clients, but may not create them concurrently.
    """
    patience = WEB if _request_origin.get() else WORKER
    keys = (settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY, settings.S3_SESSION_TOKEN)
    with _client_lock:
        return _client(
            settings.S3_ENDPOINT_URL or None, keys, settings.S3_REGION, settings.S3_ADDRESSING_STYLE, patience
        )


def put_file(key: str, path: Path) -> int:
    """Store a file that will never change; return its size in bytes."""
    with path.open("rb") as body:
        client().put_object(
            Bucket=settings.S3_BUCKET,
            Key=key,
            Body=body,
            ContentType=CONTENT_TYPES[path.suffix],
            CacheControl=IMMUTABLE,
        )
    return path.stat().st_size


def put_bytes(key: str, data: bytes) -> int:
    """Store bytes that will never change; return their number."""
    client().put_object(
        Bucket=settings.S3_BUCKET,
        Key=key,
        Body=data,
        ContentType=CONTENT_TYPES[Path(key).suffix],
        CacheControl=IMMUTABLE,
    )
    return len(data)


def copy(source_key: str, key: str) -> None:
    """Copy an object within the bucket, with its type."""
    source: Any = {"Bucket": settings.S3_BUCKET, "Key": source_key}
    client().copy_object(Bucket=settings.S3_BUCKET, Key=key, CopySource=source)


def put_text(key: str, text: str) -> None:
    """Store a playlist."""
    client().put_object(
        Bucket=settings.S3_BUCKET,
        Key=key,
        Body=text.encode(),
        ContentType=CONTENT_TYPES[Path(key).suffix],
        CacheControl="no-cache",
    )


def read_range(key: str, start: int, length: int) -> bytes:
    """Return ``length`` bytes from ``start``, or fewer at the end of the object."""
    try:
        answer = client().get_object(
            Bucket=settings.S3_BUCKET, Key=key, Range=f"bytes={start}-{start + length - 1}"
        )
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 416:
            return b""  # beyond the end, or an empty object
        raise
    return answer["Body"].read(length)


def size_of(key: str) -> int | None:
    """Return the size of an object in bytes, or ``None`` if it does not exist."""
    try:
        return client().head_object(Bucket=settings.S3_BUCKET, Key=key)["ContentLength"]
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            return None
        raise


def keys_under(prefix: str) -> Iterator[str]:
    """Yield every key that begins with ``prefix``; one request for each thousand."""
    for page in _pages_of_keys(prefix):
        yield from page


def sizes_under(prefix: str) -> dict[str, int]:
    """Return the size in bytes of every object whose key begins with ``prefix``."""
    return {entry["Key"]: entry["Size"] for page in _pages(prefix) for entry in page}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the bucket, as listed."""

    key: str
    size_bytes: int
    changed_at: datetime


def objects_under(prefix: str) -> Iterator[StoredObject]:
    """Yield every object whose key begins with ``prefix``, in the order of their keys."""
    for page in _pages(prefix):
        for entry in page:
            yield StoredObject(entry["Key"], entry["Size"], entry["LastModified"])


def _pages_of_keys(prefix: str) -> Iterator[list[str]]:
    for page in _pages(prefix):
        yield [entry["Key"] for entry in page]


def _pages(prefix: str) -> Iterator[list[Any]]:
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=settings.S3_BUCKET, Prefix=prefix)
    for page in pages:
        yield page.get("Contents", [])


def delete_keys(keys: Iterable[str]) -> int:
    """Delete objects, a thousand a request; return their number.

    A missing object is no error.  Raise ``ClientError`` for objects that the storage
    refused to delete, after trying all.
    """
    waiting = list(keys)
    refused: list[Any] = []
    for start in range(0, len(waiting), 1000):
        refused += _delete_batch(waiting[start : start + 1000])
    _raise_for(refused)
    return len(waiting)


def delete_prefix(prefix: str, *, at_most: int = sys.maxsize) -> int:
    """Delete the objects under ``prefix``, page by page, until ``at_most`` are gone; return their number.

    Raise ``ValueError`` for a prefix above a single object's folder, such as
    ``videos/``, and ``ClientError`` as :func:`delete_keys` does.
    """
    if not re.fullmatch(r"[\w-]+/.+/", prefix):
        raise ValueError(f"refusing to delete everything under {prefix!r}")
    deleted = 0
    refused: list[Any] = []
    for page in _pages_of_keys(prefix):
        refused += _delete_batch(page)
        deleted += len(page)
        if deleted >= at_most:
            break
    _raise_for(refused)
    return deleted


def _delete_batch(keys: list[str]) -> list[Any]:
    """Delete a thousand objects at most; return an entry for each that the storage refused."""
    if not keys:
        return []
    wanted: Any = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
    answer = client().delete_objects(Bucket=settings.S3_BUCKET, Delete=wanted)
    return list(answer.get("Errors", []))


def _raise_for(refused: list[Any]) -> None:
    if refused:
        first = refused[0]
        message = f"{first.get('Key', '')}: {first.get('Message', '')} ({len(refused)} refused)"
        raise ClientError({"Error": {"Code": first.get("Code", ""), "Message": message}}, "DeleteObjects")


def abort_multiparts(path: str) -> int:
    """Free the parts of unfinished uploads to a key, or to all keys under a prefix that ends in "/"."""
    pages = client().get_paginator("list_multipart_uploads").paginate(Bucket=settings.S3_BUCKET, Prefix=path)
    found = [(one["Key"], one["UploadId"]) for page in pages for one in page.get("Uploads", [])]
    aborted = 0
    for key, multipart_id in found:
        if path.endswith("/") or key == path:
            abort_multipart(key, multipart_id)
            aborted += 1
    return aborted


def abort_multipart(key: str, multipart_id: str) -> None:
    """Free the parts of an unfinished upload; ignore an upload that the storage no longer knows."""
    try:
        client().abort_multipart_upload(Bucket=settings.S3_BUCKET, Key=key, UploadId=multipart_id)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in {"NoSuchUpload", "404"}:
            raise
