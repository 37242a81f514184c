"""Archives of channel imports in the bucket, and their parts: read by ranges, never unpacked.

The bytes of an archive are a stranger's.  No name in it becomes a path, so none can lead out of a folder; a
part is as long as the archive's own list says, which limits are checked against, and not one
byte longer.  Links, encrypted parts, and lists and texts above their bounds are refused.
"""

from __future__ import annotations

import io
import json
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from common import storage
from common.safe_http import FetchError

SCHEME = "archive:"
# Its list of parts is read whole; an archive of 500 videos has 300 KB of it.
MAX_LIST_BYTES = 8 * 1024**2
MAX_TEXT_BYTES = 32 * 1024**2
READ_AHEAD_BYTES = 1024**2
PIECE_BYTES = 256 * 1024
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1


class StoredFile(io.RawIOBase):
    """An object in the bucket as a file that can be read and sought."""

    def __init__(self, key: str, size_bytes: int) -> None:
        super().__init__()
        self._key, self._size = key, size_bytes
        self._at = 0
        self._ahead_at, self._ahead = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.  Raises ValueError for more than the list of an archive may have."""
        size = min(self._size - self._at if size < 0 else size, max(0, self._size - self._at))
        if size > MAX_LIST_BYTES:
            raise ValueError("a read of too many bytes")
        found = self._at - self._ahead_at
        if not 0 <= found <= len(self._ahead) - size:
            self._ahead_at, found = self._at, 0
            self._ahead = (
                storage.read_range(self._key, self._at, max(size, READ_AHEAD_BYTES)) if size else b""
            )
        piece = self._ahead[found : found + size]
        self._at += len(piece)
        return piece


@contextmanager
def opened(key: str) -> Iterator[zipfile.ZipFile]:
    """Open a stored archive.  Raises FetchError for a file that is no archive, and errors of storage."""
    size_bytes = storage.size_of(key)
    if size_bytes is None:
        raise FetchError("the archive has expired", is_final=True)
    try:
        with zipfile.ZipFile(StoredFile(key, size_bytes)) as archive:
            if sum(part.compress_size for part in archive.infolist()) > size_bytes:
                raise ValueError("parts that overlap")
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, UnicodeError) as error:
        raise FetchError(f"a damaged archive: {type(error).__name__}", is_final=True) from None


def part_of(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return a part that is an ordinary file.  Raises FetchError."""
    try:
        part = archive.getinfo(name)
    except KeyError:
        raise FetchError("a part of the archive is missing", is_final=True) from None
    kind = stat.S_IFMT(part.external_attr >> 16)
    if part.is_dir() or kind not in {0, stat.S_IFREG}:
        raise FetchError("a part of the archive is no file", is_final=True)
    if part.flag_bits & _ENCRYPTED or part.compress_type not in _METHODS:
        raise FetchError("a part of the archive cannot be read", is_final=True)
    return part


def read_text(archive: zipfile.ZipFile, name: str) -> Any:
    """Return the JSON of a part.  Raises FetchError."""
    try:
        return json.loads(_read(archive, name, MAX_TEXT_BYTES).decode())
    except (ValueError, RecursionError):
        raise FetchError("a part of the archive is no JSON", is_final=True) from None


def _read(archive: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    part = part_of(archive, name)
    if part.file_size > most_bytes:
        raise FetchError("a part of the archive is too large", is_final=True)
    with archive.open(part) as file:
        return file.read(most_bytes)


def address_of(key: str, name: str) -> str:
    """Return the address of a part, for ``Video.import_url``; web addresses have other schemes."""
    return f"{SCHEME}{key}#{name}"


def _split(address: str) -> tuple[str, str]:
    key, _, name = address.removeprefix(SCHEME).partition("#")
    return key, name


def read_part(address: str, most_bytes: int) -> bytes:
    """Return a small part.  Raises FetchError, and errors of storage."""
    key, name = _split(address)
    with opened(key) as archive:
        return _read(archive, name, most_bytes)


def unpacked_bytes(address: str) -> int:
    """Return by how many bytes a part grows when it is unpacked.  Raises FetchError."""
    key, name = _split(address)
    with opened(key) as archive:
        part = part_of(archive, name)
        return max(0, part.file_size - part.compress_size)


@contextmanager
def open_part(address: str) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Open a part of any size; yield its size in bytes and its pieces.  Raises FetchError."""
    key, name = _split(address)
    with opened(key) as archive:
        part = part_of(archive, name)
        with archive.open(part) as file:
            yield part.file_size, iter(lambda: file.read(PIECE_BYTES), b"")
