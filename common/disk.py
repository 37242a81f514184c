"""Work folder: free space on its disk, and the folders of running work.

A machine below the floor of free space starts no new work.  Each folder is
locked by its process.  The kernel drops the lock after the process dies, so a
folder that can be locked is abandoned.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time

from django.conf import settings

# A folder younger than this may not be locked yet.
UNLOCKED_FOR_S = 60.0


@dataclass(frozen=True, slots=True)
class Disk:
    """Free bytes and inodes; ``free_inodes`` is ``None`` if the file system does not limit them."""

    free_bytes: int
    free_inodes: int | None

    @property
    def missing(self) -> str:
        """Return a sentence about the resource below its floor, or an empty string."""
        if self.free_bytes < settings.WORK_FLOOR_BYTES:
            floor = f"{settings.WORK_FLOOR_BYTES / 1024**2:.0f} MiB"
            return f"{self.free_bytes / 1024**2:.0f} MiB free, at least {floor} required"
        if self.free_inodes is not None and self.free_inodes < settings.WORK_FLOOR_INODES:
            return f"{self.free_inodes} inodes free, at least {settings.WORK_FLOOR_INODES} required"
        return ""


def work_folder() -> Path:
    """Return the folder for files of running work, created if needed."""
    folder: Path = settings.DATA_DIR / "work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def measure() -> Disk:
    """Return the free space of the work folder's disk.  Raise ``OSError``."""
    found = os.statvfs(work_folder())
    free_inodes = found.f_favail if found.f_files else None
    return Disk(free_bytes=found.f_bavail * found.f_frsize, free_inodes=free_inodes)


def has_room() -> bool:
    """Return whether this machine may start work: not if its disk is full or does not answer."""
    try:
        return not measure().missing
    except OSError:
        return False


@contextmanager
def workspace() -> Iterator[Path]:
    """Yield a folder that is removed afterwards; the sweep removes it if the process is killed."""
    with tempfile.TemporaryDirectory(dir=work_folder(), ignore_cleanup_errors=True) as name:
        lock = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(lock)


def sweep_work_folder() -> int:
    """Remove the folders that killed processes of this machine left; return their number."""
    removed = 0
    for folder in work_folder().glob("*"):
        try:
            if folder.stat().st_mtime > time() - UNLOCKED_FOR_S:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue  # its process was faster, or it is not a folder
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
        finally:
            os.close(lock)
    return removed
