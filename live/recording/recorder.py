"""Writer of a recording in the background.

It queues segments in memory or on disk, and stores them in order.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from common import storage
from live.recording.assembler import RecordedSegment
from live.recording.spool import SpoolFolder, SpoolFull, Unreadable
from live.recording.writer import RecordingWriter, StorageLimitReached
from videos.services.recordings import RecordingClosed

logger = logging.getLogger(__name__)

# Waiting segments are moved to disk above the first bound, and dropped above the second
# if the disk is full.
MEMORY_BYTES = 16 * 1024**2
MAX_WAITING_BYTES = 64 * 1024**2
# Longer queues mean that storage is behind.
MAX_QUEUE_IN_TIME = 2
RETRY_S = (0.5, 1.0, 2.0, 4.0)


class Recorder:
    """Writer of a recording in the background, segment by segment, in order.

    Segments wait in memory up to ``MEMORY_BYTES``.  Beyond that, or while storage is slow,
    they are moved to ``spool``, which outlives this process.  If the disk is full, the
    oldest segments in memory are dropped above ``MAX_WAITING_BYTES``.

    ``open_writer`` is called in a thread of ``executor`` after ``predecessor`` has stored
    its segments, and again after a storage, SQL or Redis error; it returns None if the
    broadcast has no recording or belongs to another connection.
    """

    def __init__(
        self,
        open_writer: Callable[[], RecordingWriter | None],
        executor: Executor,
        spool: SpoolFolder | None = None,
        predecessor: Recorder | None = None,
    ) -> None:
        self.is_storage_down = False
        self.has_lost = False
        self.is_full = False  # the channel reached its storage limit, so the recording has ended
        self._is_stopped = False
        self._open_writer = open_writer
        self._executor = executor
        self._spool = spool
        self._predecessor = predecessor
        self._spilling: asyncio.Task[None] | None = None
        self._writer: RecordingWriter | None = None
        self._queue: deque[RecordedSegment] = deque()
        self._has_news = asyncio.Event()
        self._is_ending = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def check(self) -> None:
        """Raise the error that ended the storing task; return normally if the recording was closed."""
        if self._task is not None and self._task.done():
            self._task.result()

    def add(self, segment: RecordedSegment) -> None:
        """Append a segment.  Raises the error that ended the storing task, like :meth:`check`."""
        self.check()
        if self._task and self._task.done():  # the recording is closed: drop the segment
            return
        self._queue.append(segment)
        self._spill_soon()
        while len(self._queue) > 1 and self._memory_bytes > MAX_WAITING_BYTES:
            lost = next(other for other in self._queue if other.memory_bytes)
            self._queue.remove(lost)
            self.has_lost = True
            logger.error("Gap in a recording: storage did not answer", extra={"seconds": lost.duration_s})
        self._has_news.set()

    @property
    def _memory_bytes(self) -> int:
        return sum(segment.memory_bytes for segment in self._queue)

    def _spill_soon(self) -> None:
        """Start to move waiting segments to disk if they exceed the memory limit."""
        if self._spilling is not None and not self._spilling.done():
            return
        if self._spool and self._memory_bytes > self._memory_limit_bytes:
            self._spilling = asyncio.create_task(self._spill(self._spool))

    @property
    def _memory_limit_bytes(self) -> int:
        # Storage that hangs raises only after its timeout, so a long queue counts as an outage too.
        is_behind = len(self._queue) > MAX_QUEUE_IN_TIME
        return 0 if is_behind or self.is_storage_down or self._is_stopped else MEMORY_BYTES

    async def _spill(self, spool: SpoolFolder) -> None:
        """Move waiting segments to disk, oldest first, until memory is below the limit."""
        while self._memory_bytes > self._memory_limit_bytes:
            oldest = next(segment for segment in self._queue if segment.memory_bytes)
            try:
                # Not in our executor, whose threads wait for storage.
                await asyncio.to_thread(oldest.spill, spool)
            except SpoolFull:
                logger.warning("Not enough disk space for recordings that wait for storage")
                return

    async def drain(self, timeout_s: float) -> bool:
        """Accept the end of the recording, and wait until all segments are stored.

        Return False after ``timeout_s``; a later call continues to wait.
        """
        self._is_ending = True
        self._has_news.set()
        if self._task is None:
            return True
        done, _ = await asyncio.wait([self._task], timeout=timeout_s)
        return bool(done)

    async def stop(self) -> None:
        """Stop storing, and move the waiting segments to disk for the recovery."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._spool:
            self._is_stopped = True
            # Not cancelled, because its thread would go on writing.
            if self._spilling:
                await asyncio.gather(self._spilling, return_exceptions=True)
            await self._spill(self._spool)
            self._spool.close()

    async def _run(self) -> None:
        """Store the segments in order; a failed one stays first, unless it is dropped to make room."""
        failures = 0
        try:
            if self._predecessor and self._predecessor._task:
                await asyncio.wait([self._predecessor._task])
                self._predecessor = None
            while True:
                try:
                    await asyncio.get_running_loop().run_in_executor(self._executor, self._write_next)
                    failures, self.is_storage_down = 0, False
                except (*storage.StorageError, DatabaseError, RedisError) as error:
                    failures, self.is_storage_down = failures + 1, True
                    self._spill_soon()
                    if failures == 1:
                        logger.warning("Recording delayed", extra={"reason": type(error).__name__})
                    await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S)) - 1])
                    continue
                if self._queue:
                    continue
                if self._is_ending:
                    return
                self._has_news.clear()
                await self._has_news.wait()
        except RecordingClosed as closed:
            self.is_storage_down = False
            self.is_full = isinstance(closed, StorageLimitReached)
            self._queue.clear()
            logger.info("Recording closed or claimed by another ingest")

    def _write_next(self) -> None:
        """Open the writer, or write the first segment; runs in a thread."""
        try:
            if self._writer is None:
                self._writer = self._open_writer()
                if self._writer is None:
                    raise RecordingClosed
            elif self._queue:
                segment = self._queue[0]
                try:
                    self._writer.write(segment)
                except Unreadable:
                    self.has_lost = True
                    logger.exception("Gap in a recording", extra={"seconds": segment.duration_s})
                # It may have been dropped in the meantime.
                if self._queue and self._queue[0] is segment:
                    self._queue.popleft()
        finally:
            connection.close()  # the connection of this thread
