"""The guard of FFmpeg: a program that applies a policy to itself and becomes FFmpeg.

``python -I -S guard.py POLICY PROGRAM ARGUMENT…``, where ``POLICY`` is the JSON
of :class:`SandboxPolicy`.  Media is written by strangers and read by a million lines
of C, so the process that reads it

* dies with its parent, has and gains no privileges, writes no core dump;
* is bounded in memory, processor time, files and their size;
* sees only programs, libraries, its source and its own folder (Landlock, Linux 5.13, or
  else mounts of its own, ``mounts.py``);
* makes no call to the kernel that FFmpeg does not need: no other process, no tracing, no
  mounts, no sockets (seccomp; ``syscalls.py`` lists the calls);
* has no network but sockets to the relay of its source (``relay.py``, Linux 5.9), or, where
  that is missing, TCP to the port of its source (Landlock 4, Linux 6.7).

The parent names the layers that this machine has, after :func:`trial`; a named layer that
fails ends the guard.  Only a few modules of the standard library are imported, because each
start pays for each import.
"""

from __future__ import annotations

import _socket
import array
import ctypes
import importlib
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
_CAPABILITY_VERSION, _CAP_DAC_READ_SEARCH = 0x20080522, 2  # linux/capability.h
# linux/seccomp.h.  Without "allow", kernels before 5.16 slow down every speculative store of an encode.
_SET_MODE_FILTER, _SPEC_ALLOW, _NEW_LISTENER = 1, 1 << 2, 1 << 3
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
CANNOT_START = 126

# Programs and libraries.  They hold no secrets.  /opt and /usr/src are left out, because a
# site may lie there, and all of /proc/self but two files, because it shows the machine's sockets and mounts.
READABLE = (
    "/bin", "/lib", "/lib32", "/lib64", "/nix/store", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64",
    "/usr/libexec", "/usr/share", "/usr/local/bin", "/usr/local/lib", "/usr/local/lib64", "/usr/local/share",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime",
    "/etc/fonts", "/etc/ssl/openssl.cnf",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/self/maps", "/proc/self/status", "/sys/devices/system",
    "/dev/urandom", "/dev/random", "/dev/zero",
)  # fmt: skip
# For a program that connects by itself: name resolution and certificates.
FOR_CONNECTIONS = (
    "/etc/ssl/certs", "/etc/ca-certificates", "/etc/pki",
    "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
)  # fmt: skip
WRITABLE = ("/dev/null",)


class SandboxPolicy(TypedDict):
    """The rights of one program, and the layers of this machine that hold it to them.

    ``filter`` holds the instructions for seccomp, whose number is ``seccomp``; an empty one
    is not applied.  ``channel`` is the socket that takes the filter's listener, -1 without.
    """

    parent: int
    reads: list[str]
    writes: list[str]
    ports: list[int]
    limits: dict[str, int]
    has_landlock: bool
    has_mounts: bool
    seccomp: int
    filter: list[tuple[int, int, int, int | None]]
    channel: int


def abi() -> int:
    """Return the version of the kernel's Landlock.  Raises OSError without it."""
    return _demand(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def hide_environment() -> None:
    """Make this process's memory and environment unreadable to the other processes of its user."""
    if sys.platform.startswith("linux"):
        _libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def apply(policy: SandboxPolicy) -> None:
    """Confine this process, and the program that it becomes, for good.  Raises OSError."""
    libc = _libc()
    if policy["has_mounts"]:
        # First: a new user namespace forgets the signal of the parent's death.
        sys.path.append(os.path.dirname(__file__))  # noqa: PTH120
        importlib.import_module("mounts").isolate(_readable(policy), (*WRITABLE, *policy["writes"]))
    _demand(libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))
    if os.getppid() != policy["parent"]:
        raise ProcessLookupError("the parent has ended")
    _demand(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    for name, most in policy["limits"].items():
        limit = getattr(resource, f"RLIMIT_{name}")
        _soft, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
    _drop_capabilities()
    if policy["has_landlock"]:
        _restrict(policy)
    if policy["filter"]:
        _filter(policy)


def command(policy: SandboxPolicy) -> list[str]:
    """Return the command line of the guard; the program's own follows."""
    return [sys.executable, "-I", "-S", __file__, json.dumps(policy, separators=(",", ":"))]


def trial(policy: SandboxPolicy) -> dict[str, str]:
    """Apply each layer to this process; return the reason of each that fails, by its name."""
    reasons = {}
    for name, layer in (("files", _restrict), ("network", _filter), ("calls", _filter)):
        try:
            if name == "calls":
                policy["channel"] = -1
            _demand(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            layer(policy)
        except OSError as error:
            reasons[name] = error.strerror or str(error)
    return reasons


def _drop_capabilities() -> None:
    """Give up root's powers.

    One may stay: to read files that the file system denies to others.  Programs and work may
    lie in the home of another user, and Landlock still names the files that are read.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, each for 32 capabilities
    libc = _libc()
    _demand(libc.capget(header, sets))
    kept = sets[1] & 1 << _CAP_DAC_READ_SEARCH
    _demand(libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)))


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    ]


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


def _filter(policy: SandboxPolicy) -> None:
    """Refuse the system calls of the policy's filter, and send its listener to the parent."""
    pid = os.getpid()
    instructions = [
        _Instruction(code, if_true, if_false, pid if operand is None else operand)
        for code, if_true, if_false, operand in policy["filter"]
    ]
    program = _FilterProgram(len(instructions), (_Instruction * len(instructions))(*instructions))
    channel = policy["channel"]
    flags = _SPEC_ALLOW | (_NEW_LISTENER if channel >= 0 else 0)
    listener = _demand(
        _libc().syscall(policy["seccomp"], _SET_MODE_FILTER, ctypes.c_uint(flags), ctypes.byref(program))
    )
    if channel >= 0:
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [listener]))
        sender = _socket.socket(fileno=channel)
        sender.sendmsg([b"l"], [rights])
        sender.close()
        os.close(listener)


def _restrict(policy: SandboxPolicy) -> None:
    """Restrict files, TCP ports and signals with the parts that this kernel's Landlock has."""
    version = abi()
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
    _allow_paths(ruleset, _readable(policy), (_EXECUTE | _READ_FILE | _READ_DIR) & rights)
    _allow_paths(ruleset, (*WRITABLE, *policy["writes"]), rights & ~_EXECUTE)
    if version >= _NETWORK_ABI:
        for port in policy["ports"]:
            rule = (ctypes.c_uint64 * 2)(_CONNECT_TCP, port)
            _demand(libc.syscall(_ADD_RULE, ruleset, _NET_PORT, rule, ctypes.c_uint32(0)))
    _demand(libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)))
    os.close(ruleset)


def _readable(policy: SandboxPolicy) -> tuple[str, ...]:
    return (*READABLE, *(FOR_CONNECTIONS if policy["ports"] else ()), *policy["reads"])


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
    words, *command = arguments
    policy: SandboxPolicy = json.loads(words)
    if not command:
        sys.stdout.write(json.dumps(trial(policy)))
        return
    # Python ignores both signals, and the program would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        apply(policy)
        os.execvp(command[0], command)  # noqa: S606 (no shell, on purpose)
    # Workers that were started before an update send a policy of the version before.
    except (OSError, KeyError, ImportError) as error:
        sys.stderr.write(f"guard: {command[0]} cannot be started: {error}\n")
        sys.exit(CANNOT_START)


if __name__ == "__main__":
    main(sys.argv[1:])
