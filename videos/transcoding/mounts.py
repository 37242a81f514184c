"""A file system of its own for one program, where a kernel or a container lacks Landlock.

The guard calls :func:`isolate` in the process that becomes FFmpeg, so no process stands
between a worker and FFmpeg: pausing, killing and waiting work as ever.  It needs root, or
user namespaces for everyone.  Only the standard library is imported, as in the guard.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 1 << 5, 1 << 12, 1 << 14, 1 << 18
_MNT_DETACH = 2
# Flags of a mount that a user namespace may not take away; statvfs(3) has the same numbers.
_KEPT_FLAGS = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME
_BASE, _OLD = "/tmp", "/old"  # noqa: S108 (every system has it, and only our own mount covers it)


def isolate(reads: Iterable[str], writes: Iterable[str]) -> None:
    """Make an empty root with these paths, at their places, the file system of this process.

    Paths that do not exist are left out.  Raises OSError.
    """
    folder = os.getcwd()  # noqa: PTH109 (pathlib would double the time of a start)
    places = [
        *((path, os.path.realpath(path), True) for path in reads),
        *((path, os.path.realpath(path), False) for path in writes),
    ]
    _unshare()
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", _BASE, "tmpfs", 0)
    os.mkdir(f"{_BASE}{_OLD}")  # noqa: PTH102
    libc = ctypes.CDLL(None, use_errno=True)
    _demand(libc.pivot_root(_BASE.encode(), f"{_BASE}{_OLD}".encode()))
    os.chdir("/")
    for path, real, is_read_only in places:
        if os.path.exists(_OLD + real):  # noqa: PTH110
            _show(path, _OLD + real, is_read_only)
    _demand(libc.umount2(_OLD.encode(), _MNT_DETACH))
    os.rmdir(_OLD)  # noqa: PTH106
    _mount("none", "/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY)
    os.chdir(folder if os.path.isdir(folder) else "/")  # noqa: PTH112


def _unshare() -> None:
    """Leave the machine's mounts: as root at once, else as the same user of a new user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    _demand(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
            file.write(line)


def _show(path: str, source: str, is_read_only: bool) -> None:
    """Mount ``source`` at ``path``."""
    if os.path.isdir(source):  # noqa: PTH112
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
    elif not os.path.exists(path):  # noqa: PTH110
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    _mount(source, path, None, _MS_BIND | _MS_REC)
    if is_read_only:
        kept = os.statvfs(path).f_flag & _KEPT_FLAGS
        _mount("none", path, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | kept)


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.mount(
        source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), None
    )
    _demand(result)


def _demand(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
