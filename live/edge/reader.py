"""Reader of the live edge for an origin: driven by notices from Redis, it never polls.

One connection listens to the notices of all followed broadcasts.  The state is read
from Redis after each confirmed subscription (the first, and after a reconnection);
notices then update it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
from dataclasses import dataclass, field

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from common.sparse_log import SparseLog
from live.edge import keys
from live.edge.cache import SingleFlight
from live.edge.keys import UNREADABLE, EdgeMeta, EdgeNotice
from live.llhls.playlist import LowLatencyPlaylist, Window
from live.task_errors import error_of

logger = logging.getLogger(__name__)
_sparse = SparseLog(logger)

MAX_FOLLOWED = 1000
IDLE_S = 45.0
# A connection that has been silent for this long is pinged; without an answer it is closed.
TICK_S = 5.0
FIRST_STATE_WITHIN_S = 2.0
# Time for which a broadcast that Redis has lost is served from memory.
SERVE_LOST_FOR_S = 10.0
RETRY_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)


class EdgeUnavailable(Exception):
    """Error: the state cannot be served.

    Redis does not answer or holds unreadable data, no notice came in time, or a limit
    of this process is reached.
    """


@dataclass(slots=True)
class _Texts:
    """Rendered playlists of one rendition by (is_delta, is_compressed), valid for ``made_from``."""

    made_from: object
    texts: dict[tuple[bool, bool], bytes] = field(default_factory=dict)


@dataclass(slots=True)
class FollowedBroadcast:
    """Last known state of one broadcast.

    ``subscriptions`` is the number of confirmed subscriptions, ``heard`` the renditions
    whose window was received since the last one.  ``lost_at`` is the loop time at which
    Redis no longer had the broadcast; None while it has it.  ``changed`` holds one future
    for each rendition with waiting requests, resolved by the next change of state.
    """

    name: str
    used_at: float
    meta: EdgeMeta | None = None
    windows: dict[str, Window] = field(default_factory=dict)
    changed: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    subscriptions: int = 0
    lost_at: float | None = None
    state_read: asyncio.Event = field(default_factory=asyncio.Event)
    waiting_requests: int = 0
    texts: dict[str, _Texts] = field(default_factory=dict)

    def window(self, rendition: str) -> Window | None:
        """Return the rendition's window, empty if nothing is listed yet; None for an unknown rendition."""
        if self.meta is None or rendition not in self.meta.renditions:
            return None
        window = self.windows.get(rendition) or Window.empty(self.meta.shape)
        return window.ended() if self.meta.is_ended and not window.is_ended else window

    def playlist(self, rendition: str, window: Window, *, is_delta: bool, is_compressed: bool) -> bytes:
        """Return the playlist of ``window``, rendered once for all requests."""
        # A playlist reports the last position of each other rendition.
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
            text = LowLatencyPlaylist(rendition, window, others).render(is_delta=is_delta).encode()
            # The fastest compression, because it runs for every part.
            text = gzip.compress(text, compresslevel=1, mtime=0) if is_compressed else text
            held.texts[is_delta, is_compressed] = text
        return text

    def next_change(self, rendition: str) -> asyncio.Future[None]:
        """Return the future that the next change of the rendition's state resolves."""
        future = self.changed.get(rendition)
        if future is None:
            future = self.changed[rendition] = asyncio.get_running_loop().create_future()
        return future

    def wake(self, renditions: set[str]) -> None:
        """Resolve the futures of ``renditions``."""
        for rendition in renditions & self.changed.keys():
            self.changed.pop(rendition).set_result(None)

    def wake_all(self) -> None:
        self.wake(set(self.changed))


class EdgeReader:
    """Followed broadcasts of this process, each from its first request until it has been idle."""

    def __init__(self, redis: Redis, *, idle_s: float = IDLE_S, max_followed: int = MAX_FOLLOWED) -> None:
        self._redis = redis
        self._idle_s = idle_s
        self._max_followed = max_followed
        self._followed: dict[str, FollowedBroadcast] = {}
        self._connection: AbstractConnection | None = None
        self._listener: asyncio.Task[None] | None = None
        self._meta_reads: SingleFlight[EdgeMeta | None] = SingleFlight()
        self._read_tasks: set[asyncio.Task[None]] = set()
        self._idle_checked_at = 0.0

    def __len__(self) -> int:
        return len(self._followed)

    async def get(self, broadcast: str) -> FollowedBroadcast | None:
        """Return the state of ``broadcast``; None if Redis does not have it.  Raises EdgeUnavailable.

        A broadcast that Redis has lost is still returned for ``SERVE_LOST_FOR_S``.
        """
        followed = self._followed.get(broadcast)
        if followed is None:
            # Read first, so that invented names cost no subscription; and once for all requests,
            # because every player connects at once when a process starts.
            if await self._meta_reads.run(broadcast, lambda: self._read_meta(broadcast)) is None:
                return None
            followed = self._followed.get(broadcast) or await self._follow(broadcast)
        followed.used_at = self._now()
        if not followed.state_read.is_set():
            await self._wait_for_state(followed)
        lost_at = followed.lost_at
        is_lost = lost_at is not None and lost_at < self._now() - SERVE_LOST_FOR_S
        return None if followed.meta is None or is_lost else followed

    async def _read_meta(self, broadcast: str) -> EdgeMeta | None:
        try:
            return EdgeMeta.from_hash(await self._redis.hgetall(keys.meta_key(broadcast)))
        except (RedisError, OSError) as error:
            raise EdgeUnavailable from error
        except UNREADABLE as error:
            _sparse.warning("Live broadcast unreadable", broadcast=broadcast, error=repr(error))
            raise EdgeUnavailable from error

    async def _follow(self, broadcast: str) -> FollowedBroadcast:
        if len(self._followed) >= self._max_followed:
            raise EdgeUnavailable("too many broadcasts")
        followed = self._followed[broadcast] = FollowedBroadcast(broadcast, self._now())
        if self._listener is None or self._listener.done():
            self._begin_to_listen()
        else:
            await self._send("SUBSCRIBE", broadcast)
        return followed

    async def _wait_for_state(self, followed: FollowedBroadcast) -> None:
        """Wait for the first read of the state.  Raises EdgeUnavailable."""
        try:
            async with asyncio.timeout(FIRST_STATE_WITHIN_S):
                await followed.state_read.wait()
        except TimeoutError as error:
            raise EdgeUnavailable from error

    async def aclose(self) -> None:
        """Stop following all broadcasts."""
        self._followed.clear()
        for task in [*self._read_tasks, *([self._listener] if self._listener else [])]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._redis.aclose()

    def _begin_to_listen(self) -> None:
        """Listen until no broadcast is followed; an unexpected error is logged, and listening resumes."""
        listener = self._listener = asyncio.create_task(self._listen())

        def on_end(ended: asyncio.Task[None]) -> None:
            if error := error_of(ended):
                logger.error("Live edge reader restarted after an error", exc_info=error)
                asyncio.get_running_loop().call_later(RETRY_S[-1], self._listen_again)

        listener.add_done_callback(on_end)

    def _listen_again(self) -> None:
        if self._followed and (self._listener is None or self._listener.done()):
            self._begin_to_listen()

    async def _listen(self) -> None:
        """Receive notices until no broadcast is followed; reconnect after a lost connection."""
        pauses = iter(RETRY_S)
        while self._followed:
            connection: AbstractConnection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                self._connection = connection
                await connection.send_command("SUBSCRIBE", *map(keys.channel, self._followed))
                while self._followed:
                    await self._process_message(connection)
                    pauses = iter(RETRY_S)
            except (RedisError, OSError) as error:
                logger.warning("Live edge lost its Redis connection, retrying", extra={"error": str(error)})
                self._connection = None  # at once: ``finally`` runs after the pause
                await asyncio.sleep(next(pauses, RETRY_S[-1]))
            finally:
                self._connection = None
                await connection.disconnect(nowait=True)

    async def _process_message(self, connection: AbstractConnection) -> None:
        """Process one message, or check after a silence that the connection still works."""
        message = await self._receive(connection)
        if self._idle_checked_at < self._now() - TICK_S:
            await self._leave_idle()
        if message is None:
            await connection.send_command("PING")
            # A notice may arrive before the pong.
            message = await self._receive(connection)
            if message is None:
                raise ConnectionError("the connection is silent")
        kind, name, content = message
        followed = self._followed.get(keys.broadcast_of(name.decode())) if isinstance(name, bytes) else None
        if followed is None:
            return
        if kind == b"subscribe":
            followed.subscriptions += 1
            followed.heard.clear()
            self._start_reading(followed)
        elif kind == b"message" and isinstance(content, bytes):
            try:
                notice = EdgeNotice.decode(content)
            except UNREADABLE as error:
                _sparse.warning("Live notice skipped", broadcast=followed.name, error=repr(error))
                return
            self._apply_notice(followed, notice)

    @staticmethod
    async def _receive(connection: AbstractConnection) -> tuple[object, object, object] | None:
        message = await connection.read_response(timeout=TICK_S)
        if message is None:
            return None
        if isinstance(message, list) and len(message) == 3:
            return message[0], message[1], message[2]
        return b"pong", None, None

    async def _send(self, command: str, broadcast: str) -> None:
        """Send a command on the current connection, if any; a new one subscribes to all."""
        if (connection := self._connection) and connection.is_connected:
            with contextlib.suppress(RedisError, OSError):
                await connection.send_command(command, keys.channel(broadcast))

    async def _leave_idle(self) -> None:
        """Unsubscribe from broadcasts that nobody has requested for ``idle_s``."""
        now = self._idle_checked_at = self._now()
        for followed in list(self._followed.values()):
            if not followed.waiting_requests and followed.used_at < now - self._idle_s:
                del self._followed[followed.name]
                await self._send("UNSUBSCRIBE", followed.name)

    def _apply_notice(self, followed: FollowedBroadcast, notice: EdgeNotice) -> None:
        followed.windows.update(notice.windows)
        followed.heard |= notice.windows.keys()
        followed.wake(set(notice.windows))
        if notice.is_meta_changed or followed.meta is None or followed.lost_at is not None:
            self._start_reading(followed)

    def _start_reading(self, followed: FollowedBroadcast) -> None:
        task = asyncio.create_task(self._read_state(followed))
        self._read_tasks.add(task)
        task.add_done_callback(self._read_tasks.discard)

    async def _read_state(self, followed: FollowedBroadcast) -> None:
        """Read a broadcast's state, and retry until Redis answers or a newer subscription reads it."""
        subscription = followed.subscriptions
        pauses = iter(RETRY_S)
        while subscription == followed.subscriptions and followed is self._followed.get(followed.name):
            try:
                await self._try_read_state(followed, subscription)
            except (RedisError, OSError, EdgeUnavailable):
                await asyncio.sleep(next(pauses, RETRY_S[-1]))
            else:
                return

    async def _try_read_state(self, followed: FollowedBroadcast, subscription: int) -> None:
        """Read the meta, and the windows of renditions that no notice has updated since the subscription."""
        meta = await self._read_meta(followed.name)
        unheard = [name for name in (meta.renditions if meta else ()) if name not in followed.heard]
        names = [keys.window_key(followed.name, name) for name in unheard]
        texts = await self._redis.mget(names) if names else []
        if subscription != followed.subscriptions:
            return
        followed.meta = meta or followed.meta
        followed.lost_at = None if meta else self._now()
        for name, text in zip(unheard, texts, strict=True):
            if isinstance(text, bytes) and name not in followed.heard:
                self._store_window(followed, name, text)
        followed.state_read.set()
        followed.wake_all()

    @staticmethod
    def _store_window(followed: FollowedBroadcast, name: str, text: bytes) -> None:
        try:
            followed.windows[name] = Window.from_json(text)
        except UNREADABLE as error:
            _sparse.warning("Live window skipped", broadcast=followed.name, rendition=name, error=repr(error))
        else:
            followed.heard.add(name)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
