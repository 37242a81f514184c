"""The chat of one process: its rooms, and the one connection that brings them what happens.

A room opens with its first client and goes with its last; the hub itself with
its first and last room.  Redis may go away at any time: what was missed is read
from the rooms' logs once it is back.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

import redis
from channels.db import database_sync_to_async
from django.db import DatabaseError
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from live import viewers
from live.chat import log, moderation
from live.chat.clients import new_async_client
from live.chat.messages import Event
from live.chat.room import HISTORY_KEPT, NO_SUCH_ROOM, TICKET_INVALID, Room
from live.chat.rules import RoomState

logger = logging.getLogger(__name__)

# A channel that keeps the connection subscribed while no room is open yet.
LIFELINE = "chat"
PING_EVERY_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
OPEN_TIMEOUT_S = 8.0
RETRY_S = 1.0
# Every process looks after its rooms this often; one of them tells a room its count.
ROUND_S = 5.0
TELLS_FOR_MS = 4500
# Notices keep the state current; SQL is asked for what a lost one would have said.
RELOAD_EVERY_ROUNDS = 3
RELOADS = 3  # of one room, where notices keep overtaking what is read


class NoSuchRoom(Exception):
    """Nobody of this name can be listened to."""


class Unavailable(Exception):
    """Redis or SQL does not answer."""


class Hub:
    """All rooms of one process (of one event loop)."""

    def __init__(self) -> None:
        self.client = new_async_client()
        self._name = secrets.token_hex(6)
        self._openings: dict[str, asyncio.Task[Room]] = {}
        self._guests: Counter[str] = Counter()
        self._rooms: dict[str, Room] = {}  # by channel
        self._pubsub: PubSub | None = None
        self._subscribing = asyncio.Lock()
        self._recovering: set[Room] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        self._keep(self._listen())
        self._keep(self._look_after())

    @property
    def is_idle(self) -> bool:
        return not self._guests

    async def stop(self) -> None:
        # More than once: redis-py swallows a cancellation that finds it connecting
        # (tried with 8.1: in 13 of its first 20 steps).
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=0.1)
        await self.client.aclose()
        await self.client.connection_pool.disconnect()

    def _keep(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run beside everything else; asyncio itself forgets tasks that nobody holds."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- Rooms -----------------------------------------------------------------------

    @asynccontextmanager
    async def room(self, username: str) -> AsyncIterator[Room]:
        """The open room of a channel.  Raises NoSuchRoom, Unavailable."""
        name = username.lower()
        self._guests[name] += 1
        try:
            yield await asyncio.shield(self._opening(name))
        finally:
            self._guests[name] -= 1
            if not self._guests[name]:
                del self._guests[name]
                await self._close(name)

    def _opening(self, name: str) -> asyncio.Task[Room]:
        """The one task that opens a room, however many come at once."""
        opening = self._openings.get(name)
        if opening is None or (opening.done() and opening.exception()):
            opening = self._openings[name] = asyncio.create_task(self._open(name))
            # It may have failed after everyone who waited had gone.
            opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        return opening

    async def _open(self, name: str) -> Room:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                state = await database_sync_to_async(moderation.find_room)(name)
                if state is None:
                    raise NoSuchRoom
                return await self._enter(Room(state, self._on_gap, self._on_reload))
        except (RedisError, OSError, DatabaseError, TimeoutError) as error:
            logger.warning("Chat room not opened", extra={"room": name, "error": repr(error)})
            raise Unavailable from error

    async def _enter(self, room: Room) -> Room:
        """Hear the room's channel first, and read what happened before then."""
        channel = log.channel_of(room.stream_id)
        self._rooms[channel] = room
        try:
            await self._subscribe(channel)
            await room.subscribed.wait()
            await self._begin(room)
        except BaseException:
            # Those who gave up may have made room for others already.
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

    async def _begin(self, room: Room) -> None:
        """Fill a room whose channel we hear, from SQL and from the log."""
        messages, states = await database_sync_to_async(_read_sql)(room.stream_id)
        since_ms = viewers.alive_since_ms()
        viewer_count: Any = await self.client.zcount(viewers.viewers_key(room.stream_id), since_ms, "+inf")
        seq, entries = await log.read(self.client, room.stream_id, 0)
        self._believe(room, states.get(room.stream_id))
        room.begin(messages, seq, entries)
        room.viewer_count = viewer_count

    def _on_gap(self, room: Room) -> None:
        if room not in self._recovering:
            self._recovering.add(room)
            self._keep(self._recover(room))

    async def _recover(self, room: Room) -> None:
        """Read from the log what was missed; where it no longer holds all of that, begin anew."""
        try:
            room.hold()
            while room.is_filling and self._rooms.get(log.channel_of(room.stream_id)) is room:
                try:
                    seq, entries = await log.read(self.client, room.stream_id, room.received)
                    if not room.fill(seq, entries):
                        await self._begin(room)
                except (RedisError, OSError, DatabaseError) as error:
                    logger.warning("Chat room still behind", extra={"error": repr(error)})
                    await asyncio.sleep(RETRY_S)
        finally:
            self._recovering.discard(room)

    # --- What arrives ------------------------------------------------------------------

    async def _subscribe(self, channel: str) -> None:
        """Hear a channel; without a connection, :meth:`_listen` does so once it has one."""
        async with self._subscribing:
            if self._pubsub:
                await self._pubsub.subscribe(channel)

    async def _unsubscribe(self, channel: str) -> None:
        async with self._subscribing:
            # It may have been opened again while we waited.
            if self._pubsub and channel not in self._rooms:
                await self._pubsub.unsubscribe(channel)

    async def _listen(self) -> None:
        """Hear all rooms, for as long as the hub lives."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with self.client.pubsub() as pubsub:
                    async with self._subscribing:
                        await pubsub.subscribe(LIFELINE, *self._rooms)
                        self._pubsub = pubsub
                    pause_s = FIRST_PAUSE_S
                    await self._hear(pubsub)
            except (RedisError, OSError) as error:
                logger.warning("Chat connection to Redis lost", extra={"error": repr(error)})
            finally:
                self._pubsub = None
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 -- not all come back at once
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def _hear(self, pubsub: PubSub) -> None:
        is_quiet = False
        while True:
            message = await pubsub.get_message(timeout=PING_EVERY_S)
            if message is None:
                if is_quiet:
                    raise redis.exceptions.ConnectionError("Redis has fallen silent")
                is_quiet = True
                await pubsub.ping()
                continue
            is_quiet = False
            if room := self._rooms.get(message["channel"]):
                self._take(room, message)

    def _take(self, room: Room, message: dict[str, Any]) -> None:
        if message["type"] == "message":
            room.receive(log.parse_published(message["data"]))
        elif message["type"] == "subscribe":
            if room.subscribed.is_set():
                self._on_gap(room)  # back after a break: who knows what we missed
            room.subscribed.set()

    # --- Every few seconds ---------------------------------------------------------------

    async def _look_after(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(ROUND_S)
            rooms = [room for room in self._rooms.values() if not room.is_filling]
            try:
                await self._count(rooms)
                if number % RELOAD_EVERY_ROUNDS == 0:
                    await self._reload(rooms)
            except (RedisError, OSError, DatabaseError) as error:
                logger.warning("Chat rooms not looked after", extra={"error": repr(error)})

    async def _count(self, rooms: Sequence[Room]) -> None:
        """Note how many sockets are here, and tell rooms how many watch: one process tells each."""
        if not rooms:
            return
        until = time.time() + viewers.CHATTERS_FOR_S
        since_ms = viewers.alive_since_ms()
        pipeline: Any = self.client.pipeline(transaction=False)
        for room in rooms:
            chatters = viewers.chatters_key(room.stream_id)
            pipeline.hset(chatters, self._name, f"{len(room.clients)} {until:.0f}")
            pipeline.expire(chatters, viewers.CHATTERS_FOR_S)
            pipeline.set(f"live:teller:{room.stream_id}", self._name, nx=True, px=TELLS_FOR_MS)
            pipeline.zcount(viewers.viewers_key(room.stream_id), since_ms, "+inf")
        answers = await pipeline.execute()
        for room, (is_teller, count) in zip(
            rooms, zip(answers[2::4], answers[3::4], strict=True), strict=True
        ):
            if is_teller and count != room.viewer_count:
                await log.append(self.client, room.stream_id, {"type": "viewers", "count": count})

    def _on_reload(self, room: Room) -> None:
        self._keep(self._reload_one(room))

    async def _reload_one(self, room: Room) -> None:
        try:
            for _ in range(RELOADS):
                if await self._reload([room]):
                    return
        except DatabaseError as error:
            logger.warning("Chat room not reloaded", extra={"error": repr(error)})

    async def _reload(self, rooms: Sequence[Room]) -> bool:
        """Believe what SQL says of ``rooms`` now; false where a notice came while it was read."""
        if not rooms:
            return True
        known = {room: room.state_changes for room in rooms}
        people = {client.user_id for room in rooms for client in room.clients if client.user_id is not None}
        states, gone = await database_sync_to_async(_read_states)([room.stream_id for room in rooms], people)
        current = [room for room in rooms if room.state_changes == known[room]]
        for room in current:
            self._believe(room, states.get(room.stream_id))
        for room in rooms:
            for client in tuple(room.clients):
                if client.user_id in gone:
                    room.close(client, TICKET_INVALID)
        return len(current) == len(rooms)

    @staticmethod
    def _believe(room: Room, state: RoomState | None) -> None:
        if state:
            room.change_state(state)
        else:
            room.close_all(NO_SUCH_ROOM)


def _read_sql(stream_id: int) -> tuple[list[Event], dict[int, RoomState]]:
    return moderation.last_messages(stream_id, HISTORY_KEPT), moderation.room_states([stream_id])


def _read_states(stream_ids: list[int], user_ids: set[int]) -> tuple[dict[int, RoomState], set[int]]:
    return moderation.room_states(stream_ids), moderation.switched_off(user_ids)


# --- The hub of this process -------------------------------------------------------------

# One for each event loop; a server has one, tests have many.
_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


@asynccontextmanager
async def open_room(username: str) -> AsyncIterator[tuple[Hub, Room]]:
    """The room of a channel, while the block lasts.  Raises NoSuchRoom, Unavailable."""
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
