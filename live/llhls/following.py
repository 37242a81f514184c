"""What an origin knows of the broadcasts it is asked for: told by Redis, never polling.

One connection listens for the notices of all broadcasts that are followed.
Whenever a subscription is confirmed, the first time or after the connection was
lost, the state is read afresh; from then on notices carry it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from . import shelf
from .playlist import MediaPlaylist, Window
from .shelf import Meta, Notice

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_FOLLOWED = 1000
IDLE_S = 45.0
# A connection on which nothing is heard for this long is asked whether it lives, then given up.
TICK_S = 5.0
FIRST_ANSWER_S = 2.0
# How long a broadcast is served from memory after Redis forgot it.
FORGOTTEN_S = 10.0
RETRY_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
MAX_CACHED_BYTES = 64 * 1024**2


class Unavailable(Exception):
    """Redis does not answer, or more is asked for than this process takes."""


@dataclass(slots=True)
class _Texts:
    """A playlist as text, by (delta, compressed), for as long as nothing in it changes."""

    made_from: object
    texts: dict[tuple[bool, bool], bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Followed:
    """One broadcast as last heard of.

    ``heard`` names the renditions of which something was heard since the last
    subscription, which ``subscriptions`` counts.  ``forgotten_at`` says since when
    Redis no longer knows it: one that lost its memory gets it back.  ``moved`` holds
    a future for each rendition that somebody waits for; its next notice resolves
    that future, and all who wait on it look again.
    """

    name: str
    used_at: float
    meta: Meta | None = None
    windows: dict[str, Window] = field(default_factory=dict)
    moved: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    subscriptions: int = 0
    forgotten_at: float | None = None
    is_read: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    texts: dict[str, _Texts] = field(default_factory=dict)

    def window(self, rendition: str) -> Window | None:
        """The rendition's window, empty if nothing is listed yet; None if there is no such rendition."""
        if self.meta is None or rendition not in self.meta.renditions:
            return None
        window = self.windows.get(rendition) or Window.empty(self.meta.shape)
        return window.ended() if self.meta.is_ended and not window.is_ended else window

    def playlist(self, rendition: str, window: Window, *, is_delta: bool, is_compressed: bool) -> bytes:
        """Return the playlist of ``window``, written once for all who ask for it."""
        others = {
            name: other
            for name in (self.meta.renditions if self.meta else ())
            if name != rendition and (other := self.window(name))
        }
        made_from = (window, [(name, other.last_position) for name, other in others.items()])
        held = self.texts.get(rendition)
        if held is None or held.made_from != made_from:
            held = self.texts[rendition] = _Texts(made_from)
        text = held.texts.get((is_delta, is_compressed))
        if text is None:
            text = MediaPlaylist(rendition, window, others).render(is_delta=is_delta).encode()
            # The lightest compression: it runs for every part.
            text = gzip.compress(text, compresslevel=1, mtime=0) if is_compressed else text
            held.texts[is_delta, is_compressed] = text
        return text

    def next_move(self, rendition: str) -> asyncio.Future[None]:
        future = self.moved.get(rendition)
        if future is None:
            future = self.moved[rendition] = asyncio.get_running_loop().create_future()
        return future

    def wake(self, renditions: set[str]) -> None:
        for rendition in renditions & self.moved.keys():
            self.moved.pop(rendition).set_result(None)

    def wake_all(self) -> None:
        self.wake(set(self.moved))


class Following:
    """The broadcasts that this process follows, each from its first request until nobody asks any more."""

    def __init__(self, redis: Redis, *, idle_s: float = IDLE_S, max_followed: int = MAX_FOLLOWED) -> None:
        self._redis = redis
        self._idle_s = idle_s
        self._max_followed = max_followed
        self._followed: dict[str, Followed] = {}
        self._connection: AbstractConnection | None = None
        self._listener: asyncio.Task[None] | None = None
        self._asking: Flights[Meta | None] = Flights()
        self._readers: set[asyncio.Task[None]] = set()
        self._looked_at = 0.0

    def __len__(self) -> int:
        return len(self._followed)

    async def get(self, broadcast: str) -> Followed | None:
        """Return what is known of ``broadcast``; None if Redis does not know it.  Raises Unavailable."""
        followed = self._followed.get(broadcast)
        if followed is None:
            # Asked first, so that names made up by strangers cost no subscription; and
            # once for all, as every player comes at the same time when a process starts.
            if await self._asking.run(broadcast, lambda: self._read_meta(broadcast)) is None:
                return None
            followed = self._followed.get(broadcast) or await self._follow(broadcast)
        followed.used_at = self._now()
        if not followed.is_read.is_set():
            await self._first_answer(followed)
        forgotten_at = followed.forgotten_at
        is_forgotten = forgotten_at is not None and forgotten_at < self._now() - FORGOTTEN_S
        return None if followed.meta is None or is_forgotten else followed

    async def _read_meta(self, broadcast: str) -> Meta | None:
        try:
            return Meta.from_hash(await self._redis.hgetall(shelf.meta_key(broadcast)))
        except (RedisError, OSError) as error:
            raise Unavailable from error

    async def _follow(self, broadcast: str) -> Followed:
        if len(self._followed) >= self._max_followed:
            raise Unavailable("too many broadcasts")
        followed = self._followed[broadcast] = Followed(broadcast, self._now())
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        else:
            await self._send("SUBSCRIBE", broadcast)
        return followed

    async def _first_answer(self, followed: Followed) -> None:
        try:
            async with asyncio.timeout(FIRST_ANSWER_S):
                await followed.is_read.wait()
        except TimeoutError as error:
            raise Unavailable from error

    async def aclose(self) -> None:
        """Follow nothing any more."""
        self._followed.clear()
        for task in [*self._readers, *([self._listener] if self._listener else [])]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._redis.aclose()

    # --- Listening --------------------------------------------------------------------

    async def _listen(self) -> None:
        """Hear notices until nothing is followed; come back whenever the connection is lost."""
        pauses = iter(RETRY_S)
        while self._followed:
            connection: AbstractConnection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                self._connection = connection
                await connection.send_command("SUBSCRIBE", *map(shelf.channel, self._followed))
                while self._followed:
                    await self._hear(connection)
                    pauses = iter(RETRY_S)
            except (RedisError, OSError) as error:
                logger.warning("Live edge lost its Redis, trying again", extra={"error": str(error)})
                self._connection = None
                await asyncio.sleep(next(pauses, RETRY_S[-1]))
            finally:
                self._connection = None
                await connection.disconnect(nowait=True)

    async def _hear(self, connection: AbstractConnection) -> None:
        """Take one message, or make sure after a while that the connection still lives."""
        message = await self._next(connection)
        if self._looked_at < self._now() - TICK_S:
            await self._leave_idle()
        if message is None:
            await connection.send_command("PING")
            if await self._next(connection) is None:
                raise ConnectionError("the connection is silent")
            return
        kind, name, content = message
        followed = self._followed.get(shelf.broadcast_of(name.decode())) if isinstance(name, bytes) else None
        if followed is None:
            return
        if kind == b"subscribe":
            followed.subscriptions += 1
            followed.heard.clear()
            self._read_later(followed)
        elif kind == b"message" and isinstance(content, bytes):
            self._take(followed, Notice.decode(content))

    @staticmethod
    async def _next(connection: AbstractConnection) -> tuple[object, object, object] | None:
        message = await connection.read_response(timeout=TICK_S)
        if message is None:
            return None
        if isinstance(message, list) and len(message) == 3:
            return message[0], message[1], message[2]
        return b"pong", None, None

    async def _send(self, command: str, broadcast: str) -> None:
        """Tell the connection that is there; one that is not will subscribe to everything when it comes."""
        if (connection := self._connection) and connection.is_connected:
            with contextlib.suppress(RedisError, OSError):
                await connection.send_command(command, shelf.channel(broadcast))

    async def _leave_idle(self) -> None:
        now = self._looked_at = self._now()
        for followed in list(self._followed.values()):
            if not followed.waiting and followed.used_at < now - self._idle_s:
                del self._followed[followed.name]
                await self._send("UNSUBSCRIBE", followed.name)

    # --- State ------------------------------------------------------------------------

    def _take(self, followed: Followed, notice: Notice) -> None:
        followed.windows.update(notice.windows)
        followed.heard |= notice.windows.keys()
        followed.wake(set(notice.windows))
        if notice.is_meta_changed or followed.meta is None or followed.forgotten_at is not None:
            self._read_later(followed)

    def _read_later(self, followed: Followed) -> None:
        task = asyncio.create_task(self._read(followed))
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    async def _read(self, followed: Followed) -> None:
        """Read a broadcast's state, again and again until Redis answers or another subscription does it."""
        subscription = followed.subscriptions
        pauses = iter(RETRY_S)
        while subscription == followed.subscriptions and followed is self._followed.get(followed.name):
            try:
                await self._read_once(followed, subscription)
            except (RedisError, OSError, Unavailable):
                await asyncio.sleep(next(pauses, RETRY_S[-1]))
            else:
                return

    async def _read_once(self, followed: Followed, subscription: int) -> None:
        """Read the meta, and the windows of which nothing newer was heard."""
        meta = await self._read_meta(followed.name)
        unheard = [name for name in (meta.renditions if meta else ()) if name not in followed.heard]
        keys = [shelf.window_key(followed.name, name) for name in unheard]
        texts = await self._redis.mget(keys) if keys else []
        if subscription != followed.subscriptions:
            return
        followed.meta = meta or followed.meta
        followed.forgotten_at = None if meta else self._now()
        for name, text in zip(unheard, texts, strict=True):
            if isinstance(text, bytes) and name not in followed.heard:
                followed.windows[name] = Window.from_json(text)
                followed.heard.add(name)
        followed.is_read.set()
        followed.wake_all()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class Flights(Generic[T]):
    """Does the same thing once for all who ask for it meanwhile."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[T]] = {}

    async def run(self, key: str, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what ``do`` gives, or what it gives to somebody who asked before."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(do())
            task.add_done_callback(lambda done: self._landed(key, done))
        # Whoever leaves does not take it from the others.
        return await asyncio.shield(task)

    def _landed(self, key: str, task: asyncio.Task[T]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # Whoever asked may be gone; it has been looked at.


class Cache:
    """Bytes that were fetched lately, at most ``max_bytes`` of them."""

    def __init__(self, *, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._fetching: Flights[bytes | None] = Flights()

    async def get(self, key: str, fetch: Callable[[], Coroutine[Any, Any, bytes | None]]) -> bytes | None:
        """Return what is held under ``key``, or what ``fetch`` gives; None is not held."""
        if (held := self._held.get(key)) is not None:
            self._held.move_to_end(key)
            return held
        return await self._fetching.run(key, lambda: self._fetch(key, fetch))

    async def _fetch(self, key: str, fetch: Callable[[], Coroutine[Any, Any, bytes | None]]) -> bytes | None:
        data = await fetch()
        if data is not None:
            self._hold(key, data)
        return data

    def _hold(self, key: str, data: bytes) -> None:
        self._held[key] = data
        self._size_bytes += len(data)
        while self._size_bytes > self._max_bytes:
            _key, oldest = self._held.popitem(last=False)
            self._size_bytes -= len(oldest)
