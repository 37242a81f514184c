"""The guard of FFmpeg: a program that applies a policy to itself and becomes FFmpeg.

``python -I -S guard.py POLICY PROGRAM ARGUMENT…``, where ``POLICY`` is the JSON
of :class:`SandboxPolicy`.  Media is written by strangers and read by a million lines
of C, so the process that reads it

* dies with its parent, gains no privileges, writes no core dump;
* is bounded in memory, processor time, files and their size;
* sees only programs, libraries, its source and its own folder (Landlock, Linux
  5.13), connects only to the port of its source (Landlock 4, Linux 6.7), and
  neither signals nor reads other processes.

A kernel without Landlock applies the rest, and :func:`missing` names the missing
parts.  Only a few modules of the standard library are imported, because each start
pays for each import.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Iterable
from typing import TypedDict

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # alike on every architecture
_PATH_BENEATH, _NET_PORT = 1, 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # prctl(2)
_CONNECT_TCP, _BIND_TCP = 1 << 1, 1 << 0
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
# linux/landlock.h: the rights that make sense for a file; all others are for folders.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
# The number of rights in each version of Landlock.
_RIGHTS_OF_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
_NEWEST_RIGHTS = 16
_NETWORK_ABI, _SCOPE_ABI = 4, 6
_CANNOT_START = 126

# Programs and libraries, name resolution and certificates.  They hold no secrets.  /opt
# and /usr/src are left out, because a site may lie there.
READABLE = (
    "/bin", "/lib", "/lib32", "/lib64", "/nix/store", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64",
    "/usr/libexec", "/usr/share", "/usr/local/bin", "/usr/local/lib", "/usr/local/lib64", "/usr/local/share",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime",
    "/etc/fonts", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki",
    "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/self", "/sys/devices/system",
    "/dev/urandom", "/dev/random", "/dev/zero",
)  # fmt: skip
WRITABLE = ("/dev/null",)


class SandboxPolicy(TypedDict):
    """The rights of one program: its parent, files and folders, TCP ports, kernel limits by name."""

    parent: int
    reads: list[str]
    writes: list[str]
    ports: list[int]
    limits: dict[str, int]


def abi() -> int:
    """Return the version of the kernel's Landlock, 0 without it."""
    version = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(0, int(version))


def missing() -> tuple[str, ...]:
    """Return the parts of the guard that this machine lacks."""
    if not sys.platform.startswith("linux"):
        return ("Landlock", "a death with its parent")
    version = abi()
    if not version:
        return ("Landlock (Linux 5.13): FFmpeg reads every file that its user can",)
    if version < _NETWORK_ABI:
        return ("Landlock's network rules (Linux 6.7): FFmpeg connects to every port",)
    return ()


def hide_environment() -> None:
    """Make this process's environment unreadable to its user's other processes if Landlock is missing."""
    if sys.platform.startswith("linux") and not abi():
        _libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def apply(policy: SandboxPolicy) -> None:
    """Confine this process, and the program that it becomes, for good.  Raises OSError."""
    libc = _libc()
    _demand(libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))
    if os.getppid() != policy["parent"]:
        raise ProcessLookupError("the parent has ended")
    _demand(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    for name, most in policy["limits"].items():
        limit = getattr(resource, f"RLIMIT_{name}")
        _soft, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
    if version := abi():
        _restrict(policy, version)


def _restrict(policy: SandboxPolicy, version: int) -> None:
    rights = (1 << _RIGHTS_OF_ABI.get(version, _NEWEST_RIGHTS)) - 1
    handled = [rights]
    if version >= _NETWORK_ABI:
        handled.append(_CONNECT_TCP | _BIND_TCP)
    if version >= _SCOPE_ABI:
        handled.append(_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = (ctypes.c_uint64 * len(handled))(*handled)
    libc = _libc()
    ruleset = _demand(
        libc.syscall(
            _CREATE_RULESET, attributes, ctypes.c_size_t(ctypes.sizeof(attributes)), ctypes.c_uint32(0)
        )
    )
    _allow_paths(ruleset, (*READABLE, *policy["reads"]), (_EXECUTE | _READ_FILE | _READ_DIR) & rights)
    _allow_paths(ruleset, (*WRITABLE, *policy["writes"]), rights & ~_EXECUTE)
    if version >= _NETWORK_ABI:
        for port in policy["ports"]:
            rule = (ctypes.c_uint64 * 2)(_CONNECT_TCP, port)
            _demand(libc.syscall(_ADD_RULE, ruleset, _NET_PORT, rule, ctypes.c_uint32(0)))
    _demand(libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)))
    os.close(ruleset)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def _allow_paths(ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in paths:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # this machine has no such path
        is_folder = os.path.isdir(path)  # noqa: PTH112 (pathlib would double the time of a start)
        rule = _PathBeneath(rights if is_folder else rights & _FILE_RIGHTS, descriptor)
        _demand(_libc().syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), ctypes.c_uint32(0)))
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _demand(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def main(arguments: list[str]) -> None:
    """Apply the policy and become the program."""
    policy, *command = arguments
    # Python ignores both signals, and the program would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        apply(json.loads(policy))
        os.execvp(command[0], command)  # noqa: S606 (no shell, on purpose)
    except OSError as error:
        sys.stderr.write(f"guard: {command[0]} cannot be started: {error}\n")
        sys.exit(_CANNOT_START)


if __name__ == "__main__":
    main(sys.argv[1:])
