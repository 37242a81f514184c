"""Registry of an ingest's publishers: it admits them, and of several with one broadcast the newest counts.

The segments of an older publisher are stored before the newer one begins.
"""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from live import ingest_presence
from live.bounds import Budget
from live.edge.memory import EdgeMemory
from live.ingest import turns
from live.ingest.auth import stream_for
from live.ingest.inbox import MAX_TOTAL_BYTES
from live.ingest.probe import NO_ROOM
from live.ingest.publisher_session import (
    ENDED,
    NOT_NOW,
    REPLACED,
    RESTARTING,
    STOP_WITHIN_S,
    PublisherConnection,
    PublisherSession,
    in_thread,
    stop_tasks,
)
from live.ingest.server import PublisherRefused
from live.models import Stream
from live.recording import recovery
from live.recording.recorder import Recorder
from live.recording.spool import Spool
from live.redis_connections import new_writer_client
from live.rtmp.session import REJECTED
from live.task_errors import error_of

logger = logging.getLogger(__name__)

# Time that a newer publisher waits for the older one's last segments, then for its cancellation.
TAKE_OVER_WITHIN_S = 2.5
UPLOADS_AT_ONCE = 8
RECONNECT_S = 1.0
RECOVER_EVERY_S = 10.0
MAX_LOGGED_BYTES = 200


class SessionRegistry:
    """Registry of this process: it admits publishers and maps broadcasts to their sessions."""

    def __init__(self) -> None:
        self.redis = new_writer_client()
        self.frames = Budget(MAX_TOTAL_BYTES)
        self.spool = Spool(settings.LIVE_SPOOL_BYTES)
        self._room = EdgeMemory(self.redis)
        self.executor = ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="recorder")
        # asyncio keeps only weak references to tasks.
        self._sessions: dict[asyncio.Task[None], PublisherSession] = {}
        self._current: dict[str, PublisherSession] = {}
        self._listening: asyncio.Task[None] | None = None
        self._recovering: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Subscribe to commands for all ingests, and start the recovery of segments on disk."""
        self._listening = asyncio.create_task(self._listen())
        self._recovering = asyncio.create_task(self._recover())

    @property
    def sessions(self) -> list[PublisherSession]:
        return list(self._sessions.values())

    async def admit(self, stream_key: str, publisher: PublisherConnection) -> PublisherSession:
        """Start a session for a publisher with a valid key.  Raises PublisherRefused."""
        stream = await stream_for(stream_key, publisher.host)
        are_sending = {session.connection_id: session.is_sending for session in self.sessions}
        try:
            await in_thread(turns.check, stream, are_sending)
        except DatabaseError as error:
            raise PublisherRefused(REJECTED, NOT_NOW) from error
        if not await self._room.is_free() and not await self._is_on_air(stream):
            raise PublisherRefused(REJECTED, NO_ROOM)
        session = PublisherSession(stream, publisher, self)
        task = session.start()
        self._sessions[task] = session
        task.add_done_callback(self._forget)
        return session

    async def _is_on_air(self, stream: Stream) -> bool:
        """Return whether the stream has a broadcast, with memory of its own.  Raises PublisherRefused."""
        try:
            return await in_thread(stream.broadcasts.running().exists)
        except DatabaseError as error:
            raise PublisherRefused(REJECTED, NOT_NOW) from error

    async def take_over(self, broadcast: str, session: PublisherSession) -> Recorder | None:
        """Make ``session`` the current one, after its predecessor in this process has ended or was stopped.

        Return the predecessor's recorder if it still waits for storage: its segments
        are stored first.
        """
        older = self._current.get(broadcast)
        self._current[broadcast] = session
        if older is None:
            return None
        older.disconnect(REPLACED)
        if await older.wait(TAKE_OVER_WITHIN_S):
            return None
        if older.on_air and older.on_air.is_storing:
            return older.on_air.recorder
        logger.warning("Older publisher stopped", extra={"broadcast": broadcast})
        older.stop()
        await older.wait(STOP_WITHIN_S)
        return None

    def forget(self, broadcast: str, session: PublisherSession) -> None:
        if self._current.get(broadcast) is session:
            del self._current[broadcast]

    async def close(self, *, within_s: float) -> None:
        """Disconnect all publishers, and store their segments as far as time allows."""
        for session in self.sessions:
            session.disconnect(RESTARTING)
        if self._sessions:
            _, late = await asyncio.wait(self._sessions, timeout=within_s)
            for task in late:
                self._sessions[task].stop()
            if late:
                await asyncio.wait(late, timeout=STOP_WITHIN_S)
        await stop_tasks(self._listening, self._recovering)
        self.executor.shutdown(wait=False, cancel_futures=True)
        await self.redis.aclose()

    def _forget(self, task: asyncio.Task[None]) -> None:
        session = self._sessions.pop(task)
        if error := error_of(task):
            logger.error("Session failed", exc_info=error, extra={"stream": session.stream.pk})

    async def _recover(self) -> None:
        """Store, every RECOVER_EVERY_S seconds, segments that dead processes left on this host's disk."""
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self.executor, _store_left_behind)
            except (DatabaseError, OSError) as error:
                logger.warning("Segments on disk not recovered", extra={"reason": type(error).__name__})
            await asyncio.sleep(RECOVER_EVERY_S)

    async def _listen(self) -> None:
        """Receive the commands by which any process disconnects publishers."""
        while True:
            try:
                async with self.redis.pubsub() as channel:
                    await channel.subscribe(ingest_presence.COMMANDS)
                    while True:
                        message = await channel.get_message(ignore_subscribe_messages=True, timeout=1.0)
                        if message:
                            self._hear(message["data"])
            except (RedisError, OSError):
                # A publisher whose command was lost is disconnected by its next keep-alive.
                await asyncio.sleep(RECONNECT_S)

    def _hear(self, message: bytes) -> None:
        """Carry out a command; log and skip an unknown one, which a newer release may send."""
        try:
            command = json.loads(message)
            broadcast, keep = str(command["broadcast"]), command["keep"]
        except (ValueError, KeyError, TypeError):
            logger.warning("Unknown command", extra={"command": repr(message[:MAX_LOGGED_BYTES])})
            return
        session = self._current.get(broadcast)
        if session and session.connection_id != keep:
            session.disconnect(REPLACED if keep else ENDED)


def _store_left_behind() -> None:
    try:
        recovery.store_left_behind()
    finally:
        connection.close()  # the connection of this thread
