"""Spool on disk: recorded segments wait there while storage does not answer.

Each recorder has a folder, which its process keeps locked.  The kernel drops the
lock after the process dies, however it dies.  An unlocked folder was left behind,
and ``live.recording.recovery`` stores its segments.  A file holds a segment in all
renditions after a header, so it can be read without the process that wrote it.

All segments of a host, left behind or not, stay below ``LIVE_SPOOL_BYTES``, and the
disk keeps its minimum of free space.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from time import time
from typing import Any
from weakref import finalize

import redis
from django.conf import settings

from common import disk
from live.bounds import Budget
from live.redis_connections import shared_client

logger = logging.getLogger(__name__)

# Time for which other hosts leave a broadcast to the host with its segments on disk.
SPOOLED_FOR_S = 900
SPOOLED = "live:spooled:{broadcast}"
_HEADER_SIZE_BYTES = 4
_SUFFIX = ".segment"
_FOLDERS = "*.*"  # BROADCAST.RANDOM
_NEW = "new-"


class SpoolFull(Exception):
    """Error: the disk has no room; the caller keeps its bytes in memory."""


class Unreadable(Exception):
    """Error: a segment on disk cannot be read any more."""


class StoredBytes(Mapping[str, bytes]):
    """Mapping of renditions to bytes of one file, read on access.  Reading raises Unreadable."""

    def __init__(self, path: Path, places: dict[str, tuple[int, int]]) -> None:
        self.path = path
        self._places = places
        self.size_bytes = sum(size for _offset, size in places.values())

    def __getitem__(self, rendition: str) -> bytes:
        offset, size = self._places[rendition]
        try:
            with self.path.open("rb") as file:
                data = os.pread(file.fileno(), size, offset)
        except OSError as error:
            raise Unreadable(self.path.name) from error
        if len(data) < size:
            raise Unreadable(f"{self.path.name} is cut")
        return data

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@dataclass(frozen=True, slots=True)
class SpooledSegment:
    """Segment on disk; ``fields`` are its writer's metadata."""

    msn: int
    fields: dict[str, Any]
    data: StoredBytes


class Spool:
    """Disk budget for the recordings of one process; segments of other processes count as well."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._budget = Budget(limit_bytes)
        self._open_folders: set[Path] = set()
        # Segments are released where their last reference ends: in any thread, even inside a locked call.
        self._lock = RLock()

    @property
    def used_bytes(self) -> int:
        return self._budget.used_bytes

    def folder(self, broadcast: str) -> SpoolFolder:
        """Return a folder for one recorder; nothing is created on disk until it stores a segment."""
        return SpoolFolder(self, broadcast)

    def hold(self, holder: object, size_bytes: int) -> bool:
        with self._lock:
            if self.used_bytes + self._others_bytes() + size_bytes > self._limit_bytes:
                return False
            return disk.has_room() and self._budget.hold(holder, size_bytes)

    def release(self, holder: object) -> None:
        with self._lock:
            self._budget.release(holder)

    def record_open(self, path: Path) -> None:
        with self._lock:
            self._open_folders.add(path)

    def record_closed(self, path: Path) -> None:
        with self._lock:
            self._open_folders.discard(path)

    def _others_bytes(self) -> int:
        """Return the size of the segments that this spool does not hold."""
        others = (path for path in _root().glob(_FOLDERS) if path not in self._open_folders)
        return sum(_size_bytes(file) for path in others for file in path.glob("*"))


class SpoolFolder:
    """Folder with the segments of one recorder; called from threads."""

    def __init__(self, spool: Spool, broadcast: str) -> None:
        self._spool = spool
        self._broadcast = broadcast
        self._path: Path | None = None
        self._locked: int | None = None
        self._first_msn = sys.maxsize
        self._files: dict[Path, finalize] = {}  # type: ignore[type-arg]

    def store(self, msn: int, fields: Mapping[str, Any], data: Mapping[str, bytes]) -> StoredBytes:
        """Write the bytes to disk and return them; the file lives as long as they do.  Raises SpoolFull."""
        holder = object()
        try:
            if not self._spool.hold(holder, sum(map(len, data.values()))):
                raise SpoolFull
            path = self._open() / f"{msn:012}{_SUFFIX}"
            stored = StoredBytes(path, _write(path, {"msn": msn, **fields}, data))
        except OSError as error:
            self._spool.release(holder)
            raise SpoolFull from error
        self._first_msn = min(msn, self._first_msn)
        _record_spooled(self._broadcast, path.parent.name, self._first_msn)
        self._files[path] = kept = finalize(stored, self._remove, holder, path)
        # Segments of a process that ends are left for the next one.
        kept.atexit = False
        return stored

    def close(self) -> None:
        """Leave the remaining segments to the recovery."""
        for kept in list(self._files.values()):
            if found := kept.detach():
                _stored, _remove, (holder, _path), _named = found
                self._spool.release(holder)
        self._files.clear()
        if self._locked is None or self._path is None:
            return
        with suppress(OSError):
            self._path.rmdir()  # only if it is empty
            _forget_spooled(self._broadcast, self._path.name)
        self._spool.record_closed(self._path)
        os.close(self._locked)
        self._locked = self._path = None

    def _open(self) -> Path:
        """Return the folder, created and locked on first use.  Raises OSError."""
        if self._path is None:
            # Nobody takes it for left behind before it is locked: such folders have a broadcast's name.
            made = Path(tempfile.mkdtemp(prefix=_NEW, dir=_root()))
            locked = _lock(made)
            path = made.with_name(f"{self._broadcast}.{made.name.removeprefix(_NEW)}")
            try:
                made.rename(path)
            except OSError:
                os.close(locked)
                raise
            self._spool.record_open(path)
            self._locked, self._path = locked, path
        return self._path

    def _remove(self, holder: object, path: Path) -> None:
        self._spool.release(holder)
        self._files.pop(path, None)
        path.unlink(missing_ok=True)


def left_behind() -> set[str]:
    """Return the broadcasts with segments on this disk that no process holds."""
    found = set()
    for path in _root().glob(_FOLDERS):
        with _unlocked(path) as is_left:
            if is_left:
                found.add(path.name.partition(".")[0])
    return found


@contextmanager
def leftovers(broadcast: str) -> Iterator[list[SpooledSegment]]:
    """Yield the segments of a broadcast that no process holds, locked against other processes."""
    held: list[SpooledSegment] = []
    locked = []
    try:
        for path in _root().glob(f"{broadcast}.*"):
            with suppress(OSError):
                locked.append(_lock(path))
                held += (segment for file in path.glob(f"*{_SUFFIX}") if (segment := _read(file)))
        yield held
    finally:
        for descriptor in locked:
            os.close(descriptor)


def forget(broadcast: str, *, up_to_msn: int | None = None) -> None:
    """Delete the segments of a broadcast that no process holds: all, or those up to ``up_to_msn``."""
    for path in _root().glob(f"{broadcast}.*"):
        with _unlocked(path) as is_left:
            if not is_left:
                continue
            for file in path.glob("*"):
                if up_to_msn is None or file.suffix != _SUFFIX or int(file.stem) <= up_to_msn:
                    file.unlink(missing_ok=True)
            if not any(path.iterdir()):
                shutil.rmtree(path, ignore_errors=True)
                _forget_spooled(broadcast, path.name)


def is_spooled(broadcast: str) -> bool:
    """Return whether segments of a broadcast are on a disk, here or on another host."""
    return any(_root().glob(f"{broadcast}.*")) or is_held(broadcast)


def is_held(broadcast: str, *, before_msn: int = sys.maxsize) -> bool:
    """Return whether a process here, or another host, has segments before ``before_msn`` on disk."""
    for path in _root().glob(f"{broadcast}.*"):
        with _unlocked(path) as is_left:
            if not is_left and any(int(file.stem) < before_msn for file in path.glob(f"*{_SUFFIX}")):
                return True
    return _is_spooled_elsewhere(broadcast, before_msn)


@contextmanager
def _unlocked(path: Path) -> Iterator[bool]:
    """Yield True, with the folder locked by us, if no process holds it; otherwise False."""
    try:
        descriptor = _lock(path)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int:
    """Lock a folder; return the descriptor that holds the lock.  Raises OSError if another process has it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _size_bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # it has just been stored
        return 0


def _root() -> Path:
    folder: Path = settings.DATA_DIR / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path: Path, fields: dict[str, Any], data: Mapping[str, bytes]) -> dict[str, tuple[int, int]]:
    """Write a header and all renditions; return each one's offset and size.

    The file gets its name only after it is complete.
    """
    sizes = {rendition: len(piece) for rendition, piece in data.items()}
    header = json.dumps(fields | {"sizes": sizes}).encode()
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            file.write(len(header).to_bytes(_HEADER_SIZE_BYTES, "big") + header)
            for piece in data.values():
                file.write(piece)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    partial.rename(path)
    return _places(len(header), sizes)


def _read(path: Path) -> SpooledSegment | None:
    """Return the segment in a file, None if it is invalid."""
    try:
        with path.open("rb") as file:
            size_bytes = int.from_bytes(file.read(_HEADER_SIZE_BYTES), "big")
            fields = json.loads(file.read(size_bytes))
            stored = StoredBytes(path, _places(size_bytes, fields.pop("sizes")))
            # After a power failure, a file may have its name but not all of its bytes.
            if os.fstat(file.fileno()).st_size != _HEADER_SIZE_BYTES + size_bytes + stored.size_bytes:
                raise ValueError("the file is cut")
        return SpooledSegment(fields.pop("msn"), fields, stored)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        logger.exception("Segment on disk unreadable", extra={"path": path.name})
        set_aside(path)
        return None


def set_aside(path: Path) -> None:
    """Rename a file that cannot be read; it is deleted with its folder."""
    with suppress(OSError):
        path.rename(path.with_suffix(".broken"))


def _places(header_bytes: int, sizes: dict[str, int]) -> dict[str, tuple[int, int]]:
    places, at = {}, _HEADER_SIZE_BYTES + header_bytes
    for rendition, size in sizes.items():
        places[rendition] = (at, size)
        at += size
    return places


def _record_spooled(broadcast: str, folder: str, first_msn: int) -> None:
    """Ask other hosts to leave a broadcast to us; without Redis only this host knows of it."""
    key = SPOOLED.format(broadcast=broadcast)
    with suppress(redis.RedisError):
        pipeline = shared_client().pipeline(transaction=False)
        pipeline.hset(key, _field(folder), json.dumps([first_msn, time() + SPOOLED_FOR_S]))
        pipeline.expire(key, SPOOLED_FOR_S)
        pipeline.execute()


def _forget_spooled(broadcast: str, folder: str) -> None:
    with suppress(redis.RedisError):
        shared_client().hdel(SPOOLED.format(broadcast=broadcast), _field(folder))


def _is_spooled_elsewhere(broadcast: str, before_msn: int) -> bool:
    """Return whether another host has recorded a folder that has not expired."""
    client = shared_client()
    try:
        recorded = client.hgetall(SPOOLED.format(broadcast=broadcast))
    except redis.RedisError:
        return False
    here = f"{socket.gethostname()}/"
    others = (json.loads(value) for field, value in recorded.items() if not str(field).startswith(here))
    return any(first_msn < before_msn and until > time() for first_msn, until in others)


def _field(folder: str) -> str:
    return f"{socket.gethostname()}/{folder}"
