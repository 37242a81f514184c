"""The confinement of FFmpeg and ffprobe: the guard in front of their arguments, and their environment.

No ``preexec_fn``: it is unsafe where threads run.  Instead, ``guard.py`` stands in
front of the argument list, confines itself and becomes the program.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from . import guard, syscalls
from .byteranges import is_remote
from .layers import Layer, tried_layers
from .syscalls import NetworkAccess

PROBE_ADDRESS_SPACE_BYTES = 4 * 1024**3
# An 8K decoder with its frame threads and four encoders reserve far more than they touch.
ENCODE_ADDRESS_SPACE_BYTES = 12 * 1024**3
# A segment of four seconds is a few megabytes; a poster or a list of checksums less.
ENCODE_FILE_BYTES = 1024**3
PROBE_FILE_BYTES = 64 * 1024**2
MAX_OPEN_FILES = 256
_PROBE_THREADS = 8
_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Memory, processor time and file size that the kernel grants to a program."""

    address_space_bytes: int
    cpu_s: int
    file_bytes: int


def probing(timeout_s: float) -> ProcessLimits:
    """Return the limits of a look at a source."""
    return ProcessLimits(PROBE_ADDRESS_SPACE_BYTES, int(timeout_s * _PROBE_THREADS) + 1, PROBE_FILE_BYTES)


def encoding(timeout_s: float) -> ProcessLimits:
    """Return the limits of an encode, whose real limit is the clock: it uses all cores at once."""
    cpu_s = int(timeout_s * (os.cpu_count() or 1)) + 1
    return ProcessLimits(ENCODE_ADDRESS_SPACE_BYTES, cpu_s, ENCODE_FILE_BYTES)


def sandboxed(
    argv: Sequence[str],
    limits: ProcessLimits,
    *,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    channel: int = -1,
) -> list[str]:
    """Return ``argv`` behind the guard: bounded, ending with this process, with its own files only.

    The program may read its inputs (``-i``) and below ``reads``, and write below ``writes``.
    It has no network but the relay at the other end of ``channel``; without a relay, it may
    connect to the port of a remote input.
    """
    tried = tried_layers()
    missing = tried.missing
    if Layer.FILES in missing:
        hide_environment_once()
    ports = sorted({port for url in remote_inputs(argv) if (port := _port(url))}) if channel < 0 else []
    network = NetworkAccess.DIRECT if ports else NetworkAccess.NONE if channel < 0 else NetworkAccess.RELAY
    program = shutil.which(argv[0]) or argv[0]
    policy: guard.SandboxPolicy = {
        "parent": os.getpid(),
        "reads": [
            # A Python may stand in for FFmpeg or wrap it.
            *_installed(Path(sys.prefix)), *_installed(Path(sys.base_prefix)),
            *_installed(Path(program).parent.parent), *_installed(Path(_real(program)).parent.parent),
            program, *map(_real, _local(argv)), *map(str, reads),
        ],
        "writes": [str(path) for path in writes],
        "ports": ports,
        "limits": {
            "AS": limits.address_space_bytes,
            "CPU": limits.cpu_s,
            # A crashed decoder must not write its memory beside the sources.
            "CORE": 0,
            "FSIZE": limits.file_bytes,
            "NOFILE": MAX_OPEN_FILES,
        },
        "has_landlock": Layer.FILES not in missing and not tried.has_mounts,
        "has_mounts": tried.has_mounts,
        "seccomp": syscalls.seccomp_number() or -1,
        "filter": [] if Layer.CALLS in missing else list(syscalls.filter_program(network)),
        "channel": channel,
    }  # fmt: skip
    return [*guard.command(policy), *argv]


def remote_inputs(argv: Sequence[str]) -> list[str]:
    """Return the URLs among the inputs of a command."""
    return [value for name, value in pairwise(argv) if name == "-i" and is_remote(value)]


@cache
def hide_environment_once() -> None:
    """Hide our environment, which holds keys, from programs that Landlock does not confine."""
    guard.hide_environment()


def _local(argv: Sequence[str]) -> Iterator[str]:
    """Yield the local files that a command names: programs, also behind ``nice``, and inputs."""
    for word in argv:
        path = word.removeprefix("file:")
        if path.startswith("/") and len(path) < _LONGEST_PATH and Path(path).is_file():
            yield path


def _installed(prefix: Path) -> list[str]:
    """Return the paths of an installation's programs and libraries."""
    return [str(prefix / name) for name in ("bin", "lib", "lib64", "pyvenv.cfg")]


def _real(path: str) -> str:
    return str(Path(path).resolve())


def _port(url: str) -> int | None:
    """Return the port of an http(s) URL, None for a local path."""
    parts = urlsplit(url)
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def clean_environment() -> dict[str, str]:
    """Return FFmpeg's environment: no proxy, no secret, no report file."""
    # Many malloc arenas reserve address space by the gigabyte on machines with many cores.
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "HOME": "/nonexistent", "LC_ALL": "C", "MALLOC_ARENA_MAX": "4"}
