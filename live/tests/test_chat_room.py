"""A room without a network: ticks, floods, and clients that do not read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.frames import Frame as Reference
from websockets.frames import Opcode

from live.chat import room as rooms
from live.chat.log import Entry
from live.chat.messages import Event, dumps
from live.chat.room import Client, Room
from live.chat.rules import Mode, RoomState
from live.chat.tickets import Visitor
from live.chat.transports import Frame, encode

ALICE = Visitor(7, "alice", "Alice")
MODERATOR = Visitor(1, "mod", "Mod", ("moderator",))


class FakeSink:
    """Remembers what was written; ``unread`` is what the client has not taken."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.unread = 0
        self.ended: int | str | None = None

    def write(self, frame: Frame) -> None:
        self.frames.append(json.loads(frame.text))

    def buffered(self) -> int:
        return self.unread

    def close(self, code: int) -> None:
        self.ended = code

    def abort(self, code: int) -> None:
        self.ended = f"aborted {code}"


def message(seq: int, user_id: int = 99, text: str = "hi") -> Entry:
    user = {"username": f"u{user_id}", "display_name": "U", "badges": []}
    fields = {"type": "message", "id": f"m{seq}", "seq": seq, "user": user, "text": text}
    return Entry(seq, dumps(fields), dumps({"user": user_id}))


def event(seq: int, **fields: Any) -> Entry:
    return Entry(seq, dumps(fields), "")


def opened(*entries: Entry, gaps: list[Room] | None = None, **state: Any) -> Room:
    fields: dict[str, Any] = {"stream_id": 1, "room": "bob", "status": "live", "is_open": True, **state}
    room = Room(RoomState(**fields), (gaps if gaps is not None else []).append, lambda _room: None)
    room.begin([], entries[-1].seq if entries else 0, entries)
    return room


def guest(room: Room, visitor: Visitor | None = None) -> tuple[Client, FakeSink]:
    sink = FakeSink()
    client = Client(sink, visitor)
    room.join(client)
    sink.frames.clear()  # hello
    return client, sink


def texts_of(frame: dict[str, Any]) -> list[str]:
    return [event["text"] for event in frame["events"]]


async def test_events_are_joined_in_one_frame_that_names_the_last() -> None:
    room = opened()
    _, sink = guest(room)
    for seq in (1, 2, 3):
        room.receive(message(seq, text=str(seq)))
    room.receive(event(4, type="viewers", count=5))
    room.flush()

    (tick,) = sink.frames
    assert [found["type"] for found in tick["events"]] == ["message"] * 3 + ["viewers"]
    assert (tick["seq"], "skipped" in tick) == (4, False)
    room.stop()


async def test_a_quiet_room_sends_at_once_and_a_busy_one_in_ticks() -> None:
    room = opened()
    _, sink = guest(room)
    loop = asyncio.get_running_loop()
    room.receive(message(1))
    assert room._timer is not None
    assert room._timer.when() - loop.time() <= rooms.JOIN_S
    room.flush()
    room.receive(message(2))
    assert room._timer.when() - loop.time() > rooms.TICK_S / 2
    room.flush()

    assert [frame["seq"] for frame in sink.frames] == [1, 2]
    room.stop()


async def test_who_joins_between_two_ticks_gets_every_event_once() -> None:
    room = opened(message(1))
    room.receive(message(2))
    sink = FakeSink()
    room.join(Client(sink, None))
    room.flush()

    hello, tick = sink.frames
    assert (hello["seq"], [found["id"] for found in hello["history"]]) == (1, ["m1"])
    assert [found["id"] for found in tick["events"]] == ["m2"]
    room.stop()


async def test_what_was_published_twice_is_taken_once_and_what_is_missing_is_asked_for() -> None:
    gaps: list[Room] = []
    room = opened(gaps=gaps)
    _, sink = guest(room)
    for seq in (1, 1, 4, 5):
        room.receive(message(seq))
    assert gaps == [room]

    assert room.fill(5, [message(2), message(3), message(4), message(5)])
    room.flush()
    assert [found["id"] for frame in sink.frames for found in frame["events"]] == [
        "m1",
        "m2",
        "m3",
        "m4",
        "m5",
    ]
    room.stop()


async def test_what_the_log_no_longer_holds_is_a_new_beginning() -> None:
    room = opened()
    _, sink = guest(room)
    room.receive(message(1))
    room.receive(message(900))
    assert not room.fill(900, [message(899), message(900)])
    room.begin([Event.read(800, message(800).event, 99)], 900, [message(899), message(900)])

    (hello,) = sink.frames
    assert (hello["type"], hello["seq"]) == ("hello", 900)
    assert [found["id"] for found in hello["history"]] == ["m800", "m899", "m900"]
    room.receive(message(901))
    room.flush()
    assert sink.frames[-1]["seq"] == 901
    room.stop()


async def test_resume_is_sent_in_frames_of_a_bearable_size() -> None:
    room = opened(*(message(seq) for seq in range(1, 451)))
    client, sink = guest(room)
    room.resume(client, 10)

    assert [len(frame["events"]) for frame in sink.frames] == [200, 200, 40]
    assert [frame["seq"] for frame in sink.frames] == [210, 410, 450]
    room.stop()


# --- Floods -------------------------------------------------------------------------


async def test_a_burst_is_shown_whole_and_of_a_flood_the_rest_is_counted() -> None:
    room = opened()
    _, reader = guest(room)
    _, author = guest(room, Visitor(5, "five", "Five"))
    _, moderator = guest(room, MODERATOR)
    for seq in range(1, 1501):
        room.receive(message(seq, user_id=seq))
    room.receive(event(1501, type="message_deleted", id="m3"))
    room.flush()

    seen = [found for frame in reader.frames for found in frame["events"]]
    assert len(seen) == rooms.READABLE_AT_ONCE + 1
    assert seen[-1] == {"type": "message_deleted", "id": "m3"}
    assert [frame.get("skipped", 0) for frame in reader.frames] == [0] * 5 + [500]
    # What was skipped is the oldest; but never one's own message, and nothing for moderators.
    assert [found["id"] for found in seen[:1]] == ["m501"]
    (own,) = author.frames
    assert [found["id"] for found in own["events"][:2]] == ["m5", "m501"]
    assert own["skipped"] == 499
    (everything,) = moderator.frames
    assert (len(everything["events"]), "skipped" in everything) == (1501, False)
    room.stop()


# --- Clients that do not read ---------------------------------------------------------


async def test_a_slow_client_is_skipped_and_told_how_much_it_missed() -> None:
    room = opened()
    _, slow = guest(room, ALICE)
    _, quick = guest(room)
    slow.unread = rooms.UNREAD_BYTES + 1
    room.receive(message(1))
    room.receive(message(2, user_id=7, text="mine"))
    room.flush()
    room.receive(event(3, type="message_deleted", id="m1"))
    room.receive(event(4, type="viewers", count=2))
    room.flush()
    assert slow.frames == []
    assert len(quick.frames) == 2

    slow.unread = 0
    room.receive(message(5))
    room.flush()

    (tick,) = slow.frames
    assert [found["type"] for found in tick["events"]] == ["message", "message_deleted", "message"]
    assert [found.get("id") for found in tick["events"]] == ["m2", "m1", "m5"]
    assert (tick["seq"], tick["skipped"]) == (5, 2)
    room.stop()


async def test_what_is_owed_comes_when_the_room_is_quiet_again() -> None:
    room = opened()
    _, slow = guest(room)
    slow.unread = rooms.UNREAD_BYTES + 1
    room.receive(event(1, type="user_cleared", username="bob"))
    room.flush()
    slow.unread = 0
    assert room._timer is not None
    room.flush()

    (tick,) = slow.frames
    assert tick == {"type": "tick", "seq": 1, "events": [{"type": "user_cleared", "username": "bob"}]}
    room.stop()


async def test_a_client_that_never_reads_is_ended_while_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    room = opened()
    _, stuck = guest(room)
    _, quick = guest(room)
    stuck.unread = rooms.UNREAD_BYTES + 1
    room.receive(message(1))
    room.flush()
    assert stuck.ended is None
    monkeypatch.setattr(rooms, "UNREAD_FOR_S", 0)
    room.receive(message(2))
    room.flush()

    assert stuck.ended == "aborted 4008"
    assert len(room.clients) == 1
    assert [frame["seq"] for frame in quick.frames] == [1, 2]
    room.stop()


async def test_moderators_have_a_bound_as_well() -> None:
    room = opened()
    _, moderator = guest(room, MODERATOR)
    moderator.unread = rooms.UNREAD_BYTES_OF_MODERATOR + 1
    for seq in range(1, rooms.OWED_EVENTS + 2):
        room.receive(message(seq))
    room.flush()

    assert moderator.ended == "aborted 4008"
    room.stop()


# --- State ------------------------------------------------------------------------------


async def test_a_mode_and_a_status_are_believed_with_the_event_that_tells_them() -> None:
    room = opened()
    room.receive(event(1, type="mode", slow_s=5, followers_only=True, emotes_only=False))
    room.receive(event(2, type="broadcast", status="offline"))
    room.flush()

    assert (room.state.mode, room.state.status) == (Mode(5, True, False), "offline")
    room.stop()


async def test_a_ban_is_heeded_when_it_arrives() -> None:
    room = opened()
    _, banned = guest(room, ALICE)
    about = dumps({"user": 7, "until": None})
    room.receive(Entry(1, dumps({"type": "user_cleared", "username": "alice"}), about))

    assert banned.ended == 4003
    room.receive(Entry(0, "", dumps({"user": 7, "until": 0})))
    assert not room.state.is_banned(7)
    room.stop()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_is_encoded_as_the_standard_says(size: int) -> None:
    payload = b"x" * size
    assert encode(payload) == Reference(Opcode.TEXT, payload).serialize(mask=False)


async def test_a_message_that_was_brought_back_is_in_the_history_at_its_place() -> None:
    said = [message(seq) for seq in (1, 2, 3)]
    back = event(5, type="message_restored", id="m2", message=json.loads(said[1].event))
    room = opened(*said, event(4, type="message_deleted", id="m2"), back)
    sink = FakeSink()

    room.join(Client(sink, None))

    assert [line["id"] for line in sink.frames[0]["history"]] == ["m1", "m2", "m3"]
    room.stop()
