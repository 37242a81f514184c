"""FFmpeg and ffprobe processes: confined, with bounds on time, memory, output and complaints.

No other module of ``videos`` and ``live`` starts one.  ``run_short`` runs a program to its
end, ``run_piped`` does so on an event loop; ``start`` and ``start_on_loop`` are for encoders,
whose pipes their callers read.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
import threading
from asyncio.subprocess import Process
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import guard, log_tail
from .errors import LimitsExceeded
from .layers import Layer, missing_layers
from .relay import Relay, SourceRelay
from .sandbox import ProcessLimits, clean_environment, probing, remote_inputs, sandboxed

STORAGE_TROUBLE = re.compile(
    # Storage answers 416 to a read behind the end of a cut file: the media is at fault.
    r"HTTP error (?!416)|Server returned (?!416)|Connection (?:refused|reset|timed out)|Failed to resolve"
    r"|Stream ends prematurely|Error reading HTTP response|Operation timed out"
)
"""FFmpeg's words for a source that could not be fetched, as opposed to one it could not understand."""

DISK_TROUBLE = re.compile(r"No space left on device|Disk quota exceeded|Read-only file system")
"""FFmpeg's words for a disk that does not take its output."""


_KEPT_STDERR_BYTES = 16_384
_KEPT_STDERR_LINES = 12
_PIECE_SIZE = 65_536
_URL = re.compile(r"\b(?:https?|tls|tcp|file):\S*")


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a short program: its exit code, its output, the end of its stderr."""

    exit_code: int
    stdout: bytes
    stderr: str


def start(
    argv: Sequence[str],
    limits: ProcessLimits,
    *,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stderr: int | IO[Any] = subprocess.PIPE,
    relay: Relay | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program with its output in a pipe; it may use the folders ``reads`` and ``writes``.

    Its network is ``relay``.  Without one, a relay passes on its remote inputs, where the
    machine has this layer.
    """
    urls = remote_inputs(argv)
    if urls and relay is None and Layer.NETWORK not in missing_layers():
        relay = SourceRelay(urls)
    with relay or nullcontext():
        popen = subprocess.Popen(
            sandboxed(
                relay.rewrite(argv) if relay else argv,
                limits,
                reads=reads,
                writes=writes,
                channel=relay.channel if relay else -1,
            ),
            cwd=cwd,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            pass_fds=[relay.channel] if relay else [],
            env=clean_environment(),
        )
        if relay:
            relay.serve()
    return popen


async def start_on_loop(
    argv: Sequence[str],
    limits: ProcessLimits,
    *,
    stdout: int = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Start a program that reads its source from a pipe, on the running event loop."""
    return await asyncio.create_subprocess_exec(
        *sandboxed(argv, limits),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
        env=clean_environment(),
    )


def run_short(
    argv: Sequence[str],
    *,
    timeout_s: float,
    max_stdout_bytes: int = 16 * 1024**2,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    limits: ProcessLimits | None = None,
    pieces: Iterable[bytes] | None = None,
) -> Finished:
    """Run a program to its end and return the result; it may use the folders ``reads`` and ``writes``.

    ``limits`` are those of a probe if omitted.  ``pieces`` become its standard input, which
    it must read to the end before it prints much.  Raises LimitsExceeded if it takes longer
    than ``timeout_s`` or prints more than ``max_stdout_bytes``, OSError if it cannot be started.
    """
    stdin = subprocess.DEVNULL if pieces is None else subprocess.PIPE
    with open_process(
        argv, timeout_s=timeout_s, reads=reads, writes=writes, limits=limits, stdin=stdin
    ) as running:
        if pieces is not None:
            running.feed(pieces)
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

    def feed(self, pieces: Iterable[bytes]) -> None:
        """Write the standard input and close it; a program that has ended reads no more."""
        assert self._popen.stdin is not None  # noqa: S101 (its caller asked for a pipe)
        with suppress(BrokenPipeError):
            for piece in pieces:
                self._popen.stdin.write(piece)
        with suppress(BrokenPipeError):
            self._popen.stdin.close()

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of the output; fewer only at the end."""
        return self._stdout.read(size)

    def lines(self) -> Iterator[bytes]:
        """Yield the output line by line; lines above 4 KiB come in pieces."""
        while line := self._stdout.readline(4096):
            yield line

    def finish(self, stdout: bytes = b"") -> Finished:
        """Wait for the end of the program.

        Raises LimitsExceeded if its time ran out, OSError if it could not be started.
        """
        exit_code = self._popen.wait()
        if self.timed_out:
            raise LimitsExceeded("took too long to read", limit="reading_time")
        size = os.fstat(self._complaints).st_size
        end = os.pread(self._complaints, _KEPT_STDERR_BYTES + 1, max(0, size - _KEPT_STDERR_BYTES - 1))
        end = log_tail.whole_lines(end, _KEPT_STDERR_BYTES)
        log_tail.keep(end)
        complaints = last_lines(end)
        check_started(exit_code, complaints)
        return Finished(exit_code, stdout, complaints)

    def kill(self) -> None:
        """Kill the program if it still runs."""
        if self._popen.poll() is None:
            self._popen.kill()

    def expire(self) -> None:
        """Kill the program because its time ran out."""
        self.timed_out = self._popen.poll() is None
        self.kill()


class Leash:
    """The programs that one job runs, which end together."""

    def __init__(self) -> None:
        self.is_pulled = False
        self._running: set[SandboxedProcess] = set()
        self._lock = threading.Lock()

    def pull(self) -> None:
        """Kill the programs; may be called from another thread."""
        with self._lock:
            self.is_pulled = True
            for process in self._running:
                process.kill()

    @contextmanager
    def on(self, process: SandboxedProcess) -> Iterator[None]:
        with self._lock:
            self._running.add(process)
            if self.is_pulled:
                process.kill()
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)


_leash: ContextVar[Leash | None] = ContextVar("leash", default=None)


@contextmanager
def leashed() -> Iterator[Leash]:
    """Keep the programs that this thread runs in the block on one leash."""
    leash = Leash()
    token = _leash.set(leash)
    try:
        yield leash
    finally:
        _leash.reset(token)


@contextmanager
def open_process(
    argv: Sequence[str],
    *,
    timeout_s: float,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    limits: ProcessLimits | None = None,
    stdin: int = subprocess.DEVNULL,
    relay: Relay | None = None,
) -> Iterator[SandboxedProcess]:
    """Start a program, under the limits of a probe if none are given; kill it at the end of the block."""
    limits = limits or probing(timeout_s)
    with (
        tempfile.TemporaryFile() as complaints,
        start(argv, limits, reads=reads, writes=writes, stdin=stdin, stderr=complaints, relay=relay) as popen,
    ):
        process = SandboxedProcess(popen, complaints.fileno())
        alarm = threading.Timer(timeout_s, process.expire)
        alarm.start()
        leash = _leash.get()
        try:
            with leash.on(process) if leash else nullcontext():
                yield process
        finally:
            alarm.cancel()
            process.kill()


async def run_piped(
    argv: Sequence[str], data: bytes, limits: ProcessLimits, *, timeout_s: float, max_stdout_bytes: int
) -> Finished:
    """Run a program on ``data`` to its end, on the running event loop, and return the result.

    Raises LimitsExceeded as ``run_short`` does.
    """
    process = await start_on_loop(argv, limits)
    assert process.stdin  # noqa: S101 (we asked for pipes)
    assert process.stdout  # noqa: S101
    assert process.stderr  # noqa: S101
    try:
        async with asyncio.timeout(timeout_s):
            stdout, complaints, _ = await asyncio.gather(
                _read_beginning(process.stdout, max_stdout_bytes + 1),
                _read_end(process.stderr),
                _feed(process.stdin, data),
            )
            exit_code = await process.wait()
    except TimeoutError:
        raise LimitsExceeded("took too long to read", limit="reading_time") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if len(stdout) > max_stdout_bytes:
        raise LimitsExceeded("more output than expected")
    end = last_lines(complaints)
    check_started(exit_code, end)
    return Finished(exit_code, stdout, end)


async def _read_beginning(stream: asyncio.StreamReader, most: int) -> bytes:
    data = b""
    while piece := await stream.read(_PIECE_SIZE):
        data += piece[: most - len(data)]
    return data


async def _read_end(stream: asyncio.StreamReader) -> bytes:
    data = b""
    while piece := await stream.read(_PIECE_SIZE):
        data = (data + piece)[-_KEPT_STDERR_BYTES:]
    return data


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    # A program may end before it has read everything.
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    stream.close()


def check_started(exit_code: int | None, complaints: str) -> None:
    """Raise OSError if the guard could not start the program: the machine is at fault, not the media."""
    if exit_code == guard.CANNOT_START and complaints.startswith("guard: "):
        raise OSError(complaints)


def scrub(text: str) -> str:
    """Return ``text`` without URLs and NULs.

    A presigned URL is a key to its object.  Names inside a file may hold NULs, which
    PostgreSQL does not store.
    """
    return _URL.sub("<source>", text.replace("\0", "")).strip()


def last_lines(complaints: bytes) -> str:
    """Return the last lines of a program's stderr, scrubbed."""
    lines = complaints.decode("utf-8", "replace").splitlines()[-_KEPT_STDERR_LINES:]
    return scrub("\n".join(lines))
