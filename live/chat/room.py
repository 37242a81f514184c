"""Room in one process: its events, its clients, and the ticks that send events to clients.

Received events are *pending* until the next tick sends them; ``seq`` and the
history cover only sent events.  Nothing here waits: no function is a coroutine.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

from common.sparse_log import SparseLog
from live.chat.client import Batch, Client, TokenBucket
from live.chat.log import LOG_LENGTH, Entry
from live.chat.messages import Event, dumps, hello, tick
from live.chat.rules import RoomMode, RoomState
from live.chat.transports import WebSocketFrame

_sparse = SparseLog(logging.getLogger(__name__))

# Exceptions from reading a damaged event or one of another version.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

# Fields of a stream that its events may carry; a hello carries all of them.
_DESCRIPTION = ("title", "category")

TICKET_INVALID = 4001
BANNED = 4003
NO_SUCH_ROOM = 4004
TOO_SLOW = 4008

HISTORY = 50
HISTORY_KEPT = 2 * HISTORY  # spare messages, so that fifty remain after deletions

# A quiet room sends after JOIN_S, to join events that arrive together; a busy one
# joins the events of TICK_S.  Fan-out takes at most half of a process's time.
JOIN_S = 0.003
TICK_S = 0.05
EVENTS_IN_FRAME = 200
# This many pending events are sent at once, before the tick.
PENDING_EVENTS = 5000

# Nobody reads faster than this.  A burst is shown whole; the excess of a flood is only counted.
READABLE_PER_S = 100
READABLE_AT_ONCE = 1000

# Size of the messages that one tick may carry; beyond it, the oldest are counted as skipped.
BATCH_BYTES = 512 * 1024
# A hello carries the newest messages that fit; a resume with more answers with a hello.
HISTORY_BYTES = 128 * 1024
RESUME_BYTES = 256 * 1024
# Keepalive interval: pages treat a connection as dead after three intervals of silence.
QUIET_S = 8.0


class Room:
    """Room of one process.

    ``on_gap`` is called if events are missing, ``on_reload`` if SQL must be read again.
    """

    def __init__(
        self, state: RoomState, on_gap: Callable[[Room], None], on_reload: Callable[[Room], None]
    ) -> None:
        self.state = state
        self.clients: set[Client] = set()
        self.subscribed = asyncio.Event()
        self.viewer_count = 0
        self.is_reachable = True  # by events of other processes, through Redis
        self.state_changes = 0  # shows whether a state read from SQL is outdated
        self.seq = 0  # of the last event sent to clients
        self.received = 0  # seq of the last event received in order
        self._on_gap = on_gap
        self._on_reload = on_reload
        self._is_filling = True  # received events are held until the log was read
        self._held: list[Entry] = []
        self._pending: list[Event] = []
        self._log: deque[Event] = deque(maxlen=LOG_LENGTH)
        self._history: OrderedDict[str, Event] = OrderedDict()
        self._shared_hello: tuple[object, WebSocketFrame] | None = None
        self._readable = TokenBucket(READABLE_PER_S, READABLE_AT_ONCE, READABLE_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._next_tick_at = 0.0
        self._spoke_at = time.monotonic()

    @property
    def stream_id(self) -> int:
        return self.state.stream_id

    def begin(self, messages: Iterable[Event], seq: int, entries: Sequence[Entry]) -> None:
        """Fill the room from SQL's messages and the log, and greet all present clients again."""
        self._pending.clear()
        self._log.clear()
        self._history.clear()
        self._shared_hello = None
        self._log.extend(event for entry in entries if (event := _event(entry)))
        logged = {event.id for event in self._log if event.type == "message"}
        for message in messages:
            if message.id not in logged:
                self._remember(message)
        for event in self._log:
            self._can_apply(event)
        self.seq = self.received = seq
        self._greet_all()
        self._stop_holding()

    def fill(self, seq: int, entries: Sequence[Entry]) -> bool:
        """Take missed events from the log.  Return False if the log no longer holds all of them."""
        missed = [entry for entry in entries if entry.seq > self.received]
        is_whole = seq == self.received + len(missed) and (not missed or missed[0].seq == self.received + 1)
        if is_whole:
            for entry in missed:
                self._take(entry)
            self._stop_holding()
        return is_whole

    def hold(self) -> None:
        """Hold received events until :meth:`fill` or :meth:`begin`."""
        self._is_filling = True

    @property
    def is_filling(self) -> bool:
        return self._is_filling

    def _stop_holding(self) -> None:
        self._is_filling = False
        held, self._held = self._held, []
        for entry in held:
            self.receive(entry)

    def receive(self, entry: Entry) -> None:
        """Process a published entry: a notice for hubs (``seq`` 0) or an event."""
        if entry.seq == 0:
            self._apply_notice(entry.about)
        elif self._is_filling:
            # Entries beyond the bound leave a gap, which is read from the log later.
            if len(self._held) < LOG_LENGTH:
                self._held.append(entry)
        elif entry.seq == self.received + 1:
            self._take(entry)
        elif entry.seq > self.received:
            self.hold()
            self._held.append(entry)
            self._on_gap(self)

    def _take(self, entry: Entry) -> None:
        self.received = entry.seq
        event = _event(entry)
        if event is None:
            return
        if event.type in {"user_cleared", "user_allowed"}:
            self._apply_notice(entry.about)
        self._pending.append(event)
        if len(self._pending) >= PENDING_EVENTS:
            self.stop()
            self.flush()
        elif self._timer is None:
            wait_s = max(JOIN_S, self._next_tick_at - time.monotonic())
            self._timer = self._loop.call_later(wait_s, self.flush)

    def _apply_notice(self, about: str) -> None:
        """Follow a notice for hubs: a changed restriction, or a request to reload from SQL."""
        try:
            notice = _object(about)
            restricted = {int(notice["user"]): _moment(notice["until"])} if "until" in notice else {}
        except UNREADABLE as error:
            _sparse.warning("Chat notice skipped", stream=self.stream_id, error=repr(error))
            return
        if notice.get("reload"):
            self._on_reload(self)
        if restricted:
            restrictions = {**self.state.restrictions, **restricted}
            self.change_state(dataclasses.replace(self.state, restrictions=restrictions))

    def _can_apply(self, event: Event) -> bool:
        """Apply an event to the history and viewer count.  Return False if it is unreadable."""
        try:
            self._apply(event)
        except UNREADABLE as error:
            _sparse.warning("Chat event skipped", stream=self.stream_id, seq=event.seq, error=repr(error))
            return False
        return True

    def _apply(self, event: Event) -> None:
        if event.type == "message":
            self._remember(event)
        elif event.type == "message_deleted":
            self._history.pop(event.id, None)
        elif event.type == "message_restored":
            self._restore_message(event.fields["message"])
        elif event.type == "user_cleared":
            for message in [kept for kept in self._history.values() if kept.username == event.username]:
                del self._history[message.id]
        elif event.type == "viewers":
            self.viewer_count = event.fields["count"]

    def _remember(self, message: Event) -> None:
        self._history[message.id] = message
        if len(self._history) > HISTORY_KEPT:
            self._history.popitem(last=False)

    def _restore_message(self, fields: dict[str, Any]) -> None:
        """Insert a restored message into the history at its old place."""
        message = Event.read(fields["seq"], dumps(fields))
        in_order = sorted([*self._history.values(), message], key=lambda kept: kept.seq)
        self._history.clear()
        for kept in in_order:
            self._remember(kept)

    def set_reachable(self, is_reachable: bool) -> None:
        """Send all clients whether events of other processes arrive; this is not written to the log."""
        if is_reachable == self.is_reachable:
            return
        self.is_reachable = is_reachable
        for client in tuple(self.clients):
            self._send_connection(client)

    def _send_connection(self, client: Client) -> None:
        client.send(tick(self.seq, [dumps({"type": "connection", "is_open": self.is_reachable})]))

    def change_state(self, state: RoomState) -> None:
        """Replace the state, and close the sockets of people who are banned or lost access."""
        self.state = state
        self.state_changes += 1
        for client in tuple(self.clients):
            if client.user_id is not None and state.is_banned(client.user_id):
                self.close(client, BANNED)
            elif not state.admits(client.visitor):
                self.close(client, NO_SUCH_ROOM)

    def join(self, client: Client) -> None:
        client.sink.write(self._hello_for(client))
        if not self.is_reachable:
            self._send_connection(client)
        self.clients.add(client)

    def leave(self, client: Client) -> None:
        self.clients.discard(client)

    def close(self, client: Client, code: int) -> None:
        """Close a client's socket; its consumer ends on the disconnect message."""
        self.clients.discard(client)
        client.sink.close(code)

    def close_all(self, code: int) -> None:
        for client in tuple(self.clients):
            self.close(client, code)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def resume(self, client: Client, after: int, now: float) -> bool:
        """Send every event after ``after``.  Return False if the client resumes too often.

        The answer is a new hello if ``after`` is too old or unknown, or if the events
        exceed ``RESUME_BYTES``.  A client with unread data is refused, too.
        """
        if client.has_unread or not client.resumes.take(now, 1):
            return False
        oldest = self._log[0].seq if self._log else self.seq + 1
        missed = [event for event in self._log if event.seq > after]
        is_known = oldest - 1 <= after <= self.seq
        if not is_known or sum(event.size_bytes for event in missed) > RESUME_BYTES:
            client.sink.write(self._hello_for(client))
            return True
        for first in range(0, len(missed), EVENTS_IN_FRAME):
            events = missed[first : first + EVENTS_IN_FRAME]
            client.send(tick(events[-1].seq, [event.json for event in events]))
        if not missed:
            client.send(tick(self.seq, []))
        return True

    def _greet_all(self) -> None:
        """Send every client a new hello, and disconnect those beyond their unread bound."""
        for client in tuple(self.clients):
            client.begin_anew()
            if client.sink.buffered() > client.unread_bound:
                self.end(client)
            else:
                client.sink.write(self._hello_for(client))

    def end(self, client: Client) -> None:
        """Disconnect a client that does not read."""
        self.clients.discard(client)
        client.sink.abort(TOO_SLOW)

    def _shown_history(self) -> list[str]:
        """Return the newest messages, oldest first, within ``HISTORY`` and ``HISTORY_BYTES``."""
        newest = list(self._history.values())[-HISTORY:]
        sizes = accumulate(event.size_bytes for event in reversed(newest))
        fitting = sum(size <= HISTORY_BYTES for size in sizes)
        return [event.json for event in newest[len(newest) - fitting :]]

    def _hello_for(self, client: Client) -> WebSocketFrame:
        """Return the hello frame; visitors without a ticket share one until the room changes."""
        if client.visitor is not None:
            return WebSocketFrame(self._hello(client.visitor.as_json()))
        made_from = (self.seq, self.state_changes, self.viewer_count)
        if self._shared_hello is None or self._shared_hello[0] != made_from:
            self._shared_hello = (made_from, WebSocketFrame(self._hello(None)))
        return self._shared_hello[1]

    def _hello(self, you: dict[str, Any] | None) -> str:
        opening = {
            "room": self.state.room,
            "seq": self.seq,
            "mode": self.state.mode.as_json(),
            "status": self.state.status,
            "title": self.state.title,
            "category": self.state.category,
            "viewer_count": self.viewer_count,
        }
        return hello(opening, you, self._shown_history())

    def show_life(self, now: float) -> None:
        """Send an empty tick to all clients if the room was quiet for ``QUIET_S``."""
        if now - self._spoke_at < QUIET_S:
            return
        self._spoke_at = now
        frame = WebSocketFrame(tick(self.seq, []))
        for client in tuple(self.clients):
            if not client.has_unread:
                client.sink.write(frame)

    def flush(self) -> None:
        """Send pending events to all clients, without waiting for any of them."""
        self._timer = None
        # Not the loop's own time: uvloop updates it only between callbacks.
        began = time.monotonic()
        batch = self._next_batch(began)
        if batch.frames:
            self._spoke_at = began
        is_someone_behind = False
        for client in tuple(self.clients):
            if not client.offer(batch, began):
                self.end(client)
            is_someone_behind |= client.behind_since is not None
        took_s = time.monotonic() - began
        rest_s = max(TICK_S, took_s)
        self._next_tick_at = began + took_s + rest_s
        if is_someone_behind and self._timer is None:
            # Serve the queues of slow clients even if no new event arrives.
            self._timer = self._loop.call_later(took_s + rest_s, self.flush)

    def _next_batch(self, now: float) -> Batch:
        pending, self._pending = self._pending, []
        events = [event for event in pending if self._can_apply(event) and self._can_apply_to_state(event)]
        self._log.extend(events)
        self.seq = pending[-1].seq if pending else self.seq
        hidden = self._hidden(events, now)
        out = {event.seq for event in hidden}
        shown = [event for event in events if event.seq not in out]
        begins = range(0, max(len(shown), bool(pending)), EVENTS_IN_FRAME)
        frames = [self._tick_of(shown, first, len(hidden)) for first in begins]
        return Batch(self.seq, events, hidden, frames)

    def _hidden(self, events: Sequence[Event], now: float) -> list[Event]:
        """Return the events to hide: the oldest skippable ones beyond the allowance or ``BATCH_BYTES``."""
        skippable = [event for event in events if not event.is_kept]
        sizes = accumulate(event.size_bytes for event in reversed(skippable))
        fitting = sum(size <= BATCH_BYTES for size in sizes)
        allowed = min(fitting, self._readable.take(now, len(skippable)))
        return skippable[: len(skippable) - allowed]

    def _tick_of(self, shown: Sequence[Event], first: int, skipped: int) -> WebSocketFrame:
        part = shown[first : first + EVENTS_IN_FRAME]
        is_last = first + EVENTS_IN_FRAME >= len(shown)
        seq = self.seq if is_last else part[-1].seq
        return WebSocketFrame(tick(seq, [event.json for event in part], skipped if is_last else 0))

    def _can_apply_to_state(self, event: Event) -> bool:
        """Apply a published mode, status or description to the state.  Return False if it is unreadable."""
        try:
            if event.type == "mode":
                mode = RoomMode(**{name: event.fields[name] for name in RoomMode.__dataclass_fields__})
                self.change_state(dataclasses.replace(self.state, mode=mode))
            elif event.type in {"broadcast", "stream"}:
                changes: dict[str, Any] = {
                    name: str(event.fields[name]) for name in _DESCRIPTION if name in event.fields
                }
                if event.type == "broadcast":
                    changes["status"] = event.fields["status"]
                self.change_state(dataclasses.replace(self.state, **changes))
        except UNREADABLE as error:
            _sparse.warning("Chat event skipped", stream=self.stream_id, seq=event.seq, error=repr(error))
            return False
        return True


def _event(entry: Entry) -> Event | None:
    """Return the event of ``entry``; log an unreadable one and return None."""
    try:
        return Event.read(entry.seq, entry.event, _object(entry.about).get("user"))
    except UNREADABLE as error:
        _sparse.warning("Chat event skipped", seq=entry.seq, error=repr(error))
        return None


def _object(text: str) -> dict[str, Any]:
    """Parse a JSON object; an empty text means an empty object.  Raises ValueError."""
    found = json.loads(text) if text else {}
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _moment(value: object) -> float | None:
    """Return the end of a restriction in Unix seconds, or None for a ban.  Raises ValueError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a moment")
    return float(value)
