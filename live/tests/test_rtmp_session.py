from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live.rtmp import amf0, chunks, flv
from live.rtmp.chunks import ChunkReader, ChunkWriter, Message
from live.rtmp.errors import ProtocolError
from live.rtmp.session import (
    Connected,
    Event,
    Limits,
    MediaTag,
    Metadata,
    PublishRequested,
    ServerSession,
    State,
    Unpublished,
)
from live.tests import rtmp_client, rtmp_recordings
from live.tests.rtmp_client import Speech

SAID = {
    "FFmpeg": rtmp_recordings.FFMPEG,
    "GStreamer": rtmp_recordings.GSTREAMER,
    "OBS": Speech().whole("live_key")[1 + 2 * 1536 :],
}
SHAKEN = Speech().hello() + Speech().hello_answered()


class Conversation:
    """A session whose every publisher is accepted, what happened in it and what it answered."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.session = ServerSession(limits or Limits())
        self.events: list[Event] = []
        self.sent = b""
        self.failure = ""

    def hear(self, data: bytes) -> None:
        if self.failure:
            return
        try:
            for event in self.session.receive(data):
                self.events.append(event)
                if isinstance(event, PublishRequested):
                    self.session.accept_publish()
        except ProtocolError as error:
            self.failure = error.code
        self.sent += self.session.data_to_send()

    def answers(self) -> list[Message]:
        """What the session sent, behind its part of the handshake."""
        reading = ChunkReader(max_message_bytes=65_536, max_chunk_bytes=65_536, max_chunk_streams=8)
        reading.feed(self.sent[1 + 2 * 1536 :])
        return list(iter(reading.next_message, None))

    def commands(self) -> list[list[Any]]:
        return [amf0.decode(answer.payload) for answer in self.answers() if answer.type_id == chunks.COMMAND]

    def statuses(self) -> list[tuple[str, str, str]]:
        said = [command[3] for command in self.commands() if command[0] == "onStatus"]
        return [(status["level"], status["code"], status["description"]) for status in said]


def heard(*said: bytes, limits: Limits | None = None) -> Conversation:
    conversation = Conversation(limits)
    for data in said:
        conversation.hear(data)
    return conversation


def published(*said: Callable[[Speech], bytes], key: str = "live_key") -> Conversation:
    """A conversation with a publisher, who then says ``said``."""
    speech = Speech()
    before = [
        speech.hello(),
        speech.hello_answered(),
        speech.connect(),
        speech.prepare(key),
        speech.publish(key),
    ]
    return heard(*before, *(say(speech) for say in said))


# --- What encoders do -----------------------------------------------------------------


def test_obs_publishes_and_says_goodbye() -> None:
    speech = Speech()

    conversation = heard(speech.whole("live_key"))

    connected, requested, metadata, *media, goodbye = conversation.events
    assert connected == Connected("live", "rtmp://127.0.0.1/live")
    assert requested == PublishRequested("live_key", "live")
    assert metadata == Metadata(rtmp_client.METADATA)
    assert media[:2] == [
        MediaTag("video", 0, rtmp_client.AVC_HEADER),
        MediaTag("audio", 0, rtmp_client.AAC_HEADER),
    ]
    assert [(tag.kind, tag.timestamp_ms) for tag in media[2:6] if isinstance(tag, MediaTag)] == [
        ("video", 0), ("audio", 0), ("video", 33), ("audio", 33),
    ]  # fmt: skip
    assert len(media) == 2 + 2 * 30
    assert goodbye == Unpublished()
    assert conversation.failure == ""


def test_obs_hears_what_it_waits_for() -> None:
    conversation = heard(Speech().whole("live_key"))

    assert [command[:2] for command in conversation.commands()] == [
        ["_result", 1.0],  # connect
        ["_result", 2.0],  # releaseStream
        ["_result", 3.0],  # FCPublish
        ["_result", 4.0],  # createStream
        ["onStatus", 0.0],  # publish
        ["onStatus", 0.0],  # FCUnpublish
    ]
    assert conversation.commands()[0][3]["code"] == "NetConnection.Connect.Success"
    assert conversation.commands()[3][3] == 1.0
    assert [code for _level, code, _description in conversation.statuses()] == [
        "NetStream.Publish.Start",
        "NetStream.Unpublish.Success",
    ]


def tags(conversation: Conversation) -> list[tuple[str, int, int]]:
    return [
        (event.kind, event.timestamp_ms, len(event.payload))
        for event in conversation.events
        if isinstance(event, MediaTag)
    ]


def test_ffmpeg_as_recorded() -> None:
    conversation = heard(SHAKEN + rtmp_recordings.FFMPEG)

    assert conversation.events[1] == PublishRequested("live_key", "live")
    assert tags(conversation) == [
        ("video", 0, 42), ("audio", 0, 7), ("audio", 0, 21), ("video", 128, 19), ("audio", 128, 6),
        ("video", 228, 14), ("audio", 256, 6), ("video", 328, 14), ("audio", 384, 6), ("video", 428, 21),
        ("audio", 512, 6), ("video", 528, 14), ("video", 528, 5),
    ]  # fmt: skip
    assert conversation.events[-1] == Unpublished()


def test_gstreamer_as_recorded() -> None:
    conversation = heard(SHAKEN + rtmp_recordings.GSTREAMER)

    assert conversation.events[1] == PublishRequested("live_key", "live")
    assert tags(conversation) == [
        ("video", 0, 50), ("audio", 0, 7), ("video", 0, 774), ("audio", 0, 23), ("video", 100, 24),
        ("audio", 128, 6), ("video", 200, 27), ("audio", 256, 6), ("video", 300, 77), ("audio", 384, 6),
        ("video", 400, 24), ("audio", 512, 6), ("video", 512, 5),
    ]  # fmt: skip
    keyframes = [
        event.timestamp_ms
        for event in conversation.events
        if isinstance(event, MediaTag) and event.kind == "video" and flv.is_keyframe(event.payload)
    ]
    assert keyframes == [0, 300]
    assert conversation.events[-1] == Unpublished()


@pytest.mark.parametrize("goodbye", ["FCUnpublish", "deleteStream", "closeStream"])
def test_any_of_three_commands_is_a_goodbye(goodbye: str) -> None:
    conversation = published(lambda speech: speech.command(goodbye, None, 1, stream_id=1))

    assert conversation.events[-1] == Unpublished()


def test_nothing_is_heard_after_the_goodbye() -> None:
    conversation = published(
        lambda speech: speech.goodbye("live_key"),
        lambda speech: speech.media("audio", 0, rtmp_client.sound()),
    )

    assert conversation.events[-1] == Unpublished()
    assert conversation.failure == ""


def test_the_key_is_the_stream_name_without_its_query() -> None:
    assert published(key="live_key?backup=1&x").events[1] == PublishRequested("live_key", "live")


@pytest.mark.parametrize(
    ("app", "found"), [("live/", "live"), ("/live", "live"), ("live?x=1", "live"), ("a/b", "a/b")]
)
def test_the_app_is_named_without_slashes_and_query(app: str, found: str) -> None:
    speech = Speech()

    assert heard(SHAKEN, speech.connect(app)).events == [Connected(found, f"rtmp://127.0.0.1/{app}")]


def test_keys_do_not_show_in_representations() -> None:
    connected, requested, *_ = published(key="live_secret").events

    assert "secret" not in f"{requested!r} {Connected('live', 'rtmp://host/live/live_secret')!r}"
    assert "live" in repr(connected)


def test_enhanced_encoders_may_list_codecs_when_they_connect() -> None:
    speech = Speech()

    conversation = heard(SHAKEN, speech.connect(fourCcList=["hvc1", "av01"], capsEx=1))

    assert isinstance(conversation.events[0], Connected)


def test_commands_in_amf_3_clothes_are_understood() -> None:
    writer = ChunkWriter()
    said = amf0.encode("connect", 1, {"app": "live", "tcUrl": ""})

    conversation = heard(SHAKEN, writer.message(3, Message(chunks.COMMAND_AMF3, 0, 0, b"\0" + said)))

    assert conversation.events == [Connected("live", "")]


def test_unknown_commands_get_an_empty_result() -> None:
    conversation = published(lambda speech: speech.command("_checkbw", None))

    assert conversation.commands()[-1] == ["_result", 6.0, None, None]


def test_a_ping_is_answered() -> None:
    ping = bytes.fromhex("0006 01020304")

    conversation = published(lambda speech: speech.writer.control(chunks.USER_CONTROL, ping))

    assert conversation.answers()[-1] == Message(chunks.USER_CONTROL, 0, 0, bytes.fromhex("0007 01020304"))


def test_what_arrives_is_acknowledged_as_often_as_the_peer_asks() -> None:
    window = (10_000).to_bytes(4)

    conversation = published(
        lambda speech: speech.writer.control(chunks.WINDOW_SIZE, window),
        *[lambda speech: speech.media("video", 0, rtmp_client.picture(4000))] * 6,
    )

    counts = [
        int.from_bytes(answer.payload)
        for answer in conversation.answers()
        if answer.type_id == chunks.ACKNOWLEDGEMENT
    ]
    assert len(counts) == 2
    assert counts[1] - counts[0] >= 10_000


def test_metadata_may_come_without_its_wrapping() -> None:
    payload = amf0.encode("onMetaData", {"width": 320})

    conversation = published(lambda speech: speech.writer.message(4, Message(chunks.DATA, 1, 0, payload)))

    assert conversation.events[-1] == Metadata({"width": 320.0})


def test_other_data_is_ignored() -> None:
    payload = amf0.encode("onTextData", {"text": "x"})

    conversation = published(lambda speech: speech.writer.message(4, Message(chunks.DATA, 1, 0, payload)))

    assert isinstance(conversation.events[-1], PublishRequested)


# --- The handshake --------------------------------------------------------------------


def test_the_handshake_repeats_the_peers_packet() -> None:
    session = ServerSession()
    hello = Speech().hello()

    list(session.receive(hello[:1536]))
    assert session.data_to_send() == b""
    list(session.receive(hello[1536:]))
    answer = session.data_to_send()

    assert (answer[0], len(answer)) == (3, 1 + 2 * 1536)
    assert answer[1:9] == bytes(8)  # a server of version 0, whom nobody expects to sign
    assert answer[1 + 1536 :] == hello[1:]


@pytest.mark.parametrize("first", [b"\x06", b"G", b"\x16", b"\x00"])
def test_what_is_not_rtmp_is_refused_by_its_first_byte(first: bytes) -> None:
    assert heard(first).failure == "not_rtmp"


# --- What is refused ------------------------------------------------------------------


def test_a_key_is_looked_at_before_publishing_starts() -> None:
    speech = Speech()
    session = ServerSession()
    said = SHAKEN + speech.connect() + speech.prepare("wrong") + speech.publish("wrong")
    said += speech.media("video", 0, rtmp_client.AVC_HEADER)

    for event in session.receive(said):
        if isinstance(event, PublishRequested):
            session.refuse_publish("NetStream.Publish.BadName", "Wrong key.")
    answers = Conversation()
    answers.sent = session.data_to_send()

    assert answers.statuses() == [("error", "NetStream.Publish.BadName", "Wrong key.")]
    assert session.state is State.ENDED
    assert list(session.receive(b"whatever follows")) == []


@pytest.mark.parametrize(
    ("kind", "payload", "sentence"),
    [
        ("video", b"\x90hvc1\0", "Your encoder sends a picture in HEVC. Please choose H.264."),
        ("video", b"\x90av01\0", "Your encoder sends a picture in AV1. Please choose H.264."),
        ("video", b"\x1c\0\0\0\0", "Your encoder sends a picture in HEVC. Please choose H.264."),
        ("video", b"\x12\0", "Your encoder sends a picture in Sorenson H.263. Please choose H.264."),
        ("audio", b"\x2f\0", "Your encoder sends sound in MP3. Please choose AAC."),
        ("audio", b"\x90Opus", "Your encoder sends sound in a newer format. Please choose AAC."),
    ],
)
def test_other_codecs_are_refused_with_a_reason(kind: Any, payload: bytes, sentence: str) -> None:
    conversation = published(lambda speech: speech.media(kind, 0, payload))

    assert conversation.failure == "unsupported_codec"
    assert conversation.statuses()[-1] == ("error", "NetStream.Publish.Rejected", sentence)


def test_empty_media_and_players_instructions_are_passed_over() -> None:
    conversation = published(
        lambda speech: speech.media("audio", 0, b""),
        lambda speech: speech.media("video", 0, b""),
        lambda speech: speech.media("video", 0, b"\x52\0"),
    )

    assert tags(conversation) == []
    assert conversation.failure == ""


@pytest.mark.parametrize("name", ["play", "play2"])
def test_nothing_is_played_back(name: str) -> None:
    speech = Speech()

    conversation = heard(SHAKEN, speech.connect(), speech.command(name, None, "live_key", stream_id=1))

    assert conversation.failure == "play_refused"
    assert conversation.statuses()[0][:2] == ("error", "NetStream.Play.Failed")


def test_a_publisher_cannot_play_either() -> None:
    assert published(lambda speech: speech.command("play", None, "x", stream_id=1)).failure == "play_refused"


def test_one_connection_publishes_one_stream() -> None:
    assert published(lambda speech: speech.publish("live_other")).failure == "publish_out_of_turn"


def test_unknown_kinds_of_publishing_are_refused() -> None:
    speech = Speech()

    conversation = heard(SHAKEN, speech.connect(), speech.publish("live_key", "broadcast"))

    assert conversation.failure == "bad_publish"
    assert conversation.statuses()[0][:2] == ("error", "NetStream.Publish.Rejected")


@pytest.mark.parametrize(
    ("say", "failure"),
    [
        (lambda speech: speech.prepare("x"), "command_out_of_turn"),
        (lambda speech: speech.connect() + speech.connect(), "command_out_of_turn"),
        (lambda speech: speech.connect() + speech.some_media(seconds=1), "media_before_publish"),
        (lambda speech: speech.connect() + speech.command("createStream", None) * 5, "too_many_streams"),
        (lambda speech: speech.connect() + speech.command("hi", None) * 99, "too_many_messages"),
        (lambda speech: raw_command(speech, b""), "bad_command"),
        (lambda speech: raw_command(speech, amf0.encode(1, 2)), "bad_command"),
        (lambda speech: raw_command(speech, amf0.encode("connect", "1")), "bad_command"),
        (lambda speech: raw_command(speech, b"\x02\xff"), "amf_incomplete"),
    ],
)
def test_who_has_not_published_may_do_little(say: Callable[[Speech], bytes], failure: str) -> None:
    assert heard(SHAKEN, say(Speech())).failure == failure


def raw_command(speech: Speech, payload: bytes) -> bytes:
    return speech.writer.message(3, Message(chunks.COMMAND, 0, 0, payload))


def test_messages_are_small_until_publishing_is_accepted() -> None:
    large = bytes([4]) + bytes(3) + (64 * 1024 + 1).to_bytes(3) + b"\x09" + (1).to_bytes(4, "little")
    speech = Speech()

    assert heard(SHAKEN, speech.connect() + large).failure == "message_too_large"
    assert published(lambda _speech: large).failure == ""


# --- Anything at all ------------------------------------------------------------------


@given(data=st.binary(max_size=400), is_shaken=st.booleans())
def test_any_bytes_are_events_or_a_protocol_error(data: bytes, is_shaken: bool) -> None:
    heard(SHAKEN if is_shaken else b"", data)


@given(
    st.sampled_from([rtmp_recordings.FFMPEG, rtmp_recordings.GSTREAMER]),
    st.lists(st.tuples(st.integers(0, 1900), st.integers(0, 255)), max_size=5),
)
def test_a_damaged_stream_is_events_or_a_protocol_error(said: bytes, damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(said)
    for at, byte in damage:
        damaged[at % len(damaged)] = byte

    heard(SHAKEN, bytes(damaged))


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(SAID)),
    st.lists(st.integers(1, 700), min_size=1),
    st.integers(0, 1900),
    st.integers(0, 255),
)
def test_splitting_the_bytes_changes_no_event(encoder: str, steps: list[int], at: int, byte: int) -> None:
    said = SAID[encoder]
    damaged = bytearray(SHAKEN + said)
    damaged[len(SHAKEN) + at % len(said)] = byte
    data = bytes(damaged)
    pieces: list[bytes] = []
    start = 0
    while start < len(data):
        step = steps[len(pieces) % len(steps)]
        pieces.append(data[start : start + step])
        start += step

    at_once, in_pieces = heard(data), heard(*pieces)

    assert (at_once.events, at_once.failure) == (in_pieces.events, in_pieces.failure)
