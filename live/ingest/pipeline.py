"""A publisher's way from its first frame to its last: look, plan, go on air, encode, let go.

One :class:`Pipeline` for each connection that was admitted, and a
:class:`Broadcaster` that knows them all: of a broadcast's publishers the newest
counts, and what an older one has in hand is stored before the newer begins.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import Any, ParamSpec, Protocol, TypeVar

from channels.db import database_sync_to_async
from django.db import DatabaseError
from redis.exceptions import RedisError

from live import broadcasting, edge, liveness
from live.ingest.auth import stream_for
from live.ingest.frames import Tag, read_frame
from live.ingest.health import Monitor
from live.ingest.inbox import Inbox
from live.ingest.looking import Look, Unusable
from live.ingest.on_air import OnAir
from live.ingest.source import Source
from live.models import Broadcast, Stream

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

PICTURE_WITHIN_S = 6.0
HEALTH_EVERY_S = 2.0
# How long a newer publisher waits for the older one's last segments, and then for it to be stopped.
TAKE_OVER_WITHIN_S = 2.5
STOP_WITHIN_S = 1.5
UPLOADS_AT_ONCE = 8
RECONNECT_S = 1.0

NO_PICTURE = "No picture arrives. Check that your encoder sends H.264."
REPLACED = "Somebody publishes with this key from another place now."
ENDED = "This broadcast has ended."
NOT_NOW = "The platform does not answer. Try again in a moment."
RESTARTING = "The server is restarting."


class Publisher(Protocol):
    """What a pipeline needs of :class:`live.ingest.server.Publisher`."""

    @property
    def connection_id(self) -> str: ...

    @property
    def host(self) -> str: ...

    def close(self, code: str = "", description: str = "") -> None: ...


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run something that uses the database in a thread, beside others of its kind."""
    result: T = await database_sync_to_async(call, thread_sensitive=False)(*args, **kwargs)
    return result


class Broadcaster:
    """Admits publishers, and knows who publishes what in this process."""

    def __init__(self) -> None:
        self.redis = edge.connect()
        self.executor = ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="recorder")
        # asyncio itself keeps only weak references to tasks.
        self._pipelines: dict[asyncio.Task[None], Pipeline] = {}
        self._on_air: dict[str, Pipeline] = {}
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen to what is said to all ingests."""
        self._listening = asyncio.create_task(self._listen())

    @property
    def pipelines(self) -> list[Pipeline]:
        return list(self._pipelines.values())

    async def admit(self, stream_key: str, publisher: Publisher) -> Pipeline:
        """Begin a pipeline for whoever holds a valid key.  Raises Refused."""
        stream = await stream_for(stream_key, publisher.host)
        pipeline = Pipeline(stream, publisher, self)
        task = pipeline.start()
        self._pipelines[task] = pipeline
        task.add_done_callback(self._forget)
        return pipeline

    async def take_over(self, broadcast: str, pipeline: Pipeline) -> None:
        """Make ``pipeline`` the one that counts, once its predecessor here has let go, or was made to."""
        older = self._on_air.get(broadcast)
        self._on_air[broadcast] = pipeline
        if older is None:
            return
        older.let_go(REPLACED)
        if not await older.wait(TAKE_OVER_WITHIN_S):
            logger.warning("An older publisher had to be stopped", extra={"broadcast": broadcast})
            older.stop()
            await older.wait(STOP_WITHIN_S)

    def leave(self, broadcast: str, pipeline: Pipeline) -> None:
        if self._on_air.get(broadcast) is pipeline:
            del self._on_air[broadcast]

    async def close(self, *, within_s: float) -> None:
        """Let everybody go; what they had in hand is stored, as far as there is time."""
        for pipeline in self.pipelines:
            pipeline.let_go(RESTARTING)
        if self._pipelines:
            _, late = await asyncio.wait(self._pipelines, timeout=within_s)
            for task in late:
                self._pipelines[task].stop()
            if late:
                await asyncio.wait(late, timeout=STOP_WITHIN_S)
        await _stop(self._listening)
        self.executor.shutdown(wait=False, cancel_futures=True)
        await self.redis.aclose()

    def _forget(self, task: asyncio.Task[None]) -> None:
        pipeline = self._pipelines.pop(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("Pipeline failed", exc_info=error, extra={"stream": pipeline.stream.pk})

    async def _listen(self) -> None:
        """Hear which publishers to let go, from whatever process it is said."""
        while True:
            try:
                async with self.redis.pubsub() as channel:
                    await channel.subscribe(liveness.COMMANDS)
                    while True:
                        message = await channel.get_message(ignore_subscribe_messages=True, timeout=1.0)
                        if message:
                            self._obey(json.loads(message["data"]))
            except (RedisError, OSError):
                # Who was not told finds out when asking to be kept alive.
                await asyncio.sleep(RECONNECT_S)

    def _obey(self, command: dict[str, Any]) -> None:
        pipeline = self._on_air.get(command["broadcast"])
        if pipeline and pipeline.connection_id != command["keep"]:
            pipeline.let_go(REPLACED if command["keep"] else ENDED)


class Pipeline:
    """What one publisher sends, until it or we have had enough."""

    def __init__(self, stream: Stream, publisher: Publisher, broadcaster: Broadcaster) -> None:
        self.stream = stream
        self.connection_id = publisher.connection_id
        self.monitor = Monitor()
        self.on_air: OnAir | None = None
        self._publisher = publisher
        self._broadcaster = broadcaster
        self._inbox = Inbox()
        self._look = Look()
        self._said_goodbye = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run())
        return self._task

    @property
    def ffmpeg_pid(self) -> int | None:
        epoch = self.on_air.epoch if self.on_air else None
        return epoch.pid if epoch else None

    # --- What the server says -----------------------------------------------------------

    async def tag(self, tag: Tag) -> None:
        """Take a tag; never waits, for what is too much is dropped."""
        now = time()
        if frame := read_frame(tag, now):
            self.monitor.note(frame)
            if dropped := self._inbox.put(frame):
                self.monitor.note_dropped(dropped, now)

    async def metadata(self, values: dict[str, Any]) -> None:
        self._look.metadata = values

    async def closed(self, *, said_goodbye: bool) -> None:
        self._said_goodbye = said_goodbye
        self._inbox.end()

    # --- What others say ----------------------------------------------------------------

    def let_go(self, why: str) -> None:
        """Close the publisher; what it has sent is still encoded and stored."""
        self._publisher.close(description=why)
        self._inbox.end()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the end of everything; false if it has not come by then."""
        assert self._task is not None  # noqa: S101 (started by its broadcaster)
        done, _ = await asyncio.wait([self._task], timeout=timeout_s)
        return bool(done)

    def stop(self) -> None:
        """End now, and leave what is not stored to recovery."""
        if self.on_air:
            self.on_air.is_hurried = True
        if self._task:
            self._task.cancel()

    # --- The way ------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            if source := await self._see():
                await self._go_on_air(source)
        except Unusable as reason:
            logger.info("Signal refused", extra={"stream": self.stream.pk, "reason": str(reason)})
            self.let_go(str(reason))
        finally:
            self._inbox.end()

    async def _see(self) -> Source | None:
        """Look at what comes until it is clear what it is; None if it ends before.  Raises Unusable."""
        try:
            async with asyncio.timeout(PICTURE_WITHIN_S):
                while frame := await self._inbox.get():
                    if self._look.add(frame):
                        return self._look.source()
        except TimeoutError:
            raise Unusable(NO_PICTURE) from None
        return None

    async def _go_on_air(self, source: Source) -> None:
        try:
            broadcast = await in_thread(
                broadcasting.begin, self.stream, connection_id=self.connection_id, source=source.to_json()
            )
        except (DatabaseError, RedisError) as error:
            logger.exception("Broadcast not begun", extra={"stream": self.stream.pk})
            raise Unusable(NOT_NOW) from error
        beating = asyncio.create_task(self._keep_alive(broadcast))
        telling = asyncio.create_task(self._tell_health(broadcast))
        try:
            await self._broadcaster.take_over(broadcast.public_id, self)
            await self._stay_on_air(broadcast, source, beating)
        finally:
            self._broadcaster.leave(broadcast.public_id, self)
            await _stop(beating, telling)
            await self._note_health(broadcast)
            await self._say(
                broadcasting.release, broadcast.pk, self.connection_id, said_goodbye=self._said_goodbye
            )

    async def _stay_on_air(self, broadcast: Broadcast, source: Source, beating: asyncio.Task[None]) -> None:
        self.on_air = on_air = OnAir(broadcast, source, self._look, self._inbox, self.monitor)
        try:
            await on_air.open(self._broadcaster.redis, self._broadcaster.executor)
        except RedisError as error:
            raise Unusable(NOT_NOW) from error
        try:
            await on_air.encode()
        finally:
            if not self._said_goodbye:
                # Viewers hear at once that it is gone; storing the rest takes a moment.
                await _stop(beating)
                await self._say(broadcasting.interrupt, broadcast.pk, self.connection_id)
            await on_air.close()

    async def _keep_alive(self, broadcast: Broadcast) -> None:
        while True:
            await asyncio.sleep(liveness.KEEP_ALIVE_S)
            if await self._say(broadcasting.keep_alive, broadcast.pk, self.connection_id) is False:
                self.let_go(ENDED)
                return

    async def _tell_health(self, broadcast: Broadcast) -> None:
        while True:
            await self._note_health(broadcast)
            await asyncio.sleep(HEALTH_EVERY_S)

    async def _note_health(self, broadcast: Broadcast) -> None:
        self.monitor.backlog_s = self._inbox.span_s
        health = self.monitor.report(time()).to_json()
        await self._say(liveness.note_health, broadcast.public_id, health)

    async def _say(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Say it where database and Redis answer; None where they do not: it is said again, or found out."""
        try:
            return await in_thread(call, *args, **kwargs)
        except (DatabaseError, RedisError) as error:
            logger.warning("Not said", extra={"what": call.__name__, "reason": type(error).__name__})
            return None


async def _stop(*tasks: asyncio.Task[None] | None) -> None:
    running = [task for task in tasks if task]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
