"""One room in one process: what happened, who is here, and how each tick reaches them.

Events that arrive are *pending* until the next tick sends them out; everything
the room says of itself (``seq``, the history) is about what was sent.  Nothing
here waits for anything.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from live.chat.log import LOG_LENGTH, Entry
from live.chat.messages import Event, dumps, hello, tick
from live.chat.rules import Mode, RoomState
from live.chat.tickets import Visitor
from live.chat.transports import Frame, Sink

TICKET_INVALID = 4001
BANNED = 4003
NO_SUCH_ROOM = 4004
TOO_SLOW = 4008

HISTORY = 50
HISTORY_KEPT = 2 * HISTORY  # so that deletions leave fifty to show

# A room that was quiet sends at once, after what arrives together; a busy one
# joins what happens in TICK_S.  Fanning out takes half of a process at most.
JOIN_S = 0.003
TICK_S = 0.05
EVENTS_IN_FRAME = 200

# Nobody reads faster than this.  A burst is shown whole; of a flood, the rest is counted.
READABLE_PER_S = 100
READABLE_AT_ONCE = 1000

# A client that has this much unread gets no more for now, and is ended when it
# has not caught up in time; nothing is left out for moderators until their bound.
UNREAD_BYTES = 256 * 1024
UNREAD_BYTES_OF_MODERATOR = 1024 * 1024
UNREAD_FOR_S = 10.0
OWED_EVENTS = 500


@dataclass(slots=True)
class Allowance:
    """How many messages may still be shown: it fills by the second, up to a burst."""

    per_s: float
    most: float
    left: float
    at: float = 0.0

    def take(self, now: float, wanted: int) -> int:
        self.left = min(self.most, self.left + (now - self.at) * self.per_s)
        self.at = now
        taken = min(wanted, int(self.left))
        self.left -= taken
        return taken


@dataclass(frozen=True, slots=True)
class Batch:
    """What one tick has for everyone, encoded once."""

    seq: int
    events: Sequence[Event]
    hidden: Sequence[Event]
    frames: Sequence[Frame]


class Client:
    """One socket in a room."""

    __slots__ = ("behind_since", "owed", "sink", "skipped", "visitor")

    def __init__(self, sink: Sink, visitor: Visitor | None) -> None:
        self.sink = sink
        self.visitor = visitor
        self.behind_since: float | None = None
        self.owed: list[Event] = []
        self.skipped = 0

    @property
    def user_id(self) -> int | None:
        return self.visitor.user_id if self.visitor else None

    @property
    def sees_all(self) -> bool:
        return self.visitor is not None and self.visitor.can_moderate

    def say(self, text: str) -> None:
        self.sink.write(Frame(text))

    def must_see(self, event: Event) -> bool:
        """What is never left out: moderation, what moderators say or see, and one's own."""
        return event.is_kept or self.sees_all or (event.user_id is not None and event.user_id == self.user_id)

    def offer(self, batch: Batch, now: float) -> bool:
        """Write a tick, or note what is owed; false once there is no hope."""
        unread = self.sink.buffered()
        bound = UNREAD_BYTES_OF_MODERATOR if self.sees_all else UNREAD_BYTES
        if unread > bound or (self.behind_since is not None and unread > bound // 2):
            return self._wait(batch, now)
        own = [event for event in batch.hidden if self.must_see(event)] if batch.hidden else ()
        if self.behind_since is None and not own:
            for frame in batch.frames:
                self.sink.write(frame)
        else:
            self._catch_up(batch, own)
        return True

    def _wait(self, batch: Batch, now: float) -> bool:
        if self.behind_since is None:
            self.behind_since = now
        kept = [event for event in batch.events if self.must_see(event)]
        self.owed += kept
        self.skipped += len(batch.events) - len(kept)
        return now - self.behind_since < UNREAD_FOR_S and len(self.owed) <= OWED_EVENTS

    def _catch_up(self, batch: Batch, own: Sequence[Event]) -> None:
        """A tick of this client's own: what was owed, and what the room leaves out but they must see."""
        hidden = {event.seq for event in batch.hidden} - {event.seq for event in own}
        shown = [event for event in batch.events if event.seq not in hidden]
        skipped = self.skipped + len(hidden)
        events = [event.json for event in (*self.owed, *shown)]
        if events or skipped:
            self.say(tick(batch.seq, events, skipped))
        self.behind_since, self.owed, self.skipped = None, [], 0


class Room:
    """A room as this process knows it; ``on_gap`` is called when events are missing."""

    def __init__(
        self, state: RoomState, on_gap: Callable[[Room], None], on_reload: Callable[[Room], None]
    ) -> None:
        self.state = state
        self.clients: set[Client] = set()
        self.subscribed = asyncio.Event()
        self.viewer_count = 0
        self.state_changes = 0  # so that what was read from SQL meanwhile is known to be old
        self.seq = 0  # of the last event that was sent out
        self.received = 0  # of the last that arrived in order
        self._on_gap = on_gap
        self._on_reload = on_reload
        self._is_filling = True  # until the log was read, what arrives is held
        self._held: list[Entry] = []
        self._pending: list[Event] = []
        self._log: deque[Event] = deque(maxlen=LOG_LENGTH)
        self._history: OrderedDict[str, Event] = OrderedDict()
        self._readable = Allowance(READABLE_PER_S, READABLE_AT_ONCE, READABLE_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._next_tick_at = 0.0

    @property
    def stream_id(self) -> int:
        return self.state.stream_id

    # --- What happened ---------------------------------------------------------------

    def begin(self, messages: Iterable[Event], seq: int, entries: Sequence[Entry]) -> None:
        """Start from what SQL and the log hold; whoever is here already starts again with it."""
        self._pending.clear()
        self._log.clear()
        self._history.clear()
        self._log.extend(map(_event, entries))
        logged = {event.id for event in self._log if event.type == "message"}
        for message in messages:
            if message.id not in logged:
                self._remember(message)
        for event in self._log:
            self._apply(event)
        self.seq = self.received = seq
        if self.clients:
            for client in self.clients:
                client.behind_since, client.owed, client.skipped = None, [], 0
            self._greet_all()
        self._stop_holding()

    def fill(self, seq: int, entries: Sequence[Entry]) -> bool:
        """Take what was missed from the log; false when the log no longer holds all of it."""
        missed = [entry for entry in entries if entry.seq > self.received]
        is_whole = seq == self.received + len(missed) and (not missed or missed[0].seq == self.received + 1)
        if is_whole:
            for entry in missed:
                self._take(entry)
            self._stop_holding()
        return is_whole

    def hold(self) -> None:
        """Keep what arrives until :meth:`fill` or :meth:`begin`."""
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
        """Take an event as it was published."""
        if entry.seq == 0:
            self._heed(entry.about)
        elif self._is_filling:
            # What no longer fits is found missing, and read from the log once more.
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
        if event.type == "user_cleared":
            self._heed(entry.about)
        self._pending.append(event)
        if self._timer is None:
            wait_s = max(JOIN_S, self._next_tick_at - time.monotonic())
            self._timer = self._loop.call_later(wait_s, self.flush)

    def _heed(self, about: str) -> None:
        """What concerns the hub itself: who may speak, or that SQL has news."""
        said: dict[str, Any] = json.loads(about) if about else {}
        if said.get("reload"):
            self._on_reload(self)
        if "user" in said and "until" in said:
            restrictions = {**self.state.restrictions, said["user"]: said["until"]}
            self.change_state(dataclasses.replace(self.state, restrictions=restrictions))

    def _apply(self, event: Event) -> None:
        if event.type == "message":
            self._remember(event)
        elif event.type == "message_deleted":
            self._history.pop(event.id, None)
        elif event.type == "message_restored":
            self._put_back(event.fields["message"])
        elif event.type == "user_cleared":
            for message in [kept for kept in self._history.values() if kept.username == event.username]:
                del self._history[message.id]
        elif event.type == "viewers":
            self.viewer_count = event.fields["count"]

    def _remember(self, message: Event) -> None:
        self._history[message.id] = message
        if len(self._history) > HISTORY_KEPT:
            self._history.popitem(last=False)

    def _put_back(self, said: dict[str, Any]) -> None:
        """A message that was taken away, at its old place."""
        message = Event.read(said["seq"], dumps(said))
        in_order = sorted([*self._history.values(), message], key=lambda kept: kept.seq)
        self._history.clear()
        for kept in in_order:
            self._remember(kept)

    def change_state(self, state: RoomState) -> None:
        """Believe what SQL says now, and close whoever may no longer be here."""
        self.state = state
        self.state_changes += 1
        for client in tuple(self.clients):
            if client.user_id is not None and state.is_banned(client.user_id):
                self.close(client, BANNED)
            elif not state.admits(client.visitor):
                self.close(client, NO_SUCH_ROOM)

    # --- Who is here -----------------------------------------------------------------

    def join(self, client: Client) -> None:
        client.say(self._hello(client, self._shown_history()))
        self.clients.add(client)

    def leave(self, client: Client) -> None:
        self.clients.discard(client)

    def close(self, client: Client, code: int) -> None:
        """End a socket from our side; its consumer notices by itself."""
        self.clients.discard(client)
        client.sink.close(code)

    def close_all(self, code: int) -> None:
        for client in tuple(self.clients):
            self.close(client, code)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def resume(self, client: Client, after: int) -> None:
        """Answer with everything after ``after``; with a new beginning where that is too old, or not ours."""
        oldest = self._log[0].seq if self._log else self.seq + 1
        if not oldest - 1 <= after <= self.seq:
            client.say(self._hello(client, self._shown_history()))
            return
        missed = [event for event in self._log if event.seq > after]
        for first in range(0, len(missed), EVENTS_IN_FRAME):
            events = missed[first : first + EVENTS_IN_FRAME]
            client.say(tick(events[-1].seq, [event.json for event in events]))
        if not missed:
            client.say(tick(self.seq, []))

    def _greet_all(self) -> None:
        history = self._shown_history()
        for client in self.clients:
            client.say(self._hello(client, history))

    def _shown_history(self) -> list[str]:
        return [event.json for event in self._history.values()][-HISTORY:]

    def _hello(self, client: Client, history: Sequence[str]) -> str:
        opening = {
            "room": self.state.room,
            "seq": self.seq,
            "mode": self.state.mode.as_json(),
            "status": self.state.status,
            "viewer_count": self.viewer_count,
        }
        return hello(opening, client.visitor.as_json() if client.visitor else None, history)

    # --- Ticks -----------------------------------------------------------------------

    def flush(self) -> None:
        """Send what is pending to everyone, without waiting for anyone."""
        self._timer = None
        # Not the loop's own time: uvloop's stands still until we are done.
        began = time.monotonic()
        batch = self._next_batch(began)
        is_someone_behind = False
        for client in tuple(self.clients):
            if not client.offer(batch, began):
                self.clients.discard(client)
                client.sink.abort(TOO_SLOW)
            is_someone_behind |= client.behind_since is not None
        took_s = time.monotonic() - began
        rest_s = max(TICK_S, took_s)
        self._next_tick_at = began + took_s + rest_s
        if is_someone_behind and self._timer is None:
            # They are owed something, even if nothing else happens.
            self._timer = self._loop.call_later(took_s + rest_s, self.flush)

    def _next_batch(self, now: float) -> Batch:
        events, self._pending = self._pending, []
        for event in events:
            self._apply(event)
            self._apply_to_state(event)
        self._log.extend(events)
        self.seq = events[-1].seq if events else self.seq
        hidden = self._hidden(events, now)
        out = {event.seq for event in hidden}
        shown = [event for event in events if event.seq not in out]
        begins = range(0, max(len(shown), bool(events)), EVENTS_IN_FRAME)
        frames = [self._tick_of(shown, first, len(hidden)) for first in begins]
        return Batch(self.seq, events, hidden, frames)

    def _hidden(self, events: Sequence[Event], now: float) -> list[Event]:
        """What nobody could read any more: the oldest of what may be left out, beyond the allowance."""
        skippable = [event for event in events if not event.is_kept]
        allowed = self._readable.take(now, len(skippable))
        return skippable[: len(skippable) - allowed]

    def _tick_of(self, shown: Sequence[Event], first: int, skipped: int) -> Frame:
        part = shown[first : first + EVENTS_IN_FRAME]
        is_last = first + EVENTS_IN_FRAME >= len(shown)
        seq = self.seq if is_last else part[-1].seq
        return Frame(tick(seq, [event.json for event in part], skipped if is_last else 0))

    def _apply_to_state(self, event: Event) -> None:
        if event.type == "mode":
            mode = Mode(**{name: event.fields[name] for name in Mode.__dataclass_fields__})
            self.change_state(dataclasses.replace(self.state, mode=mode))
        elif event.type == "broadcast":
            self.change_state(dataclasses.replace(self.state, status=event.fields["status"]))


def _event(entry: Entry) -> Event:
    about: dict[str, Any] = json.loads(entry.about) if entry.about else {}
    return Event.read(entry.seq, entry.event, about.get("user"))
