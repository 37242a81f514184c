"""The bucket: one private S3 bucket holds sources, HLS and images.

Browsers reach it only through presigned URLs.  boto3 signs with the present
second, which would make every playlist different and took 0.31 s for 1,800
URIs; :func:`sign_get` is SigV4 with its date rounded down to a window, so URLs
and what contains them can be cached, at one HMAC each.  boto3 does the rest:
multipart uploads, writing, deleting, the bucket's rules.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

import boto3
from asgiref.sync import iscoroutinefunction
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError as ClientError
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware
from storages.backends.s3 import S3Storage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from mypy_boto3_s3 import S3Client

StorageError = (BotoCoreError, ClientError)

SIGNING_WINDOW = timedelta(hours=1)
MIN_LIFETIME = timedelta(hours=6)
MAX_LIFETIME = timedelta(days=7)  # SigV4 allows no more
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

IMMUTABLE = "private, max-age=31536000, immutable"
CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".vtt": "text/vtt",
}


# --- Addresses ------------------------------------------------------------------

_request_origin: ContextVar[str] = ContextVar("request_origin", default="")


def public_base() -> str:
    """Where browsers reach the endpoint: ``S3_PUBLIC_URL``, or the request's own host with S3's port.

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
    """Scheme, host and port of :func:`public_base`, as a Content-Security-Policy names it."""
    if request is not None:
        _request_origin.set(_origin(request))
    parts = urlsplit(public_base())
    return f"{parts.scheme}://{parts.netloc}"


def _origin(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"


@sync_and_async_middleware
def request_origin_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Remember under which host this request came, for every URL signed while it is answered."""

    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            _request_origin.set(_origin(request))
            response: HttpResponseBase = await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        _request_origin.set(_origin(request))
        response: HttpResponseBase = get_response(request)
        return response

    return answer


# --- Signing --------------------------------------------------------------------


def lifetime(duration_s: float | None) -> timedelta:
    """How long issued URLs live: six hours, or twice the video."""
    twice = timedelta(seconds=2 * (duration_s or 0))
    return min(max(MIN_LIFETIME, twice), MAX_LIFETIME - SIGNING_WINDOW)


def window_start(now: datetime) -> datetime:
    """The beginning of the signing window that ``now`` lies in."""
    seconds = int(SIGNING_WINDOW.total_seconds())
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, tz=UTC)


@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign_get(key: str, *, base: str, signed_at: datetime, expires: timedelta) -> str:
    """Return the presigned GET URL of ``key``: path-style, host the only signed header.

    AWS Signature Version 4 in query parameters: ``signed_at`` is when its life
    of ``expires`` begins.
    """
    parts = urlsplit(base)
    path = quote(f"{parts.path}/{settings.S3_BUCKET}/{key}", safe="/-_.~")
    stamp = signed_at.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{settings.S3_REGION}/s3/aws4_request"
    query = "&".join(
        (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            f"X-Amz-Credential={quote(f'{settings.S3_ACCESS_KEY_ID}/{scope}', safe='-_.~')}",
            f"X-Amz-Date={stamp}",
            f"X-Amz-Expires={int(expires.total_seconds())}",
            "X-Amz-SignedHeaders=host",
        )
    )
    request = f"GET\n{path}\n{query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signing_key = _signing_key(settings.S3_SECRET_ACCESS_KEY, stamp[:8], settings.S3_REGION)
    signature = hmac.digest(signing_key, to_sign.encode(), "sha256").hex()
    return f"{parts.scheme}://{parts.netloc}{path}?{query}&X-Amz-Signature={signature}"


def media_url(key: str, *, duration_s: float | None = None) -> str:
    """A URL under which a browser may load ``key``; the same for a whole window."""
    expires = lifetime(duration_s) + SIGNING_WINDOW
    return sign_get(key, base=public_base(), signed_at=window_start(timezone.now()), expires=expires)


def internal_url(key: str, *, expires: timedelta = timedelta(hours=24)) -> str:
    """A URL under which our own FFmpeg reads ``key``."""
    base = settings.S3_ENDPOINT_URL or public_base()
    return sign_get(key, base=base, signed_at=timezone.now().astimezone(UTC), expires=expires)


class MediaStorage(S3Storage):
    """The default storage of image and file fields, with our signed URLs."""

    def url(self, name: str, *_args: Any, **_kwargs: Any) -> str:
        return media_url(name)


# --- Reading and writing --------------------------------------------------------


_client_lock = threading.Lock()


@lru_cache(maxsize=16)
def _client(endpoint: str | None, access_key: str, secret_key: str, region: str) -> S3Client:
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=3,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 4},
        max_pool_connections=32,
        # Checksums in trailers are newer than most S3 servers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=config,
    )


def client(endpoint: str | None = None) -> S3Client:
    """The S3 client of this process: boto3's clients are thread-safe, making one is not."""
    endpoint = endpoint or settings.S3_ENDPOINT_URL or None
    with _client_lock:
        return _client(endpoint, settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY, settings.S3_REGION)


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
    """Store bytes that will never change; return how many they are."""
    client().put_object(
        Bucket=settings.S3_BUCKET,
        Key=key,
        Body=data,
        ContentType=CONTENT_TYPES[Path(key).suffix],
        CacheControl=IMMUTABLE,
    )
    return len(data)


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
    """Bytes ``start`` … ``start + length``, fewer where the object ends."""
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
    """Bytes of an object, None where there is none."""
    try:
        return client().head_object(Bucket=settings.S3_BUCKET, Key=key)["ContentLength"]
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            return None
        raise


def keys_under(prefix: str) -> Iterator[str]:
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=settings.S3_BUCKET, Prefix=prefix)
    for page in pages:
        yield from (entry["Key"] for entry in page.get("Contents", []))


def delete_keys(keys: Iterable[str]) -> int:
    """Delete objects, a thousand a request; an object that is gone already is no error."""
    waiting = list(keys)
    for start in range(0, len(waiting), 1000):
        batch = waiting[start : start + 1000]
        answer = client().delete_objects(
            Bucket=settings.S3_BUCKET, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
        )
        if refused := answer.get("Errors"):
            raise ClientError({"Error": {"Code": refused[0].get("Code", "")}}, "DeleteObjects")
    return len(waiting)


def delete_prefix(prefix: str) -> int:
    """Delete every object under ``prefix``; return how many there were."""
    if not re.fullmatch(r"[\w-]+/.+/", prefix):
        raise ValueError(f"refusing to delete everything under {prefix!r}")
    return delete_keys(keys_under(prefix))


# --- The bucket itself ------------------------------------------------------------

# Browsers send parts of uploads and read segments from any host name the site is
# reached under; what they may do is decided by each URL's signature.
CORS_RULES: list[Any] = [
    {
        "AllowedOrigins": ["*"],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "Content-Length", "Content-Range", "Accept-Ranges"],
        "MaxAgeSeconds": 86_400,
    }
]
# The sweeper aborts abandoned uploads first; this is for the day it cannot.
LIFECYCLE_RULES: list[Any] = [
    {
        "ID": "abandoned-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": "videos/"},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
]


def prepare_bucket() -> None:
    """Make the bucket and set its rules; safe to repeat."""
    s3 = client()
    try:
        s3.head_bucket(Bucket=settings.S3_BUCKET)
    except ClientError:
        s3.create_bucket(Bucket=settings.S3_BUCKET)
    s3.put_bucket_cors(Bucket=settings.S3_BUCKET, CORSConfiguration={"CORSRules": CORS_RULES})
    s3.put_bucket_lifecycle_configuration(
        Bucket=settings.S3_BUCKET, LifecycleConfiguration={"Rules": LIFECYCLE_RULES}
    )
