"""The layers of FFmpeg's confinement, and the reason for each that this machine lacks.

They are tried, once in each process and in a process of their own: neither a kernel's
version nor a container's profile tells the permitted ones in advance.
"""

from __future__ import annotations

import json
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from . import guard, syscalls
from .syscalls import NetworkAccess, filter_program

_TRIAL_TIMEOUT_S = 30
# SECCOMP_IOCTL_NOTIF_ADDFD, which gives a program a socket of ours.
_RELAY_RELEASE = (5, 9)

# Reasons of our own; all others are the kernel's.
OLD_KERNEL = "Linux is older than 5.9"
UNKNOWN_PROCESSOR = "Processor not known"


class Layer(StrEnum):
    """A part of the confinement: files (Landlock, mounts), system calls (seccomp), network (a relay)."""

    FILES = "files"
    CALLS = "calls"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class TriedLayers:
    """The layers that this machine lacks, each with the reason, and whether mounts confine the files."""

    missing: dict[Layer, str]
    has_mounts: bool = False


@cache
def tried_layers() -> TriedLayers:
    """Try every layer.  Raises OSError if the trial itself fails."""
    if not sys.platform.startswith("linux"):
        return TriedLayers(dict.fromkeys(Layer, f"{sys.platform} is not Linux"))
    missing = {Layer(name): reason for name, reason in _tried().items()}
    if syscalls.seccomp_number() is None:
        missing |= dict.fromkeys((Layer.CALLS, Layer.NETWORK), UNKNOWN_PROCESSOR)
    elif _release() < _RELAY_RELEASE:
        missing[Layer.NETWORK] = OLD_KERNEL
    has_mounts = Layer.FILES in missing and can_mount()
    if has_mounts:
        del missing[Layer.FILES]
    return TriedLayers(missing, has_mounts)


def missing_layers() -> dict[Layer, str]:
    """Return the layers that this machine lacks, each with the reason.  Raises OSError if the trial fails."""
    return tried_layers().missing


def layer_reasons() -> dict[str, str]:
    """Return every layer with the reason for its absence, which is empty if it is active."""
    try:
        missing = missing_layers()
    except OSError as error:
        missing = dict.fromkeys(Layer, str(error))
    return {layer.value: missing.get(layer, "") for layer in Layer}


def _release() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])


def _tried() -> dict[str, str]:
    """Return the failures of the guard's trial: the layer and the kernel's word for the reason."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        program = filter_program(NetworkAccess.RELAY) if syscalls.seccomp_number() else ()
        policy = _policy(channel=theirs.fileno(), program=program)
        try:
            done = _run(guard.command(policy), pass_fds=[theirs.fileno()])
            reasons: dict[str, str] = json.loads(done.stdout)
        except (subprocess.SubprocessError, ValueError) as error:
            raise OSError(f"FFmpeg's confinement could not be tried: {error}") from error
    return reasons


def can_mount() -> bool:
    """Return whether a program runs with mounts of its own."""
    try:
        _run([*guard.command(_policy(has_mounts=True)), sys.executable, "-I", "-S", "-c", ""])
    except subprocess.SubprocessError:
        return False
    return True


def _run(argv: list[str], pass_fds: Sequence[int] = ()) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv, capture_output=True, pass_fds=pass_fds, timeout=_TRIAL_TIMEOUT_S, check=True, env={}
    )


def _policy(
    *, channel: int = -1, program: Sequence[syscalls.Instruction] = (), has_mounts: bool = False
) -> guard.SandboxPolicy:
    return {
        "parent": os.getpid(),
        "reads": [sys.prefix, sys.base_prefix],
        "writes": [],
        "ports": [],
        "limits": {},
        "has_landlock": False,
        "has_mounts": has_mounts,
        "seccomp": syscalls.seccomp_number() or -1,
        "filter": list(program),
        "channel": channel,
    }
