"""One socket in a room: the events it is sent, and those queued while it is behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from live.chat.messages import Event, tick
from live.chat.tickets import Visitor
from live.chat.transports import SocketSink, WebSocketFrame

# A client with this much unread gets no more for now, and is disconnected if it
# does not catch up in time.  Moderators have a larger bound, as nothing is skipped for them.
UNREAD_BYTES = 256 * 1024
UNREAD_BYTES_OF_MODERATOR = 1024 * 1024
UNREAD_FOR_S = 10.0
# Bounds of the events queued for a client that is behind.
OWED_EVENTS = 500
OWED_BYTES = 512 * 1024
# A page resumes once per connection; only a flooding client resumes more often.
RESUMES_PER_S, RESUMES_AT_ONCE = 0.2, 5


@dataclass(slots=True)
class TokenBucket:
    """Token bucket: refills by ``per_s`` tokens a second, up to ``most``."""

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
    """Events of one tick, with the frames for all clients encoded once."""

    seq: int
    events: Sequence[Event]
    hidden: Sequence[Event]
    frames: Sequence[WebSocketFrame]


class Client:
    """One socket in a room."""

    __slots__ = ("behind_since", "owed", "owed_bytes", "resumes", "sink", "skipped", "visitor")

    def __init__(self, sink: SocketSink, visitor: Visitor | None) -> None:
        self.sink = sink
        self.visitor = visitor
        self.resumes = TokenBucket(RESUMES_PER_S, RESUMES_AT_ONCE, RESUMES_AT_ONCE)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Drop the queue for this client, because the next hello contains everything."""
        self.behind_since: float | None = None
        self.owed: list[Event] = []
        self.owed_bytes = 0
        self.skipped = 0

    @property
    def user_id(self) -> int | None:
        return self.visitor.user_id if self.visitor else None

    @property
    def sees_all(self) -> bool:
        return self.visitor is not None and self.visitor.can_moderate

    @property
    def unread_bound(self) -> int:
        """Return the number of unread bytes above which this client counts as behind."""
        return UNREAD_BYTES_OF_MODERATOR if self.sees_all else UNREAD_BYTES

    @property
    def has_unread(self) -> bool:
        """Return True if more than half of the bound is unread, which a reading client never leaves."""
        return self.sink.buffered() > self.unread_bound // 2

    def send(self, text: str) -> None:
        self.sink.write(WebSocketFrame(text))

    def must_see(self, event: Event) -> bool:
        """Return True for events never skipped: moderation, moderators' messages and view, own messages."""
        return event.is_kept or self.sees_all or (event.user_id is not None and event.user_id == self.user_id)

    def offer(self, batch: Batch, now: float) -> bool:
        """Send the batch, or queue it for a slow client.  Return False to disconnect the client."""
        if self.sink.buffered() > self.unread_bound or (self.behind_since is not None and self.has_unread):
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
        self.owed_bytes += sum(event.size_bytes for event in kept)
        self.skipped += len(batch.events) - len(kept)
        is_bounded = len(self.owed) <= OWED_EVENTS and self.owed_bytes <= OWED_BYTES
        return is_bounded and now - self.behind_since < UNREAD_FOR_S

    def _catch_up(self, batch: Batch, own: Sequence[Event]) -> None:
        """Send this client its own tick: queued events, and those hidden from others but not from it."""
        hidden = {event.seq for event in batch.hidden} - {event.seq for event in own}
        shown = [event for event in batch.events if event.seq not in hidden]
        skipped = self.skipped + len(hidden)
        events = [event.json for event in (*self.owed, *shown)]
        if events or skipped:
            self.send(tick(batch.seq, events, skipped))
        self.begin_anew()
