"""The confinement of FFmpeg and ffprobe, and the runner of short programs.

No ``preexec_fn``: it is unsafe where threads run.  Instead, ``guard.py`` stands in
front of the argument list, confines itself and becomes the program.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from . import guard
from .errors import LimitsExceeded

PROBE_ADDRESS_SPACE_BYTES = 4 * 1024**3
# An 8K decoder with its frame threads and four encoders reserve far more than they touch.
ENCODE_ADDRESS_SPACE_BYTES = 12 * 1024**3
# A segment of four seconds is a few megabytes; a poster or a list of checksums less.
ENCODE_FILE_BYTES = 1024**3
PROBE_FILE_BYTES = 64 * 1024**2
MAX_OPEN_FILES = 256
STORAGE_TROUBLE = re.compile(
    # Storage answers 416 to a read behind the end of a cut file: the media is at fault.
    r"HTTP error (?!416)|Server returned (?!416)|Connection (?:refused|reset|timed out)|Failed to resolve"
    r"|Stream ends prematurely|Error reading HTTP response|Operation timed out"
)
"""FFmpeg's words for a source that could not be fetched, as opposed to one it could not understand."""

DISK_TROUBLE = re.compile(r"No space left on device|Disk quota exceeded|Read-only file system")
"""FFmpeg's words for a disk that does not take what it writes."""

_KEPT_STDERR_BYTES = 16_384
_LONGEST_PATH = 4096
_URL = re.compile(r"\b(?:https?|tls|tcp|file):\S*")


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a short program: its exit code, its output, the end of its stderr."""

    exit_code: int
    stdout: bytes
    stderr: str


def sandboxed(
    argv: Sequence[str],
    *,
    address_space_bytes: int,
    cpu_s: int,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    file_bytes: int = ENCODE_FILE_BYTES,
) -> list[str]:
    """Return ``argv`` behind the guard: bounded, ending with this process, with its own files only.

    The program may read its inputs (``-i``) and below ``reads``, write below ``writes``, and
    connect to the port of a remote input.
    """
    hide_environment_once()
    inputs = [value for name, value in pairwise(argv) if name == "-i"]
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
        "ports": sorted({port for url in inputs if (port := _port(url))}),
        "limits": {
            "AS": address_space_bytes,
            "CPU": cpu_s,
            # A crashed decoder must not write its memory beside the sources.
            "CORE": 0,
            "FSIZE": file_bytes,
            "NOFILE": MAX_OPEN_FILES,
        },
    }  # fmt: skip
    return [sys.executable, "-I", "-S", guard.__file__, json.dumps(policy), *argv]


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


def run_short(
    argv: Sequence[str],
    *,
    timeout_s: float,
    max_stdout_bytes: int = 16 * 1024**2,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
) -> Finished:
    """Run a program to its end and return the result; it may use the folders ``reads`` and ``writes``.

    Raises LimitsExceeded if it takes longer than ``timeout_s`` or prints more than
    ``max_stdout_bytes``.
    """
    with open_process(argv, timeout_s=timeout_s, reads=reads, writes=writes) as running:
        stdout = running.read(max_stdout_bytes + 1)
        if len(stdout) > max_stdout_bytes:
            raise LimitsExceeded("more output than expected")
        return running.finish(stdout)


class SandboxedProcess:
    """A running program with its output in a pipe and its stderr in a file."""

    def __init__(self, popen: subprocess.Popen[bytes], complaints: int) -> None:
        assert popen.stdout is not None  # noqa: S101 (we asked for a pipe)
        self._popen = popen
        self._complaints = complaints
        self._stdout = popen.stdout
        self.timed_out = False

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of the output; fewer only at the end."""
        return self._stdout.read(size)

    def lines(self) -> Iterator[bytes]:
        """Yield the output line by line; lines above 4 KiB come in pieces."""
        while line := self._stdout.readline(4096):
            yield line

    def finish(self, stdout: bytes = b"") -> Finished:
        """Wait for the end of the program.  Raises LimitsExceeded if its time ran out."""
        exit_code = self._popen.wait()
        if self.timed_out:
            raise LimitsExceeded("took too long to read", limit="reading_time")
        return Finished(exit_code, stdout, scrub(_tail(self._complaints)))

    def kill(self) -> None:
        """Kill the program if it still runs."""
        if self._popen.poll() is None:
            self._popen.kill()

    def expire(self) -> None:
        """Kill the program because its time ran out."""
        self.timed_out = self._popen.poll() is None
        self.kill()


@contextmanager
def open_process(
    argv: Sequence[str], *, timeout_s: float, reads: Sequence[Path] = (), writes: Sequence[Path] = ()
) -> Iterator[SandboxedProcess]:
    """Start a program under the limits for probing; kill it at the end of the block."""
    bounded = sandboxed(
        argv,
        address_space_bytes=PROBE_ADDRESS_SPACE_BYTES,
        cpu_s=int(timeout_s * 8) + 1,
        reads=reads,
        writes=writes,
        file_bytes=PROBE_FILE_BYTES,
    )
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            bounded,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=clean_environment(),
        ) as popen,
    ):
        process = SandboxedProcess(popen, complaints.fileno())
        alarm = threading.Timer(timeout_s, process.expire)
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()


def clean_environment() -> dict[str, str]:
    """Return FFmpeg's environment: no proxy, no secret, no report file."""
    # Many malloc arenas reserve address space by the gigabyte on machines with many cores.
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "HOME": "/nonexistent", "LC_ALL": "C", "MALLOC_ARENA_MAX": "4"}


def scrub(text: str) -> str:
    """Return ``text`` without URLs and NULs.

    A presigned URL is a key to its object.  Names inside a file may hold NULs, which
    PostgreSQL does not store.
    """
    return _URL.sub("<source>", text.replace("\0", "")).strip()


def _tail(descriptor: int) -> str:
    """Return the last lines of a file of any length."""
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, _KEPT_STDERR_BYTES, max(0, size - _KEPT_STDERR_BYTES))
    return "\n".join(data.decode("utf-8", "replace").splitlines()[-12:])
