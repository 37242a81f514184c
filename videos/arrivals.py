"""Arrivals of segments: the wake-up of requests that wait for segments of an encode.

Workers publish the key of an encode in Redis after each change of its segments.  A
web process listens while requests wait, and reads each encode that is waited for
once for each change, however many requests wait for it.  A message may be lost, or
Redis be away: so it also reads after ``TICK_S``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import redis
import redis.asyncio
from django.conf import settings
from django.db import DatabaseError

from common.redis_clients import async_options, shared_client

logger = logging.getLogger(__name__)

CHANNEL = "videos:segments"
# An encode is read again after this time without a message.
TICK_S = 2.0
# And not more often than this, however many messages arrive.
LEAST_PAUSE_S = 0.05
RETRY_S = 1.0
# The process listens for this long after the last request that waited.
IDLE_S = 30.0


def publish(encode_key: str) -> None:
    """Publish that segments of an encode arrived, or that the encode has ended."""
    try:
        shared_client(settings.REDIS_URL).publish(CHANNEL, encode_key)
    except redis.RedisError:
        # Requests that wait look again by themselves.
        logger.warning("Segments not published: Redis does not answer", extra={"encode": encode_key})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A segment that a request waits for; ``name`` is the number of a media segment, or ``init``.

    ``access`` is ``Video.access`` at the time of the request.
    """

    encode_key: str
    rendition: str
    name: str
    access: str

    @property
    def number(self) -> int | None:
        return None if self.name == "init" else int(self.name)


# Returns which of some segments of one encode are worth waiting for still.
StillAwaited = Callable[[str, set[Wanted]], Awaitable[set[Wanted]]]


@dataclass(slots=True)
class _Watched:
    """An encode that requests wait for: one future for each wanted segment, and their number."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    futures: dict[Wanted, asyncio.Future[None]] = field(default_factory=dict)
    waiting: dict[Wanted, int] = field(default_factory=dict)


class Arrivals:
    """The requests of one event loop that wait for segments."""

    def __init__(self, redis_url: str, still_awaited: StillAwaited) -> None:
        self._redis_url = redis_url
        self._still_awaited = still_awaited
        self._watched: dict[str, _Watched] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Task[None] | None = None

    async def wait(self, wanted: Wanted) -> None:
        """Wait until it is stored or will never be; the caller bounds the time by cancellation."""
        watched = self._watched.get(wanted.encode_key)
        if watched is None:
            watched = self._watched[wanted.encode_key] = _Watched()
            task = asyncio.create_task(self._watch(wanted.encode_key, watched))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        if wanted not in watched.futures:
            watched.futures[wanted] = asyncio.get_running_loop().create_future()
            watched.changed.set()
        watched.waiting[wanted] = watched.waiting.get(wanted, 0) + 1
        try:
            await asyncio.shield(watched.futures[wanted])
        finally:
            watched.waiting[wanted] -= 1
            if not watched.waiting[wanted]:
                del watched.waiting[wanted]
                watched.futures.pop(wanted, None)

    async def aclose(self) -> None:
        for task in [*self._tasks, *([self._listener] if self._listener else [])]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self, encode_key: str, watched: _Watched) -> None:
        """Read the encode after each change, while anybody waits for it."""
        try:
            while watched.futures:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(watched.changed.wait(), TICK_S)
                watched.changed.clear()
                asked = set(watched.futures)
                try:
                    awaited = await self._still_awaited(encode_key, asked)
                except DatabaseError as error:
                    logger.warning("Awaited segments not read", extra={"error": str(error)})
                else:
                    self._settle(watched, asked - awaited)
                await asyncio.sleep(LEAST_PAUSE_S)
        finally:
            if self._watched.get(encode_key) is watched:
                del self._watched[encode_key]

    @staticmethod
    def _settle(watched: _Watched, arrived: set[Wanted]) -> None:
        for wanted in arrived:
            future = watched.futures.get(wanted)
            if future and not future.done():
                future.set_result(None)

    async def _listen(self) -> None:
        """Receive messages until nobody has waited for a while; connect again after an error."""
        client = redis.asyncio.Redis.from_url(self._redis_url, **async_options(self._redis_url))
        idle_since = asyncio.get_running_loop().time()
        try:
            while self._watched or asyncio.get_running_loop().time() - idle_since < IDLE_S:
                try:
                    async with client.pubsub() as subscription:
                        await subscription.subscribe(CHANNEL)
                        self._wake_all()
                        while self._watched or asyncio.get_running_loop().time() - idle_since < IDLE_S:
                            message = await subscription.get_message(
                                ignore_subscribe_messages=True, timeout=TICK_S
                            )
                            if self._watched:
                                idle_since = asyncio.get_running_loop().time()
                            if message and isinstance(message["data"], bytes):
                                self._wake(message["data"].decode("latin-1"))
                except (redis.RedisError, OSError):
                    await asyncio.sleep(RETRY_S)
        finally:
            await client.aclose()

    def _wake(self, encode_key: str) -> None:
        if watched := self._watched.get(encode_key):
            watched.changed.set()

    def _wake_all(self) -> None:
        for watched in self._watched.values():
            watched.changed.set()
