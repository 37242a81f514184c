"""The runner of encodes: it yields segments as they are finished and leaves no process behind."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from . import log_tail
from .errors import DecodeFailed, EncodeFailed, FFmpegFailed, HostTrouble, StorageFailed
from .mp4 import box_kinds
from .processes import DISK_TROUBLE, STORAGE_TROUBLE, check_started, last_lines, run_short, scrub, start
from .sandbox import PROBE_ADDRESS_SPACE_BYTES, ProcessLimits, encoding

INIT_SEGMENT = "init.mp4"
"""Name of the init segment in each output directory."""

_POLL_S = 0.25
_GUARD_S = 0.1
_KEPT_STDERR_BYTES = 16_384
_POSTER_TIMEOUT_S = 120
_REMUX_TIMEOUT_S = 1800
# Tolerance between a rendition and its encoder's count: rounding, and one audio block.
_TOLERANCE_S = 0.1
_SEGMENT_BOXES = frozenset({b"moof", b"mdat"})
_INIT_BOXES = frozenset({b"moov"})
_END_OF_JPEG = b"\xff\xd9"
# FFmpeg's own exit code for a source of which more than two thirds did not decode (-max_error_rate).
_TOO_MUCH_DAMAGE = 69
_ENTRY = re.compile(r"#EXTINF:([\d.]+),[^\n]*\n(?:#[^\n]*\n)*([^#\n]+)\n")


@dataclass(frozen=True, slots=True)
class FinishedSegment:
    """One complete file on disk; the consumer may delete it.

    ``output_index`` counts the encode's outputs, ``number`` the video's segments
    from 0.
    """

    output_index: int
    number: int
    path: Path
    duration_s: float


def run_encode(
    argv: Sequence[str],
    workdir: Path,
    *,
    outputs: Sequence[Path],
    on_progress: Callable[[float], None] | None = None,
    timeout_s: float = 12 * 3600,
    stall_s: float = 120,
    disk_bytes: int = 256 * 1024**2,
    allow_empty: bool = False,
    frame_rate: Fraction | None = None,
    planned_s: float = 0.0,
    compares_lengths: bool = True,
) -> Generator[FinishedSegment, None, None]:
    """Run FFmpeg and yield each segment as soon as it is complete.

    ``outputs`` are the directories its HLS muxers write to; each ends up with an
    ``INIT_SEGMENT`` before its first segment is yielded.  ``on_progress`` gets the
    seconds encoded so far about twice a second and may raise to abandon the work.
    FFmpeg is paused while more than ``disk_bytes`` of finished segments wait for the
    consumer.  The clocks stand still while the consumer holds a segment.

    On a full disk, FFmpeg's HLS muxer ends with 0 and no message.  So the segments are
    compared with the encoder's count: frames at ``frame_rate``, or seconds of audio if it
    is None.  A result shorter than ``planned_s`` is the source's true end, unless FFmpeg
    had trouble fetching the source.  ``compares_lengths`` is False for frames that keep
    their own times, whose segments the consumer counts.

    Raises FFmpegFailed with an exit code, StorageFailed if the source could not be
    fetched, HostTrouble if segments are missing or cut, EncodeFailed after ``stall_s``
    without progress or ``timeout_s`` in all, and DecodeFailed if most of the source is
    damaged or, unless ``allow_empty``, nothing came out.
    """
    for output in outputs:
        output.mkdir(parents=True, exist_ok=True)
    shelves = [_Shelf(index, output) for index, output in enumerate(outputs)]
    encoder = _Encoder(argv, workdir, outputs, timeout_s, stall_s)
    with encoder, _DiskGuard(encoder, shelves, disk_bytes):
        has_ended = False
        while not has_ended:
            has_ended = encoder.poll(on_progress)
            yield from _take(shelves)
        encoder.check_exit()
        encoded_s = encoder.encoded_s(frame_rate)
        for shelf in shelves if compares_lengths else ():
            shelf.check_length(encoded_s)
        encoder.check_fetched(planned_s, encoded_s)
    if not allow_empty and not all(shelf.taken for shelf in shelves):
        raise DecodeFailed("FFmpeg encoded nothing")


def run_poster(argv: Sequence[str], path: Path) -> Path | None:
    """Run the command that writes a poster to ``path``; return None if it wrote none.

    Raises StorageFailed, HostTrouble or FFmpegFailed.
    """
    finished = run_short(argv, timeout_s=_POSTER_TIMEOUT_S, writes=[path.parent])
    if finished.exit_code != 0:
        if STORAGE_TROUBLE.search(finished.stderr):
            raise StorageFailed(finished.stderr)
        if DISK_TROUBLE.search(finished.stderr):
            raise HostTrouble(finished.stderr)
        raise FFmpegFailed(finished.exit_code, finished.stderr)
    if not path.exists():
        return None
    # FFmpeg ends with 0 on a full disk.
    if not path.read_bytes().endswith(_END_OF_JPEG):
        raise HostTrouble("the poster is cut")
    return path


def run_remux(argv: Sequence[str], path: Path, *, max_bytes: int) -> Path:
    """Run the command that writes an MP4 to ``path`` from files beside it, and return the path.

    Raises HostTrouble, LimitsExceeded or FFmpegFailed.
    """
    limits = ProcessLimits(PROBE_ADDRESS_SPACE_BYTES, _REMUX_TIMEOUT_S, max_bytes)
    finished = run_short(argv, timeout_s=_REMUX_TIMEOUT_S, writes=[path.parent], limits=limits)
    if DISK_TROUBLE.search(finished.stderr):
        raise HostTrouble(finished.stderr)
    if finished.exit_code != 0 or not path.exists():
        raise FFmpegFailed(finished.exit_code, finished.stderr)
    return path


class _Shelf:
    """An output directory: the segments in its playlist, and the number of those taken."""

    def __init__(self, index: int, directory: Path) -> None:
        self.taken = 0
        self._index = index
        self._directory = directory
        self._listed: list[FinishedSegment] = []
        self._seen_at_ns = 0

    def refresh(self) -> None:
        """Read the playlist if it changed; FFmpeg replaces it whole, after the segments it names."""
        playlist = self._directory / "index.m3u8"
        try:
            changed_at_ns = playlist.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed_at_ns != self._seen_at_ns:
            self._seen_at_ns = changed_at_ns
            entries = _ENTRY.findall(playlist.read_text())
            files = [(self._directory / Path(name).name, float(duration_s)) for duration_s, name in entries]
            listed = [
                FinishedSegment(self._index, int(path.stem), path, duration_s)
                for path, duration_s in files
                # FFmpeg writes one empty segment if a chunk lies behind the source's end.
                if duration_s > 0
            ]
            # A playlist that shrinks was cut by a full disk.
            if len(listed) >= len(self._listed):
                self._listed = listed

    def take(self) -> FinishedSegment | None:
        """Return the next segment, None if none is waiting.  Raises HostTrouble if it is cut."""
        if self.taken == len(self._listed):
            return None
        segment = self._listed[self.taken]
        if not box_kinds(segment.path) >= _SEGMENT_BOXES:
            raise HostTrouble(f"segment {segment.number} is cut")
        if not self.taken and not box_kinds(self._directory / INIT_SEGMENT) >= _INIT_BOXES:
            raise HostTrouble("the init segment is cut")
        self.taken += 1
        return segment

    def check_length(self, encoded_s: float) -> None:
        """Raise HostTrouble unless the segments are as long as the encoder's count, in seconds."""
        listed_s = sum(segment.duration_s for segment in self._listed)
        if abs(listed_s - encoded_s) > _TOLERANCE_S:
            raise HostTrouble(f"output {self._index}: {listed_s:.2f} s of {encoded_s:.2f} s are on the disk")

    def waiting_bytes(self) -> int:
        """Return the size of the segments that are finished and not taken.

        The newest file does not count: it may be half written or not yet listed, and a
        paused FFmpeg would never finish it.
        """
        files = sorted(self._directory.glob("*.m4s*"), key=lambda path: int(path.name.partition(".")[0]))
        taken = {segment.path.name for segment in self._listed[: self.taken]}
        return sum(_size_bytes(path) for path in files[:-1] if path.name not in taken)


def _take(shelves: Sequence[_Shelf]) -> Generator[FinishedSegment, None, None]:
    """Yield the finished segments, in turn from every output, so that the outputs stay abreast."""
    for shelf in shelves:
        shelf.refresh()
    while segments := [segment for shelf in shelves if (segment := shelf.take())]:
        yield from segments


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # renamed from .tmp, or deleted by the consumer, since we listed it


class _Encoder:
    """The FFmpeg process, with its pipes and time limits; it ends with the block."""

    def __init__(
        self, argv: Sequence[str], workdir: Path, outputs: Sequence[Path], timeout_s: float, stall_s: float
    ) -> None:
        self._timeout_s, self._stall_s = timeout_s, stall_s
        self._popen = start(argv, encoding(timeout_s), writes=[workdir, *outputs], cwd=workdir)
        self._progress = _Progress()
        self._complaints = b""
        self._elapsed_s = self._standing_s = 0.0
        self._looked_at = time.monotonic()
        self._selector = selectors.DefaultSelector()
        for pipe, receive in (
            (self._popen.stdout, self._progress.feed),
            (self._popen.stderr, self._complain),
        ):
            assert pipe is not None  # noqa: S101 (we asked for pipes)
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, receive)

    def __enter__(self) -> _Encoder:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process, also after an exception in the block."""
        self._popen.kill()
        self._selector.close()
        with self._popen:
            pass

    def poll(self, on_progress: Callable[[float], None] | None) -> bool:
        """Wait a moment for output and report progress; return True after FFmpeg's end and last output."""
        self._looked_at = time.monotonic()
        for key, _ in self._selector.select(_POLL_S):
            data = os.read(key.fd, 65_536)
            if data:
                key.data(data)
            else:
                self._selector.unregister(key.fileobj)
        self._watch_clocks()
        if self._progress.has_news() and on_progress:
            on_progress(self._progress.encoded_s)
        if self._selector.get_map():
            return False
        return self._has_ended()

    def pause(self) -> None:
        """Pause FFmpeg."""
        self._popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume a paused FFmpeg."""
        self._popen.send_signal(signal.SIGCONT)

    def check_exit(self) -> None:
        """Raise StorageFailed, HostTrouble, DecodeFailed or FFmpegFailed unless FFmpeg ended with 0.

        Raises OSError if it could not be started.
        """
        complaints = self._stderr_text
        check_started(self._popen.returncode, complaints)
        if self._popen.returncode:
            if STORAGE_TROUBLE.search(complaints):
                raise StorageFailed(complaints[-500:])
            if DISK_TROUBLE.search(complaints):
                raise HostTrouble(complaints[-500:])
            tail = last_lines(self._complaints)
            if self._popen.returncode == _TOO_MUCH_DAMAGE:
                # Another try would not decode it either.
                raise DecodeFailed(f"most of it does not decode: {tail}")
            raise FFmpegFailed(self._popen.returncode, tail)

    def check_fetched(self, planned_s: float, encoded_s: float) -> None:
        """Raise StorageFailed if the encode is short and its source could not be fetched to the end."""
        if encoded_s < planned_s - _TOLERANCE_S and STORAGE_TROUBLE.search(self._stderr_text):
            raise StorageFailed(f"{encoded_s:.2f} s of {planned_s:.2f} s: {self._stderr_text[-500:]}")

    def encoded_s(self, frame_rate: Fraction | None) -> float:
        """Return the seconds that FFmpeg encoded: by frames for video, by time for audio."""
        return float(self._progress.frames / frame_rate) if frame_rate else self._progress.encoded_s

    @property
    def _stderr_text(self) -> str:
        return scrub(self._complaints.decode("utf-8", "replace"))

    def _complain(self, data: bytes) -> None:
        log_tail.keep(data)
        self._complaints = log_tail.whole_lines(self._complaints + data, _KEPT_STDERR_BYTES)

    def _has_ended(self) -> bool:
        """Give a process with closed pipes a moment to end; the clocks watch it meanwhile."""
        try:
            self._popen.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _watch_clocks(self) -> None:
        passed_s = time.monotonic() - self._looked_at
        self._elapsed_s += passed_s
        self._standing_s = 0.0 if self._progress.has_moved() else self._standing_s + passed_s
        if self._standing_s > self._stall_s:
            raise EncodeFailed(f"no progress for {self._stall_s:.0f} s")
        if self._elapsed_s > self._timeout_s:
            raise EncodeFailed(f"not finished after {self._timeout_s:.0f} s")


class _DiskGuard(threading.Thread):
    """A thread that pauses FFmpeg while too many bytes wait, also if the consumer is slow."""

    def __init__(self, encoder: _Encoder, shelves: Sequence[_Shelf], disk_bytes: int) -> None:
        super().__init__(name="disk guard", daemon=True)
        self._encoder, self._shelves, self._disk_bytes = encoder, shelves, disk_bytes
        self._is_over = threading.Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()

    def run(self) -> None:
        """Compare the waiting bytes with the limit several times a second until the encode is over."""
        is_paused = False
        while not self._is_over.wait(_GUARD_S):
            is_full = sum(shelf.waiting_bytes() for shelf in self._shelves) > self._disk_bytes
            if is_full and not is_paused:
                self._encoder.pause()
            elif is_paused and not is_full:
                self._encoder.resume()
            is_paused = is_full


class _Progress:
    """A parser of ``-progress``: blocks of ``key=value`` lines, each closed by ``progress=…``."""

    def __init__(self) -> None:
        self.encoded_s = 0.0
        self.frames = 0
        self._rest = b""
        self._values: dict[bytes, bytes] = {}
        self._has_news = self._has_moved = False

    def feed(self, data: bytes) -> None:
        """Parse a piece of output, which may end inside a line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            key, _, value = line.strip().partition(b"=")
            # Sizes grow before the first frame's time does.
            if key in {b"out_time_us", b"total_size", b"frame"} and self._values.get(key) != value:
                self._has_moved = True
            self._values[key] = value
            if key == b"progress":
                self._close_block()

    def has_news(self) -> bool:
        """Return whether a block came since the last call."""
        news, self._has_news = self._has_news, False
        return news

    def has_moved(self) -> bool:
        """Return whether any value changed since the last call."""
        moved, self._has_moved = self._has_moved, False
        return moved

    def _close_block(self) -> None:
        self._has_news = True
        value = self._values.get(b"out_time_us", b"")
        if value.isdigit():
            self.encoded_s = int(value) / 1_000_000
        frames = self._values.get(b"frame", b"")
        if frames.isdigit():
            self.frames = int(frames)
