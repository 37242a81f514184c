"""Session of one publisher, from its admission to the last stored segment.

The session probes the signal, goes on air, encodes, stores, and releases the broadcast.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, time
from typing import Any, ParamSpec, Protocol, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from redis.asyncio import Redis
from redis.exceptions import RedisError

from live import broadcasting, ingest_presence
from live.bounds import BitrateLimit, Budget
from live.broadcasting import MayNotPublish, Standing
from live.edge.writer import Overtaken
from live.ingest.auth import SUSPENDED
from live.ingest.broadcast_session import KEYFRAME_WITHIN_S, NO_KEYFRAME, BroadcastSession
from live.ingest.clock import Clock
from live.ingest.frames import FlvTag, read_frame
from live.ingest.health import HealthMonitor
from live.ingest.inbox import Inbox
from live.ingest.probe import SignalProbe, UnusableSignal
from live.ingest.server import BROKEN
from live.ingest.source import Source
from live.ingest_presence import Awaited
from live.models import Broadcast, Stream
from live.recording.recorder import Recorder
from live.recording.spool import Spool
from live.task_errors import error_of

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# Longest wait for a decodable picture: a relay may join in the middle of a long GOP,
# and a camera needs time to start.
PICTURE_WITHIN_S = 20.0
# A publisher that has sent nothing for longer may be replaced by a newer one.
SILENT_AFTER_S = 2.0
HEALTH_EVERY_S = 2.0
# Longer than a usual start, and shorter than the report is kept.
AWAITED_EVERY_S = 2.0
# Time within which a cancelled session must end.
STOP_WITHIN_S = 1.5

NO_PICTURE = "Only audio received, no video. Check that your encoder sends H.264."
TOO_FAST = "Your encoder sends more than {limit:g} Mb/s. Lower its bitrate."
STORAGE_LIMIT = "Your storage is full. Delete videos, or turn off recording in the live studio."
REPLACED = "Another encoder is now publishing with this key."
ENDED = "This broadcast has ended."
KEY_CHANGED = "This stream key is no longer valid. Copy the current key from the live studio."
NOT_NOW = "The server is unavailable. Try again in a moment."
RESTARTING = "The server is restarting."
REASONS = {
    Standing.KEY_CHANGED: KEY_CHANGED,
    Standing.SUSPENDED: SUSPENDED,
    Standing.STORAGE_LIMIT: STORAGE_LIMIT,
    Standing.REPLACED: REPLACED,
    Standing.ENDED: ENDED,
}


class PublisherConnection(Protocol):
    """Part of :class:`live.ingest.server.Publisher` that a session uses."""

    @property
    def connection_id(self) -> str: ...

    @property
    def host(self) -> str: ...

    def close(self, code: str = "", description: str = "") -> None: ...


class SessionHost(Protocol):
    """Part of :class:`live.ingest.registry.SessionRegistry` that a session uses."""

    redis: Redis
    frames: Budget
    spool: Spool
    executor: ThreadPoolExecutor

    async def take_over(self, broadcast: str, session: PublisherSession) -> Recorder | None:
        """Make ``session`` current, and return the predecessor's recorder if it still stores segments."""

    def forget(self, broadcast: str, session: PublisherSession) -> None: ...


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a database call in a thread of its own, in parallel with other calls."""
    result: T = await database_sync_to_async(call, thread_sensitive=False)(*args, **kwargs)
    return result


class PublisherSession:
    """Session of one publisher, from its admission to the last stored segment."""

    def __init__(self, stream: Stream, publisher: PublisherConnection, host: SessionHost) -> None:
        self.stream = stream
        self.connection_id = publisher.connection_id
        self.monitor = HealthMonitor()
        self.on_air: BroadcastSession | None = None
        self._publisher = publisher
        self._host = host
        self._clock = Clock()
        self._inbox = Inbox(host.frames)
        self._allowance = BitrateLimit(settings.LIVE_MAX_BITRATE_BPS)
        self._probe = SignalProbe(host.frames)
        self._has_unpublished = self._has_ended = False
        self._admitted_at = timezone.now()
        self._sent_at = monotonic()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run())
        return self._task

    @property
    def is_sending(self) -> bool:
        """Return whether the encoder is connected and has just sent something."""
        return not self._has_ended and monotonic() - self._sent_at < SILENT_AFTER_S

    @property
    def ffmpeg_pid(self) -> int | None:
        run = self.on_air.run if self.on_air else None
        return run.pid if run else None

    async def on_tag(self, tag: FlvTag) -> None:
        """Process a tag without waiting; frames beyond the limits are dropped."""
        now, self._sent_at = time(), monotonic()
        if not self._allowance.take(len(tag.payload), self._sent_at):
            self.disconnect(TOO_FAST.format(limit=settings.LIVE_MAX_BITRATE_BPS / 1_000_000))
            # The ended inbox ignores this frame.
        frame = self._clock.place(read_frame(tag, now))
        self.monitor.record(frame)
        if dropped := self._inbox.put(frame):
            self.monitor.record_dropped(dropped, now)
        if self._inbox.skips_for_s(now) > KEYFRAME_WITHIN_S:
            self.disconnect(NO_KEYFRAME)

    async def on_metadata(self, values: dict[str, Any]) -> None:
        self._probe.set_metadata(values)

    async def on_closed(self, *, has_unpublished: bool) -> None:
        self._has_unpublished, self._has_ended = has_unpublished, True
        self._inbox.end()

    def disconnect(self, reason: str) -> None:
        """Disconnect the publisher with ``reason``; encode and store the frames already received."""
        self._has_ended = True
        self._publisher.close(description=reason)
        self._inbox.end()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the session; return False after ``timeout_s``."""
        assert self._task is not None  # noqa: S101 (started by its registry)
        done, _ = await asyncio.wait([self._task], timeout=timeout_s)
        return bool(done)

    def stop(self) -> None:
        """Cancel the session; the recovery stores the remaining segments."""
        if self.on_air:
            self.on_air.is_hurried = True
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            if source := await self._probe_signal():
                await self._go_on_air(source)
        except UnusableSignal as reason:
            logger.info("Signal refused", extra={"stream": self.stream.pk, "reason": str(reason)})
            self.disconnect(str(reason))
        except Overtaken:
            logger.info("Publisher replaced by a newer one", extra={"stream": self.stream.pk})
            self.disconnect(REPLACED)
        finally:
            # This has no effect on a publisher that has gone or has received another reason.
            self.disconnect(BROKEN)
            self._inbox.clear()
            self._probe.take()  # returns its bytes to the budget

    def _run_or_disconnect(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` as a task; disconnect the publisher if it fails."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._disconnect_on_error)
        return task

    def _disconnect_on_error(self, task: asyncio.Task[None]) -> None:
        if error := error_of(task):
            logger.error(
                "Publisher disconnected by the server", exc_info=error, extra={"stream": self.stream.pk}
            )
            self.disconnect(BROKEN)

    async def _probe_signal(self) -> Source | None:
        """Probe the signal and return its source; None if the publisher leaves first.

        Raises UnusableSignal.
        """
        awaited_task = self._run_or_disconnect(self._report_awaited())
        try:
            async with asyncio.timeout(PICTURE_WITHIN_S):
                while frame := await self._inbox.get():
                    if self._probe.add(frame):
                        return self._probe.source()
        except TimeoutError:
            if self._probe.frames:
                return self._probe.source()
            raise UnusableSignal(NO_KEYFRAME if self._probe.waits_for_keyframe else NO_PICTURE) from None
        finally:
            await stop_tasks(awaited_task)
        return None

    async def _report_awaited(self) -> None:
        """Report regularly the frame without which the stream cannot go on air."""
        while True:
            await asyncio.sleep(AWAITED_EVERY_S)
            awaited = Awaited.KEYFRAME if self._probe.waits_for_keyframe else Awaited.VIDEO
            if not self._probe.frames:
                await self._call_service(ingest_presence.record_awaited, self.stream.pk, awaited)

    async def _go_on_air(self, source: Source) -> None:
        """Start the broadcast in SQL, run it, and release it.  Raises UnusableSignal."""
        try:
            broadcast = await in_thread(
                broadcasting.begin,
                self.stream,
                connection_id=self.connection_id,
                source=source.to_json(),
                admitted_at=self._admitted_at,
            )
        except MayNotPublish as refused:
            raise UnusableSignal(REASONS[refused.standing]) from refused
        except (DatabaseError, RedisError) as error:
            logger.exception("Broadcast not started", extra={"stream": self.stream.pk})
            raise UnusableSignal(NOT_NOW) from error
        keep_alive_task = self._run_or_disconnect(self._keep_alive(broadcast))
        health_task = self._run_or_disconnect(self._report_health_regularly(broadcast))
        try:
            predecessor = await self._host.take_over(broadcast.public_id, self)
            await self._stay_on_air(broadcast, source, keep_alive_task, predecessor)
        finally:
            self._host.forget(broadcast.public_id, self)
            await stop_tasks(keep_alive_task, health_task)
            await self._report_health(broadcast)
            await self._call_service(
                broadcasting.release, broadcast.pk, self.connection_id, has_unpublished=self._has_unpublished
            )

    async def _stay_on_air(
        self,
        broadcast: Broadcast,
        source: Source,
        keep_alive_task: asyncio.Task[None],
        predecessor: Recorder | None,
    ) -> None:
        """Encode until the publisher ends, then store the rest."""
        self.on_air = on_air = BroadcastSession(broadcast, source, self._probe, self._inbox, self.monitor)
        try:
            await on_air.open(
                self._host.redis,
                self._host.executor,
                self._host.spool,
                predecessor=predecessor,
            )
        except (DatabaseError, RedisError) as error:
            logger.warning("Edge not opened", extra={"broadcast": broadcast.public_id}, exc_info=error)
            raise UnusableSignal(NOT_NOW) from error
        try:
            await on_air.encode()
        finally:
            if not self._has_unpublished:
                # Viewers learn at once that the publisher is gone; storing the rest takes a moment.
                await stop_tasks(keep_alive_task)
                await self._call_service(broadcasting.interrupt, broadcast.pk, self.connection_id)
            storing = self._run_or_disconnect(self._keep_storing(broadcast))
            try:
                if not await on_air.close():
                    # Storage does not answer: end the broadcast for viewers, complete the recording later.
                    await self._call_service(
                        broadcasting.end_before_stored,
                        broadcast.pk,
                        self.connection_id,
                        has_unpublished=self._has_unpublished,
                    )
                await on_air.store_rest()
            finally:
                await stop_tasks(storing)
                if on_air.recorder:
                    await on_air.recorder.stop()

    async def _keep_storing(self, broadcast: Broadcast) -> None:
        """Tell SQL every ``KEEP_ALIVE_S`` seconds that this ingest still stores segments."""
        while True:
            await self._call_service(broadcasting.keep_storing, broadcast.pk, self.connection_id)
            await asyncio.sleep(ingest_presence.KEEP_ALIVE_S)

    async def _keep_alive(self, broadcast: Broadcast) -> None:
        """Report regularly that the publisher is on air; disconnect it if it may no longer publish."""
        while True:
            await asyncio.sleep(ingest_presence.KEEP_ALIVE_S)
            standing = await self._call_service(
                broadcasting.keep_alive,
                broadcast.pk,
                self.connection_id,
                key_digest=self.stream.key_digest,
            )
            if standing not in (None, Standing.GOOD):
                self.disconnect(REASONS[standing])
                return

    async def _report_health_regularly(self, broadcast: Broadcast) -> None:
        while True:
            await self._report_health(broadcast)
            await asyncio.sleep(HEALTH_EVERY_S)

    async def _report_health(self, broadcast: Broadcast) -> None:
        self.monitor.backlog_s = self._inbox.span_s
        if self.on_air and (recorder := self.on_air.recorder):
            self.monitor.waits_for_storage = recorder.is_storage_down
            self.monitor.has_lost_recording = recorder.has_lost
            self.monitor.is_storage_full = recorder.is_full
        health = self.monitor.report(time()).to_json()
        await self._call_service(ingest_presence.record_health, broadcast.public_id, health)

    async def _call_service(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call a service in a thread.

        If SQL or Redis does not answer, log it and return None; a later call repeats the update.
        """
        try:
            return await in_thread(call, *args, **kwargs)
        except (DatabaseError, RedisError) as error:
            logger.warning(
                "State not recorded",
                extra={"service": call.__name__, "reason": type(error).__name__},
            )
            return None


async def stop_tasks(*tasks: asyncio.Task[None] | None) -> None:
    running = [task for task in tasks if task]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
