"""The one place that starts FFmpeg and ffprobe, and what they may take from the machine.

No ``preexec_fn``: it is unsafe where threads run.  The limits come from two
small programs of util-linux in front of the argument list, each of which
replaces itself by the next; where one is missing it is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from .errors import LimitsExceeded

PROBE_ADDRESS_SPACE_BYTES = 4 * 1024**3
# An 8K decoder with its frame threads and four encoders reserve far more than they touch.
ENCODE_ADDRESS_SPACE_BYTES = 12 * 1024**3
STORAGE_TROUBLE = re.compile(
    r"HTTP error|Server returned|Connection (?:refused|reset|timed out)|Failed to resolve"
)
"""FFmpeg's words for a source that could not be fetched, as opposed to one it could not understand."""

_KEPT_STDERR_BYTES = 16_384
_URL = re.compile(r"\b(?:https?|tls|tcp|file):\S*")


@dataclass(frozen=True, slots=True)
class Finished:
    """A short program that has ended: its exit code, its output, the end of its complaints."""

    exit_code: int
    stdout: bytes
    stderr: str


def sandboxed(argv: Sequence[str], *, address_space_bytes: int, cpu_s: int) -> list[str]:
    """Return ``argv`` bounded in memory and processor time, and tied to our life."""
    prefix: list[str] = []
    if prlimit := _which("prlimit"):
        # core=0: a crashed decoder must not write its memory beside the sources.
        prefix += [prlimit, f"--as={address_space_bytes}", f"--cpu={cpu_s}", "--core=0", "--"]
    if setpriv := _which("setpriv"):
        # A worker that is killed takes its FFmpeg along instead of leaving it to run on.
        prefix += [setpriv, "--pdeathsig", "KILL", "--"]
    return [*prefix, *argv]


def run_short(argv: Sequence[str], *, timeout_s: float, max_stdout_bytes: int = 16 * 1024**2) -> Finished:
    """Run a program to its end and return what it said.

    Raises LimitsExceeded when it takes longer than ``timeout_s`` or says more
    than ``max_stdout_bytes``.
    """
    with open_process(argv, timeout_s=timeout_s) as running:
        stdout = running.read(max_stdout_bytes + 1)
        if len(stdout) > max_stdout_bytes:
            raise LimitsExceeded("more output than expected")
        return running.finish(stdout)


class Process:
    """A running program whose output is read by us and whose complaints go to a file."""

    def __init__(self, popen: subprocess.Popen[bytes], complaints: int) -> None:
        assert popen.stdout is not None  # noqa: S101 (we asked for a pipe)
        self._popen = popen
        self._complaints = complaints
        self._stdout = popen.stdout
        self.timed_out = False

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of its output; fewer only at the end."""
        return self._stdout.read(size)

    def lines(self) -> Iterator[bytes]:
        """Yield its output line by line, none of them longer than 4 KiB."""
        while line := self._stdout.readline(4096):
            yield line

    def finish(self, stdout: bytes = b"") -> Finished:
        """Wait for its end.  Raises LimitsExceeded if our clock ended it."""
        exit_code = self._popen.wait()
        if self.timed_out:
            raise LimitsExceeded("took too long to read", detail=_TOO_SLOW)
        return Finished(exit_code, stdout, scrub(_tail(self._complaints)))

    def kill(self) -> None:
        """End it, whatever it is doing."""
        if self._popen.poll() is None:
            self._popen.kill()

    def expire(self) -> None:
        """End it because its time is over."""
        self.timed_out = self._popen.poll() is None
        self.kill()


@contextmanager
def open_process(argv: Sequence[str], *, timeout_s: float) -> Iterator[Process]:
    """Start a program under the limits for looking at a source; it never outlives the block."""
    bounded = sandboxed(argv, address_space_bytes=PROBE_ADDRESS_SPACE_BYTES, cpu_s=int(timeout_s * 8) + 1)
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
        process = Process(popen, complaints.fileno())
        alarm = threading.Timer(timeout_s, process.expire)
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()


def clean_environment() -> dict[str, str]:
    """Return the environment FFmpeg runs in: no proxy, no secret, no report file."""
    # Many malloc arenas reserve address space by the gigabyte on machines with many cores.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "MALLOC_ARENA_MAX": "4"}


def scrub(text: str) -> str:
    """Return ``text`` without URLs: a presigned one is a key to the object it names."""
    return _URL.sub("<source>", text).strip()


_TOO_SLOW = "This file takes too long to read. Export it as MP4 and try again."


@cache
def _which(program: str) -> str | None:
    return shutil.which(program)


def _tail(descriptor: int) -> str:
    """Return the last lines of a file that may have grown long."""
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, _KEPT_STDERR_BYTES, max(0, size - _KEPT_STDERR_BYTES))
    return "\n".join(data.decode("utf-8", "replace").splitlines()[-12:])
