"""Hub of one process: its chat rooms, and the Redis subscription that delivers their events.

A room opens for its first client and closes after its last one; the hub starts
and stops with its first and last room.  Redis may fail at any time: after it
returns, the hub reads missed events from the rooms' logs.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

import redis
from django.db import DatabaseError
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from common.sparse_log import SparseLog
from live import viewers
from live.chat import log, stored, threads
from live.chat.messages import Event
from live.chat.room import HISTORY_KEPT, NO_SUCH_ROOM, TICKET_INVALID, UNREADABLE, Room
from live.chat.rules import RoomState
from live.chat.tickets import Visitor
from live.redis_connections import new_hub_client
from live.task_errors import error_of

logger = logging.getLogger(__name__)
_sparse = SparseLog(logger)

PING_EVERY_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
OPEN_TIMEOUT_S = 8.0
RETRY_S = 1.0
KEEPALIVE_CHECK_S = 1.0
# Outage after which clients are told that Redis is unreachable.
LOST_FOR_S = 2.0
# Interval of each process's round over its rooms.
ROUND_S = 5.0
# Shorter than a round, so each round elects one process per room to publish the viewer count.
VIEWER_COUNT_LOCK_MS = 4500
# Notices keep the state current; reading SQL now and then makes up for lost notices.
RELOAD_EVERY_ROUNDS = 3
RELOADS = 3  # attempts for one room, if notices keep arriving during the read


class NoSuchRoom(Exception):
    """Error for a username that has no chat room."""


class HubUnavailable(Exception):
    """Error for a Redis or SQL server that does not answer."""


class Hub:
    """All rooms of one process (more exactly, of one event loop)."""

    def __init__(self) -> None:
        self.client = new_hub_client()
        self._name = secrets.token_hex(6)
        self._openings: dict[str, asyncio.Task[Room]] = {}
        self._clients_by_room: Counter[str] = Counter()
        self._rooms: dict[str, Room] = {}  # by channel
        self._pubsub: PubSub | None = None
        self._lost_at: float | None = None  # monotonic time at which the connection was lost
        self._subscribing = asyncio.Lock()
        self._recovering: set[Room] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_stopping = False

    def start(self) -> None:
        self._keep_running(self._listen)
        self._keep_running(self._maintain_rooms)
        self._keep_running(self._send_keepalives)

    @property
    def is_idle(self) -> bool:
        return not self._clients_by_room

    async def stop(self) -> None:
        self._is_stopping = True
        # Cancel repeatedly: redis-py swallows a cancellation that arrives while it connects
        # (tried with 8.1: in 13 of its first 20 steps).
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=0.1)
        await self.client.aclose()
        await self.client.connection_pool.disconnect()

    def _run_task(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run ``work`` as a task and hold a reference, because asyncio keeps only weak references."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _keep_running(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run ``work`` until the hub stops; after an error, log it and start ``work`` again."""
        if self._is_stopping:
            return
        task = asyncio.create_task(work())
        self._tasks.add(task)

        def on_end(ended: asyncio.Task[None]) -> None:
            self._tasks.discard(ended)
            if error := error_of(ended):
                logger.error("Chat task failed, restarting", exc_info=error)
                asyncio.get_running_loop().call_later(RETRY_S, self._keep_running, work)

        task.add_done_callback(on_end)

    @asynccontextmanager
    async def room(self, username: str) -> AsyncIterator[Room]:
        """Yield the open room of a channel.  Raises NoSuchRoom, HubUnavailable."""
        name = username.lower()
        self._clients_by_room[name] += 1
        try:
            yield await asyncio.shield(self._opening(name))
        finally:
            self._clients_by_room[name] -= 1
            if not self._clients_by_room[name]:
                del self._clients_by_room[name]
                await self._close(name)

    def _opening(self, name: str) -> asyncio.Task[Room]:
        """Return the task that opens a room; concurrent clients share it."""
        opening = self._openings.get(name)
        if opening is None or (opening.done() and opening.exception()):
            opening = self._openings[name] = asyncio.create_task(self._open(name))
            # Retrieve the exception: the task may fail after all its waiters have gone.
            opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        return opening

    async def _open(self, name: str) -> Room:
        """Open a room.  Raises NoSuchRoom, HubUnavailable."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                state = await threads.reading.run(stored.find_room, name)
                if state is None:
                    raise NoSuchRoom
                opened = Room(state, self._on_gap, lambda room: self._run_task(self._reload_one(room)))
                return await self._subscribe_and_fill(opened)
        except (RedisError, OSError, DatabaseError, TimeoutError) as error:
            logger.warning("Chat room not opened", extra={"room": name, "error": repr(error)})
            raise HubUnavailable from error

    async def _subscribe_and_fill(self, room: Room) -> Room:
        """Subscribe to the room's channel, then read its earlier events, so that none is missed."""
        channel = log.channel_of(room.stream_id)
        self._rooms[channel] = room
        try:
            await self._subscribe(channel)
            await room.subscribed.wait()
            await self._fill(room)
        except BaseException:
            # After a cancelled opening, a newer room may already hold the channel.
            if self._rooms.get(channel) is room:
                del self._rooms[channel]
            raise
        return room

    async def _close(self, name: str) -> None:
        opening = self._openings.pop(name)
        if not opening.done():
            opening.cancel()
            return
        if opening.cancelled() or opening.exception():
            return
        room = opening.result()
        room.stop()
        channel = log.channel_of(room.stream_id)
        del self._rooms[channel]
        with suppress(RedisError, OSError):
            await self._unsubscribe(channel)

    async def _fill(self, room: Room) -> None:
        """Fill a subscribed room from SQL and from the log."""
        messages, states = await threads.reading.run(_read_messages_and_state, room.stream_id)
        since_ms = viewers.alive_since_ms()
        viewer_count: Any = await self.client.zcount(viewers.viewers_key(room.stream_id), since_ms, "+inf")
        seq, entries = await log.read(self.client, room.stream_id, 0)
        self._apply_state(room, states.get(room.stream_id))
        room.begin(messages, seq, entries)
        room.viewer_count = viewer_count

    def _on_gap(self, room: Room) -> None:
        """Start to recover a room, unless that is running."""
        if room not in self._recovering:
            self._recovering.add(room)
            self._run_task(self._recover(room))

    async def _recover(self, room: Room) -> None:
        """Read missed events from the log; if the log no longer holds all of them, refill the room."""
        try:
            room.hold()
            while room.is_filling and self._rooms.get(log.channel_of(room.stream_id)) is room:
                try:
                    seq, entries = await log.read(self.client, room.stream_id, room.received)
                    if not room.fill(seq, entries):
                        await self._fill(room)
                except (RedisError, OSError, DatabaseError) as error:
                    logger.warning("Chat room still behind", extra={"error": repr(error)})
                    await asyncio.sleep(RETRY_S)
            room.set_reachable(self._pubsub is not None)
        finally:
            self._recovering.discard(room)

    async def _subscribe(self, channel: str) -> None:
        """Subscribe to a channel if connected; otherwise :meth:`_listen` subscribes after it connects."""
        async with self._subscribing:
            if self._pubsub:
                await self._pubsub.subscribe(channel)

    async def _unsubscribe(self, channel: str) -> None:
        async with self._subscribing:
            # The room may have been opened again while we waited for the lock.
            if self._pubsub and channel not in self._rooms:
                await self._pubsub.unsubscribe(channel)

    async def _listen(self) -> None:
        """Receive the events of all rooms until the hub stops, reconnecting after errors."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with self.client.pubsub() as pubsub:
                    async with self._subscribing:
                        await pubsub.subscribe(log.EVERY_HUB, *self._rooms)
                        self._pubsub = pubsub
                    self._lost_at = None
                    pause_s = FIRST_PAUSE_S
                    await self._receive(pubsub)
            except (RedisError, OSError) as error:
                logger.warning("Chat connection to Redis lost", extra={"error": repr(error)})
                self._lost_at = self._lost_at or time.monotonic()
            finally:
                self._pubsub = None
            # Random, to spread the reconnections of all processes.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def _receive(self, pubsub: PubSub) -> None:
        is_quiet = False
        while True:
            message = await pubsub.get_message(timeout=PING_EVERY_S)
            if message is None:
                if is_quiet:
                    raise redis.exceptions.ConnectionError("Redis sends nothing")
                is_quiet = True
                await pubsub.ping()
                continue
            is_quiet = False
            if message["channel"] == log.EVERY_HUB:
                # The confirmation of the subscription has a number as its data.
                if message["type"] == "message":
                    self._close_revoked(message["data"])
            elif room := self._rooms.get(message["channel"]):
                self._process_message(room, message)

    def _close_revoked(self, user_id: str) -> None:
        """Close the sockets of a user whose access was revoked; a new socket needs a new ticket."""
        for room in self._rooms.values():
            for client in tuple(room.clients):
                if client.user_id is not None and str(client.user_id) == user_id:
                    room.close(client, TICKET_INVALID)

    def _process_message(self, room: Room, message: dict[str, Any]) -> None:
        if message["type"] == "message":
            try:
                entry = log.parse_published(message["data"])
            except UNREADABLE as error:
                # If this was an event, the gap in ``seq`` makes the room read it from the log.
                _sparse.warning("Chat notice skipped", stream=room.stream_id, error=repr(error))
                return
            room.receive(entry)
        elif message["type"] == "subscribe":
            if room.subscribed.is_set():
                self._on_gap(room)  # resubscribed after a lost connection: events may be missing
            room.subscribed.set()

    async def _send_keepalives(self) -> None:
        """Send keepalive ticks to quiet rooms, and report a lost Redis; independent of Redis and SQL."""
        while True:
            await asyncio.sleep(KEEPALIVE_CHECK_S)
            now = time.monotonic()
            is_lost = self._lost_at is not None and now - self._lost_at >= LOST_FOR_S
            for room in tuple(self._rooms.values()):
                if is_lost:
                    room.set_reachable(False)
                room.show_life(now)

    async def _maintain_rooms(self) -> None:
        """Publish viewer counts every round, and reload states every ``RELOAD_EVERY_ROUNDS`` rounds."""
        for number in itertools.count(1):
            await asyncio.sleep(ROUND_S)
            rooms = [room for room in self._rooms.values() if not room.is_filling]
            try:
                await self._publish_viewer_counts(rooms)
                if number % RELOAD_EVERY_ROUNDS == 0:
                    await self._reload(rooms)
            except (RedisError, OSError, DatabaseError) as error:
                logger.warning("Chat rooms not maintained", extra={"error": repr(error)})

    async def _publish_viewer_counts(self, rooms: Sequence[Room]) -> None:
        """Publish the viewer counts, one process per room."""
        if not rooms:
            return
        since_ms = viewers.alive_since_ms()
        pipeline: Any = self.client.pipeline(transaction=False)
        for room in rooms:
            pipeline.set(f"live:teller:{room.stream_id}", self._name, nx=True, px=VIEWER_COUNT_LOCK_MS)
            pipeline.zcount(viewers.viewers_key(room.stream_id), since_ms, "+inf")
        answers = await pipeline.execute()
        for room, has_lock, count in zip(rooms, answers[::2], answers[1::2], strict=True):
            if has_lock and count != room.viewer_count:
                await log.append(self.client, room.stream_id, {"type": "viewers", "count": count})

    async def _reload_one(self, room: Room) -> None:
        try:
            for _ in range(RELOADS):
                if await self._reload([room]):
                    return
        except DatabaseError as error:
            logger.warning("Chat room not reloaded", extra={"error": repr(error)})

    async def _reload(self, rooms: Sequence[Room]) -> bool:
        """Update ``rooms`` from SQL.  Return False if a notice arrived during the read."""
        if not rooms:
            return True
        known = {room: room.state_changes for room in rooms}
        visitors = {client.visitor for room in rooms for client in room.clients if client.visitor is not None}
        stream_ids = [room.stream_id for room in rooms]
        states, revoked = await threads.reading.run(_read_states_and_revoked, stream_ids, visitors)
        current = [room for room in rooms if room.state_changes == known[room]]
        for room in current:
            self._apply_state(room, states.get(room.stream_id))
        for room in rooms:
            for client in tuple(room.clients):
                if client.visitor in revoked:
                    room.close(client, TICKET_INVALID)
        return len(current) == len(rooms)

    @staticmethod
    def _apply_state(room: Room, state: RoomState | None) -> None:
        """Apply a state read from SQL; close the room if there is none."""
        if state:
            room.change_state(state)
        else:
            room.close_all(NO_SUCH_ROOM)


def _read_messages_and_state(stream_id: int) -> tuple[list[Event], dict[int, RoomState]]:
    return stored.last_messages(stream_id, HISTORY_KEPT), stored.room_states([stream_id])


def _read_states_and_revoked(
    stream_ids: list[int], visitors: set[Visitor]
) -> tuple[dict[int, RoomState], set[Visitor]]:
    return stored.room_states(stream_ids), stored.revoked(visitors)


# One hub per event loop: a server has one, tests have many.
_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


@asynccontextmanager
async def open_room(username: str) -> AsyncIterator[tuple[Hub, Room]]:
    """Yield this loop's hub and the room of a channel.  Raises NoSuchRoom, HubUnavailable."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub()
        hub.start()
    try:
        async with hub.room(username) as room:
            yield hub, room
    finally:
        if hub.is_idle and _hubs.get(loop) is hub:
            del _hubs[loop]
            await hub.stop()
