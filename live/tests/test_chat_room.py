"""Tests of a room without a network: ticks, floods, and clients that do not read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.frames import Frame as Reference
from websockets.frames import Opcode

from live.chat import client as clients
from live.chat import room as rooms
from live.chat.client import Client
from live.chat.log import Entry
from live.chat.messages import Event, dumps
from live.chat.room import Room
from live.chat.rules import RoomMode, RoomState
from live.chat.tickets import Visitor
from live.chat.transports import WebSocketFrame, encode

ALICE = Visitor(7, "alice", "Alice")
MODERATOR = Visitor(1, "mod", "Mod", ("moderator",))


class FakeSink:
    """Sink that records frames; ``unread`` is the number of bytes that the client has not read."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.unread = 0
        self.ended: int | str | None = None

    def write(self, frame: WebSocketFrame) -> None:
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


async def test_events_are_joined_in_one_frame_with_the_last_seq() -> None:
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


async def test_quiet_room_sends_at_once_and_busy_room_in_ticks() -> None:
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


async def test_client_joining_between_ticks_gets_every_event_once() -> None:
    room = opened(message(1))
    room.receive(message(2))
    sink = FakeSink()
    room.join(Client(sink, None))
    room.flush()

    hello, tick = sink.frames
    assert (hello["seq"], [found["id"] for found in hello["history"]]) == (1, ["m1"])
    assert [found["id"] for found in tick["events"]] == ["m2"]
    room.stop()


async def test_duplicate_events_are_dropped_and_gaps_are_filled_from_the_log() -> None:
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


async def test_gap_beyond_the_log_leads_to_a_new_hello() -> None:
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


async def test_resume_is_split_into_frames_of_bounded_size() -> None:
    room = opened(*(message(seq) for seq in range(1, 451)))
    client, sink = guest(room)
    assert room.resume(client, 10, now=0.0)

    assert [len(frame["events"]) for frame in sink.frames] == [200, 200, 40]
    assert [frame["seq"] for frame in sink.frames] == [210, 410, 450]
    room.stop()


async def test_resume_beyond_its_byte_limit_is_answered_with_a_hello() -> None:
    long = "x" * 2000
    room = opened(*(message(seq, text=long) for seq in range(1, 301)))
    client, sink = guest(room)
    assert room.resume(client, 10, now=0.0)

    (hello,) = sink.frames
    assert hello["type"] == "hello"
    assert len(json.dumps(hello)) < 2 * rooms.HISTORY_BYTES
    room.stop()


async def test_history_holds_only_the_newest_messages_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [message(seq) for seq in range(1, 6)]
    monkeypatch.setattr(rooms, "HISTORY_BYTES", 2 * len(messages[0].event))
    room = opened(*messages)
    sink = FakeSink()
    room.join(Client(sink, None))

    assert [found["id"] for found in sink.frames[0]["history"]] == ["m4", "m5"]
    room.stop()


async def test_client_resuming_too_often_is_refused() -> None:
    room = opened(*(message(seq) for seq in range(1, 451)))
    client, sink = guest(room)
    answers = [room.resume(client, 450, now=1000.0) for _ in range(clients.RESUMES_AT_ONCE + 2)]

    assert answers == [True] * clients.RESUMES_AT_ONCE + [False] * 2
    assert len(sink.frames) == clients.RESUMES_AT_ONCE
    assert room.resume(client, 450, now=1000.0 + 1 / clients.RESUMES_PER_S)
    room.stop()


async def test_resume_of_client_with_unread_data_is_refused() -> None:
    room = opened(*(message(seq) for seq in range(1, 451)))
    client, sink = guest(room)
    sink.unread = clients.UNREAD_BYTES // 2 + 1

    assert not room.resume(client, 10, now=0.0)
    assert sink.frames == []
    room.stop()


async def test_new_hello_disconnects_clients_that_do_not_read() -> None:
    room = opened(message(1))
    _, stuck = guest(room)
    _, quick = guest(room)
    stuck.unread = clients.UNREAD_BYTES + 1
    room.begin([], 2, [message(2)])

    assert (stuck.frames, stuck.ended) == ([], "aborted 4008")
    assert [frame["type"] for frame in quick.frames] == ["hello"]
    room.stop()


async def test_hello_of_signed_out_clients_is_cached_until_a_change() -> None:
    room = opened(message(1))
    first, second = (room._hello_for(Client(FakeSink(), None)) for _ in range(2))
    own = room._hello_for(Client(FakeSink(), ALICE))
    room.receive(message(2))
    room.flush()
    third = room._hello_for(Client(FakeSink(), None))

    assert first is second
    assert json.loads(own.text)["you"]["username"] == "alice"
    assert [json.loads(frame.text)["seq"] for frame in (first, third)] == [1, 2]
    room.stop()


async def test_burst_is_shown_whole_and_excess_of_a_flood_is_counted() -> None:
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
    # The oldest messages are skipped, but never own ones, and none for moderators.
    assert [found["id"] for found in seen[:1]] == ["m501"]
    (own,) = author.frames
    assert [found["id"] for found in own["events"][:2]] == ["m5", "m501"]
    assert own["skipped"] == 499
    (everything,) = moderator.frames
    assert (len(everything["events"]), "skipped" in everything) == (1501, False)
    room.stop()


async def test_burst_of_long_messages_is_shown_within_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "BATCH_BYTES", 10 * len(message(10).event))
    room = opened(message(9))
    _, reader = guest(room)
    for seq in range(10, 40):
        room.receive(message(seq))
    room.flush()

    (tick,) = reader.frames
    assert (len(tick["events"]), tick["skipped"]) == (10, 20)
    assert tick["events"][-1]["id"] == "m39"
    room.stop()


async def test_flood_between_two_ticks_is_sent_before_the_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "PENDING_EVENTS", 3)
    room = opened()
    _, reader = guest(room)
    for seq in range(1, 5):
        room.receive(message(seq))

    assert [len(frame["events"]) for frame in reader.frames] == [3]
    room.stop()


async def test_slow_client_is_skipped_and_receives_the_skipped_count() -> None:
    room = opened()
    _, slow = guest(room, ALICE)
    _, quick = guest(room)
    slow.unread = clients.UNREAD_BYTES + 1
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


async def test_queued_events_are_sent_without_further_events() -> None:
    room = opened()
    _, slow = guest(room)
    slow.unread = clients.UNREAD_BYTES + 1
    room.receive(event(1, type="user_cleared", username="bob"))
    room.flush()
    slow.unread = 0
    assert room._timer is not None
    room.flush()

    (tick,) = slow.frames
    assert tick == {"type": "tick", "seq": 1, "events": [{"type": "user_cleared", "username": "bob"}]}
    room.stop()


async def test_client_that_never_reads_is_disconnected_and_others_continue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = opened()
    _, stuck = guest(room)
    _, quick = guest(room)
    stuck.unread = clients.UNREAD_BYTES + 1
    room.receive(message(1))
    room.flush()
    assert stuck.ended is None
    monkeypatch.setattr(clients, "UNREAD_FOR_S", 0)
    room.receive(message(2))
    room.flush()

    assert stuck.ended == "aborted 4008"
    assert len(room.clients) == 1
    assert [frame["seq"] for frame in quick.frames] == [1, 2]
    room.stop()


async def test_moderators_unread_bytes_are_bounded() -> None:
    room = opened()
    _, moderator = guest(room, MODERATOR)
    moderator.unread = clients.UNREAD_BYTES_OF_MODERATOR + 1
    for seq in range(1, clients.OWED_EVENTS + 2):
        room.receive(message(seq))
    room.flush()

    assert moderator.ended == "aborted 4008"
    room.stop()


async def test_queue_of_slow_client_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "OWED_BYTES", 3 * len(message(1).event))
    room = opened()
    _, moderator = guest(room, MODERATOR)
    moderator.unread = clients.UNREAD_BYTES_OF_MODERATOR + 1
    for seq in range(1, 4):
        room.receive(message(seq))
    room.flush()
    assert moderator.ended is None
    room.receive(message(4))
    room.flush()

    assert moderator.ended == "aborted 4008"
    room.stop()


async def test_hello_after_an_edit_carries_the_new_title_and_category() -> None:
    room = opened(title="Old", category="music")
    room.receive(event(1, type="stream", title="New", category="gaming", latency="low"))
    room.flush()
    room.receive(event(2, type="stream", replay_id="abc", replay_broadcast_id="def"))
    room.flush()
    sink = FakeSink()

    room.join(Client(sink, None))

    assert (sink.frames[0]["title"], sink.frames[0]["category"]) == ("New", "gaming")


async def test_broadcast_event_of_a_private_stream_keeps_the_title() -> None:
    room = opened(title="Old", category="music")

    room.receive(event(1, type="broadcast", status="offline"))
    room.flush()

    assert (room.state.status, room.state.title, room.state.category) == ("offline", "Old", "music")


async def test_mode_and_status_events_change_the_state() -> None:
    room = opened()
    room.receive(event(1, type="mode", slow_s=5, followers_only=True, emotes_only=False))
    room.receive(event(2, type="broadcast", status="offline"))
    room.flush()

    assert (room.state.mode, room.state.status) == (RoomMode(5, True, False), "offline")
    room.stop()


async def test_ban_notice_closes_sockets_on_arrival() -> None:
    room = opened()
    _, banned = guest(room, ALICE)
    about = dumps({"user": 7, "until": None})
    room.receive(Entry(1, dumps({"type": "user_cleared", "username": "alice"}), about))

    assert banned.ended == 4003
    room.receive(Entry(0, "", dumps({"user": 7, "until": 0})))
    assert not room.state.is_banned(7)
    room.stop()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frame_is_encoded_as_in_rfc_6455(size: int) -> None:
    payload = b"x" * size
    assert encode(payload) == Reference(Opcode.TEXT, payload).serialize(mask=False)


async def test_restored_message_returns_to_its_place_in_the_history() -> None:
    messages = [message(seq) for seq in (1, 2, 3)]
    back = event(5, type="message_restored", id="m2", message=json.loads(messages[1].event))
    room = opened(*messages, event(4, type="message_deleted", id="m2"), back)
    sink = FakeSink()

    room.join(Client(sink, None))

    assert [line["id"] for line in sink.frames[0]["history"]] == ["m1", "m2", "m3"]
    room.stop()


async def test_quiet_room_sends_keepalive_ticks() -> None:
    room = opened(message(1))
    _, sink = guest(room)
    _, stuck = guest(room)
    stuck.unread = clients.UNREAD_BYTES
    began = room._spoke_at
    room.show_life(began + rooms.QUIET_S - 1)
    assert sink.frames == []
    room.show_life(began + rooms.QUIET_S)
    room.show_life(began + rooms.QUIET_S + 1)

    assert sink.frames == [{"type": "tick", "seq": 1, "events": []}]
    assert stuck.frames == []
    room.stop()


UNREADABLE_EVENTS = [
    "",
    "no JSON",
    "[]",
    '{"no": "type"}',
    '{"type": ["list"]}',
    '{"type": "message", "user": 5}',
    '{"type": "viewers"}',
    '{"type": "mode", "slow_s": 5}',
    '{"type": "broadcast"}',
    '{"type": "message_restored", "message": {"id": "x"}}',
]


@pytest.mark.parametrize("text", UNREADABLE_EVENTS)
async def test_unreadable_event_is_skipped_and_later_ones_arrive(text: str) -> None:
    gaps: list[Room] = []
    room = opened(gaps=gaps)
    _, sink = guest(room)
    room.receive(Entry(1, text, ""))
    room.receive(message(2, text="good"))
    room.flush()

    assert [texts_of(frame) for frame in sink.frames if frame["events"]] == [["good"]]
    assert (sink.frames[-1]["seq"], gaps) == (2, [])
    room.stop()


@pytest.mark.parametrize("text", UNREADABLE_EVENTS)
async def test_room_opens_despite_unreadable_event(text: str) -> None:
    room = opened(Entry(1, text, ""), message(2, text="good"))
    sink = FakeSink()
    room.join(Client(sink, None))

    assert [one["text"] for one in sink.frames[0]["history"]] == ["good"]
    room.stop()


@pytest.mark.parametrize(
    "about",
    ["no JSON", "[]", '{"user": 7, "until": "soon"}', '{"until": null}', '{"user": [], "until": 1}'],
)
async def test_unreadable_notice_changes_nothing(about: str) -> None:
    room = opened()
    state = room.state
    room.receive(Entry(0, "", about))
    room.receive(Entry(1, dumps({"type": "user_cleared", "username": "alice"}), about))
    room.receive(message(2))
    room.flush()

    assert (room.state, room.seq) == (state, 2)
    room.stop()


async def test_event_of_unknown_type_is_passed_on() -> None:
    room = opened()
    _, sink = guest(room)
    room.receive(event(1, type="poll", question="?"))
    room.flush()

    assert sink.frames[0]["events"] == [{"type": "poll", "question": "?"}]
    room.stop()
