"""Finished live segments become the recording: joined, stored in every rendition, then listed.

:class:`Shelf` is the pure half: it collects what the packagers make and joins live
segments to recorded ones.  :class:`RecordingWriter` stores and lists, from a
thread; :class:`Recorder` stands between them with a bounded queue, so that a
bucket that does not answer costs at worst a stretch of the recording.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import DatabaseError, connection, transaction
from redis.exceptions import RedisError

from live.models import Broadcast
from videoplatform import storage
from videos.models import Job, Video
from videos.publishing import RECORDING_TARGET_DURATION_S
from videos.services import recordings
from videos.services.recordings import RecordedRendition, RecordingClosed
from videos.transcoding.chunks import SEGMENT_S

logger = logging.getLogger(__name__)

# A list in SQL is written anew with every segment: after 20 minutes another begins.
SEGMENTS_PER_JOB = 300
# What rounds to the target duration and no more (RFC 8216, 4.3.3.1).
LONGEST_SEGMENT_S = RECORDING_TARGET_DURATION_S + 0.4
MAX_WAITING_BYTES = 64 * 1024**2
RETRY_S = (0.5, 1.0, 2.0, 4.0)
# How often a writer may find that somebody else wrote meanwhile.
LOOKS = 3


@dataclass(slots=True)
class LiveSegment:
    """One live segment in every rendition; ``is_discontinuous`` where an epoch begins.

    ``starts_at`` is its first picture's wall clock (Unix time).
    """

    msn: int
    duration_s: float
    is_discontinuous: bool
    starts_at: float
    inits: dict[str, bytes]
    data: dict[str, bytes]


@dataclass(slots=True)
class Joined:
    """Consecutive live segments of one epoch that are stored as one."""

    segments: list[LiveSegment]

    @property
    def first_msn(self) -> int:
        return self.segments[0].msn

    @property
    def last_msn(self) -> int:
        return self.segments[-1].msn

    @property
    def duration_s(self) -> float:
        return min(sum(segment.duration_s for segment in self.segments), LONGEST_SEGMENT_S)

    @property
    def size_bytes(self) -> int:
        return sum(len(data) for segment in self.segments for data in segment.data.values())

    def data(self, rendition: str) -> bytes:
        return b"".join(segment.data[rendition] for segment in self.segments)

    def after(self, msn: int) -> Joined | None:
        """What of it follows live segment ``msn``."""
        left = [segment for segment in self.segments if segment.msn > msn]
        return Joined(left) if left else None

    def takes(self, segment: LiveSegment) -> bool:
        """Whether ``segment`` still belongs to it."""
        duration_s = sum(own.duration_s for own in self.segments)
        is_next = segment.msn == self.last_msn + 1 and not segment.is_discontinuous
        return is_next and duration_s < SEGMENT_S and duration_s + segment.duration_s <= LONGEST_SEGMENT_S


def join(segments: Iterable[LiveSegment]) -> Iterator[Joined]:
    """Join live segments to recorded ones of at least ``SEGMENT_S``, cut at the same numbers everywhere."""
    joined: Joined | None = None
    for segment in segments:
        if joined and joined.takes(segment):
            joined.segments.append(segment)
            continue
        if joined:
            yield joined
        joined = Joined([segment])
    if joined:
        yield joined


class Shelf:
    """Collects the parts of every rendition until a recorded segment is complete."""

    def __init__(self, renditions: Sequence[str]) -> None:
        self._renditions = renditions
        self._inits: dict[str, bytes] = {}
        self._parts: dict[int, dict[str, list[bytes]]] = {}
        self._durations: dict[int, dict[str, float]] = {}
        self._joined: Joined | None = None
        self._is_new = True
        self._starts_at = 0.0

    def begin_epoch(self, started_at: float) -> Joined | None:
        """A new timeline from that moment (Unix time): return what was in hand of the old one."""
        self._starts_at = started_at
        self._parts.clear()
        self._durations.clear()
        self._inits.clear()
        self._is_new = True
        return self.flush()

    def add_init(self, rendition: str, data: bytes) -> None:
        self._inits[rendition] = data

    def add_part(self, rendition: str, msn: int, data: bytes) -> None:
        self._parts.setdefault(msn, {}).setdefault(rendition, []).append(data)

    def end_segment(self, rendition: str, msn: int, duration_s: float) -> Joined | None:
        """Return a recorded segment if the end of this live one, in its last rendition, completes it."""
        durations = self._durations.setdefault(msn, {})
        durations[rendition] = duration_s
        if len(durations) < len(self._renditions):
            return None
        parts = self._parts.pop(msn, {})
        del self._durations[msn]
        if len(parts) < len(self._renditions):
            return None
        segment = LiveSegment(
            msn,
            max(durations.values()),
            self._is_new,
            self._starts_at,
            dict(self._inits),
            {name: b"".join(data) for name, data in parts.items()},
        )
        self._is_new = False
        self._starts_at += segment.duration_s
        return self._add(segment)

    def flush(self) -> Joined | None:
        joined, self._joined = self._joined, None
        return joined

    def _add(self, segment: LiveSegment) -> Joined | None:
        complete = None
        if self._joined is None or not self._joined.takes(segment):
            complete, self._joined = self._joined, Joined([segment])
        else:
            self._joined.segments.append(segment)
        # Stored as soon as it is long enough: rewinding reaches as far as that.
        if complete is None and self._joined.duration_s >= SEGMENT_S:
            return self.flush()
        return complete


class RecordingWriter:
    """Stores and lists recorded segments of one broadcast; synchronous, one at a time.

    Two may be at work at once, an ingest and whoever thinks that it is dead: each
    writes into jobs of its own, and what the broadcast has recorded changes only
    from the number that the writer saw.  Where they meet, the one that
    ``gives_way`` stops, and the other goes on behind it.
    """

    def __init__(
        self, broadcast: Broadcast, renditions: Sequence[RecordedRendition], *, gives_way: bool = False
    ) -> None:
        assert broadcast.recording is not None  # noqa: S101 (who has none makes no writer)
        self._broadcast_pk = broadcast.pk
        self._connection_id = broadcast.connection_id
        self._video: Video = broadcast.recording
        self._renditions = renditions
        self._listed_msn = broadcast.recorded_msn
        self._job: Job | None = None
        self._has_init = False
        self._gives_way = gives_way

    def write(self, joined: Joined) -> None:
        """Store and list what is not listed yet.

        Raises RecordingClosed when this writer has nothing more to say, and
        StorageError or DatabaseError, after which it may be tried again.
        """
        for _ in range(LOOKS):
            left = joined.after(self._listed_msn)
            if left is None:
                return
            try:
                self._write(left)
            except RecordingClosed:
                if self._gives_way:
                    raise
                self._look_again()
        raise RecordingClosed

    def _write(self, joined: Joined) -> None:
        job = self._job_for(joined)
        if not self._has_init:
            for name, data in joined.segments[0].inits.items():
                storage.put_bytes(recordings.init_key(job, name), data)
            self._has_init = True
        for rendition in self._renditions:
            key = recordings.segment_key(job, rendition.name, len(job.segments))
            storage.put_bytes(key, joined.data(rendition.name))
        with transaction.atomic():
            seen = Broadcast.objects.filter(pk=self._broadcast_pk, recorded_msn=self._listed_msn)
            if not seen.update(recorded_msn=joined.last_msn):
                raise RecordingClosed
            recordings.append_segment(job, duration_s=joined.duration_s, size_bytes=joined.size_bytes)
        self._listed_msn = joined.last_msn

    def _job_for(self, joined: Joined) -> Job:
        """What ``joined`` goes into: a new job for a new timeline, behind a gap, or when one is full."""
        follows = joined.first_msn == self._listed_msn + 1 and not joined.segments[0].is_discontinuous
        is_unused = self._job is not None and not self._job.segments
        if self._job and (is_unused or follows) and len(self._job.segments) < SEGMENTS_PER_JOB:
            return self._job
        began_at = datetime.fromtimestamp(joined.segments[0].starts_at, tz=UTC)
        self._job = recordings.open_job(self._video, is_continuous=follows, began_at=began_at)
        recordings.add_renditions(self._video, self._renditions)
        self._has_init = False
        return self._job

    def _look_again(self) -> None:
        """Somebody else wrote: go on behind them, unless the broadcast is no longer ours."""
        self._job = None
        ours = Broadcast.objects.filter(pk=self._broadcast_pk, connection_id=self._connection_id)
        listed_msn = ours.values_list("recorded_msn", flat=True).first()
        if listed_msn is None:
            raise RecordingClosed
        self._listed_msn = listed_msn


class Recorder:
    """Carries recorded segments to their writer in order, and gives up the oldest when too many wait.

    ``open_writer`` is called in the thread, once, before the first segment.
    """

    def __init__(self, open_writer: Callable[[], RecordingWriter | None], executor: Executor) -> None:
        self._open_writer = open_writer
        self._executor = executor
        self._writer: RecordingWriter | None = None
        self._waiting: deque[Joined] = deque()
        self._has_news = asyncio.Event()
        self._is_ending = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def add(self, joined: Joined) -> None:
        if self._task and self._task.done():
            return
        self._waiting.append(joined)
        while len(self._waiting) > 1 and sum(other.size_bytes for other in self._waiting) > MAX_WAITING_BYTES:
            lost = self._waiting.popleft()
            logger.error("A gap in a recording: storage did not answer", extra={"seconds": lost.duration_s})
        self._has_news.set()

    async def drain(self, timeout_s: float) -> bool:
        """Store what waits; false if that took too long, and the rest is given up."""
        self._is_ending = True
        self._has_news.set()
        if self._task is None:
            return True
        done, _ = await asyncio.wait([self._task], timeout=timeout_s)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return bool(done)

    async def _run(self) -> None:
        """Store one after the other; what fails stays first in line, unless it has to make room."""
        failures = 0
        try:
            while True:
                try:
                    await asyncio.get_running_loop().run_in_executor(self._executor, self._step)
                    failures = 0
                except (*storage.StorageError, DatabaseError, RedisError) as error:
                    failures += 1
                    if failures == 1:
                        logger.warning("Recording waits", extra={"reason": type(error).__name__})
                    await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S)) - 1])
                    continue
                if self._waiting:
                    continue
                if self._is_ending:
                    return
                self._has_news.clear()
                await self._has_news.wait()
        except RecordingClosed:
            self._waiting.clear()
            logger.info("The recording is closed, or somebody else's now")

    def _step(self) -> None:
        """In a thread: open the writer, or write the first in line."""
        try:
            if self._writer is None:
                self._writer = self._open_writer()
                if self._writer is None:
                    raise RecordingClosed
            elif self._waiting:
                joined = self._waiting[0]
                self._writer.write(joined)
                # Given up meanwhile, it is no longer the first.
                if self._waiting and self._waiting[0] is joined:
                    self._waiting.popleft()
        finally:
            connection.close()  # this thread's own
