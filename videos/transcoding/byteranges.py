"""Readers of byte ranges in a source, over HTTP or from disk."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from .errors import StorageFailed

RangeReader = Callable[[int, int], bytes]
"""``read(start, length)``: that many bytes from there, fewer only at the end of the source."""

_TIMEOUT_S = 20


def range_reader(url: str) -> RangeReader:
    """Return a reader for an http(s) URL or a local path.  It raises StorageFailed."""
    return (
        (lambda start, length: _read_http(url, start, length))
        if is_remote(url)
        else (lambda start, length: _read_file(Path(url), start, length))
    )


def is_remote(url: str) -> bool:
    """Return whether ``url`` is fetched over HTTP; everything else is a local path."""
    return url.startswith(("http://", "https://"))


def _read_file(path: Path, start: int, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(length)
    except OSError as error:
        raise StorageFailed("source is not readable") from error


def _read_http(url: str, start: int, length: int) -> bytes:
    """Fetch one Range (RFC 9110, 14.2).  Redirects are refused: a signed URL answers by itself."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=_TIMEOUT_S)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request("GET", target, headers={"Range": f"bytes={start}-{start + length - 1}"})
        response = connection.getresponse()
        if response.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return b""
        if response.status != http.client.PARTIAL_CONTENT:
            raise StorageFailed(f"storage answered {response.status}")
        return response.read(length)
    except (OSError, http.client.HTTPException) as error:
        raise StorageFailed(type(error).__name__) from error
    finally:
        connection.close()
