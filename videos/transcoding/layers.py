"""The layers of FFmpeg's confinement, and the reason for each that this machine lacks.

They are tried, once in each process and in a process of their own: neither a kernel's
version nor a container's profile tells in advance what is permitted.
"""

from __future__ import annotations

import json
import os
import platform
import re
import socket
import subprocess
import sys
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
    """A part of the confinement: files (Landlock), system calls (seccomp), the network (a relay)."""

    FILES = "files"
    CALLS = "calls"
    NETWORK = "network"


@cache
def missing_layers() -> dict[Layer, str]:
    """Return the layers that this machine lacks, each with the reason.  Raises OSError if the trial fails."""
    if not sys.platform.startswith("linux"):
        return dict.fromkeys(Layer, f"{sys.platform} is not Linux")
    missing = {}
    if syscalls.seccomp_number() is None:
        missing = dict.fromkeys((Layer.CALLS, Layer.NETWORK), UNKNOWN_PROCESSOR)
    elif _release() < _RELAY_RELEASE:
        missing = {Layer.NETWORK: OLD_KERNEL}
    return {Layer(name): reason for name, reason in _tried().items()} | missing


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
    number = syscalls.seccomp_number()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        policy: guard.SandboxPolicy = {
            "parent": os.getpid(),
            "reads": [],
            "writes": [],
            "ports": [],
            "limits": {},
            "has_landlock": True,
            "seccomp": number or -1,
            "filter": list(filter_program(NetworkAccess.RELAY)) if number else [],
            "channel": theirs.fileno(),
        }
        try:
            done = subprocess.run(
                guard.command(policy),
                capture_output=True,
                pass_fds=[theirs.fileno()],
                timeout=_TRIAL_TIMEOUT_S,
                check=True,
                env={},
            )
            reasons: dict[str, str] = json.loads(done.stdout)
        except (subprocess.SubprocessError, ValueError) as error:
            raise OSError(f"FFmpeg's confinement could not be tried: {error}") from error
    return reasons
