"""Tests of an RTMP session's handshake, commands and bounds."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live.rtmp import amf0, chunks
from live.rtmp.chunks import ChunkWriter, Message
from live.rtmp.session import (
    Connected,
    MediaTag,
    Metadata,
    PublishRequested,
    ServerSession,
    State,
    Unpublished,
)
from live.tests import rtmp_client, rtmp_recordings
from live.tests.rtmp_client import Speech
from live.tests.rtmp_conversations import SHAKEN, RtmpConversation, heard, published, tags

SENT = {
    "FFmpeg": rtmp_recordings.FFMPEG,
    "GStreamer": rtmp_recordings.GSTREAMER,
    "OBS": Speech().whole("live_key")[1 + 2 * 1536 :],
}


def test_obs_session_gives_all_events() -> None:
    speech = Speech()

    conversation = heard(speech.whole("live_key"))

    connected, requested, metadata, *media, goodbye = conversation.events
    assert connected == Connected("live", "rtmp://127.0.0.1/live")
    assert requested == PublishRequested("live_key", "live")
    assert metadata == Metadata(rtmp_client.METADATA)
    assert media[:2] == [
        rtmp_client.media_tag("video", 0, rtmp_client.AVC_HEADER),
        rtmp_client.media_tag("audio", 0, rtmp_client.AAC_HEADER),
    ]
    assert [(tag.kind, tag.timestamp_ms) for tag in media[2:6] if isinstance(tag, MediaTag)] == [
        ("video", 0), ("audio", 0), ("video", 33), ("audio", 33),
    ]  # fmt: skip
    assert len(media) == 2 + 2 * 30
    assert goodbye == Unpublished()
    assert conversation.failure == ""


def test_obs_gets_the_answers_that_it_awaits() -> None:
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


def test_recorded_ffmpeg_session_is_read() -> None:
    conversation = heard(SHAKEN + rtmp_recordings.FFMPEG)

    assert conversation.events[1] == PublishRequested("live_key", "live")
    assert tags(conversation) == [
        ("video", 0, 42), ("audio", 0, 7), ("audio", 0, 21), ("video", 128, 19), ("audio", 128, 6),
        ("video", 228, 14), ("audio", 256, 6), ("video", 328, 14), ("audio", 384, 6), ("video", 428, 21),
        ("audio", 512, 6), ("video", 528, 14),
    ]  # fmt: skip
    assert conversation.events[-1] == Unpublished()


def test_recorded_gstreamer_session_is_read() -> None:
    conversation = heard(SHAKEN + rtmp_recordings.GSTREAMER)

    assert conversation.events[1] == PublishRequested("live_key", "live")
    assert tags(conversation) == [
        ("video", 0, 50), ("audio", 0, 7), ("video", 0, 774), ("audio", 0, 23), ("video", 100, 24),
        ("audio", 128, 6), ("video", 200, 27), ("audio", 256, 6), ("video", 300, 77), ("audio", 384, 6),
        ("video", 400, 24), ("audio", 512, 6),
    ]  # fmt: skip
    keyframes = [
        event.timestamp_ms
        for event in conversation.events
        if isinstance(event, MediaTag) and event.kind == "video" and event.header.is_keyframe
    ]
    assert keyframes == [0, 300]
    assert conversation.events[-1] == Unpublished()


@pytest.mark.parametrize("goodbye", ["FCUnpublish", "deleteStream", "closeStream"])
def test_each_of_three_commands_is_a_goodbye(goodbye: str) -> None:
    conversation = published(lambda speech: speech.command(goodbye, None, 1, stream_id=1))

    assert conversation.events[-1] == Unpublished()


def test_messages_after_the_goodbye_are_ignored() -> None:
    conversation = published(
        lambda speech: speech.goodbye("live_key"),
        lambda speech: speech.media("audio", 0, rtmp_client.sound()),
    )

    assert conversation.events[-1] == Unpublished()
    assert conversation.failure == ""


def test_key_is_the_stream_name_without_its_query() -> None:
    assert published(key="live_key?backup=1&x").events[1] == PublishRequested("live_key", "live")


@pytest.mark.parametrize(
    ("app", "found"), [("live/", "live"), ("/live", "live"), ("live?x=1", "live"), ("a/b", "a/b")]
)
def test_app_is_named_without_slashes_and_query(app: str, found: str) -> None:
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


def test_command_in_an_amf_3_message_is_read() -> None:
    writer = ChunkWriter()
    sent = amf0.encode("connect", 1, {"app": "live", "tcUrl": ""})

    conversation = heard(SHAKEN, writer.message(3, Message(chunks.COMMAND_AMF3, 0, 0, b"\0" + sent)))

    assert conversation.events == [Connected("live", "")]


def test_unknown_commands_get_an_empty_result() -> None:
    conversation = published(lambda speech: speech.command("_checkbw", None))

    assert conversation.commands()[-1] == ["_result", 6.0, None, None]


def test_ping_is_answered() -> None:
    ping = bytes.fromhex("0006 01020304")

    conversation = published(lambda speech: speech.writer.control(chunks.USER_CONTROL, ping))

    assert conversation.answers()[-1] == Message(chunks.USER_CONTROL, 0, 0, bytes.fromhex("0007 01020304"))


def test_received_bytes_are_acknowledged_by_the_peers_window() -> None:
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


def test_command_of_amf_3_may_lack_its_zero_byte() -> None:
    writer = ChunkWriter()
    sent = amf0.encode("connect", 1, {"app": "live", "tcUrl": ""})

    conversation = heard(SHAKEN, writer.message(3, Message(chunks.COMMAND_AMF3, 0, 0, sent)))

    assert conversation.events == [Connected("live", "")]


@pytest.mark.parametrize(
    "send",
    [
        lambda speech: speech.command("deleteStream", None, 2, stream_id=0),
        lambda speech: speech.command("closeStream", None, stream_id=2),
        lambda speech: speech.command("FCUnpublish", None, "live_other"),
    ],
)
def test_goodbye_to_another_stream_is_ignored(send: Callable[[Speech], bytes]) -> None:
    conversation = published(send, lambda speech: speech.media("audio", 7, rtmp_client.sound(1)))

    assert tags(conversation) == [("audio", 7, 3)]
    assert conversation.commands()[-1][0] == "_result"


@pytest.mark.parametrize("size", [64, 131_072, 128 * 1024**2])
def test_chunks_may_have_any_size(size: int) -> None:
    conversation = published(
        lambda speech: speech.writer.set_chunk_bytes(size),
        lambda speech: speech.media("video", 40, rtmp_client.picture(200_000)),
    )

    assert tags(conversation) == [("video", 40, 200_005)]


def test_encoder_may_use_many_chunk_streams() -> None:
    def send(number: int) -> Callable[[Speech], bytes]:
        message = Message(chunks.AUDIO, 1, number, rtmp_client.sound(1))
        return lambda speech: speech.writer.message(number, message)

    conversation = published(*(send(number) for number in range(6, 106)))

    assert [time for _kind, time, _size in tags(conversation)] == list(range(6, 106))


def test_handshake_repeats_the_peers_packet() -> None:
    session = ServerSession()
    hello = Speech().hello()

    list(session.receive(hello[:1536]))
    assert session.data_to_send() == b""
    list(session.receive(hello[1536:]))
    answer = session.data_to_send()

    assert (answer[0], len(answer)) == (3, 1 + 2 * 1536)
    assert answer[1:9] == bytes(8)  # version 0: clients expect no signature
    assert answer[1 + 1536 :] == hello[1:]


@pytest.mark.parametrize("first", [b"\x06", b"G", b"\x16", b"\x00"])
def test_other_protocols_are_refused_by_the_first_byte(first: bytes) -> None:
    assert heard(first).failure == "not_rtmp"


def test_refused_key_ends_the_session_before_media() -> None:
    speech = Speech()
    session = ServerSession()
    sent = SHAKEN + speech.connect() + speech.prepare("wrong") + speech.publish("wrong")
    sent += speech.media("video", 0, rtmp_client.AVC_HEADER)

    for event in session.receive(sent):
        if isinstance(event, PublishRequested):
            session.refuse_publish("NetStream.Publish.BadName", "Wrong key.")
    answers = RtmpConversation()
    answers.sent = session.data_to_send()

    assert answers.statuses() == [("error", "NetStream.Publish.BadName", "Wrong key.")]
    assert session.state is State.ENDED
    assert list(session.receive(b"whatever follows")) == []


@pytest.mark.parametrize("name", ["play", "play2"])
def test_play_command_is_refused(name: str) -> None:
    speech = Speech()

    conversation = heard(SHAKEN, speech.connect(), speech.command(name, None, "live_key", stream_id=1))

    assert conversation.failure == "play_refused"
    assert conversation.statuses()[0][:2] == ("error", "NetStream.Play.Failed")


def test_play_command_of_a_publisher_is_refused() -> None:
    assert published(lambda speech: speech.command("play", None, "x", stream_id=1)).failure == "play_refused"


def test_one_connection_publishes_one_stream() -> None:
    assert published(lambda speech: speech.publish("live_other")).failure == "publish_out_of_turn"


@pytest.mark.parametrize("kind", [None, "", "LIVE", "record", "append", 1.0])
def test_unknown_recording_types_mean_live(kind: Any) -> None:
    speech = Speech()
    sent = speech.connect() + speech.command("publish", None, "live_key", kind, stream_id=1)

    assert heard(SHAKEN, sent).events[-1] == PublishRequested("live_key", "live")


def test_publish_without_name_takes_the_key_from_the_url() -> None:
    speech = Speech()
    sent = speech.connect("live/live_key") + speech.command("publish", None, None, stream_id=1)

    assert heard(SHAKEN, sent).events[-1] == PublishRequested("", "live/live_key")


def test_unknown_publish_type_is_refused() -> None:
    speech = Speech()

    conversation = heard(SHAKEN, speech.connect(), speech.publish("live_key", "broadcast"))

    assert conversation.failure == "bad_publish"
    assert conversation.statuses()[0][:2] == ("error", "NetStream.Publish.Rejected")


@pytest.mark.parametrize(
    ("send", "failure"),
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
def test_messages_out_of_turn_before_publishing_are_refused(
    send: Callable[[Speech], bytes], failure: str
) -> None:
    assert heard(SHAKEN, send(Speech())).failure == failure


def raw_command(speech: Speech, payload: bytes) -> bytes:
    return speech.writer.message(3, Message(chunks.COMMAND, 0, 0, payload))


def test_messages_before_publishing_are_limited_to_64_kilobytes() -> None:
    large = bytes([4]) + bytes(3) + (64 * 1024 + 1).to_bytes(3) + b"\x09" + (1).to_bytes(4, "little")
    speech = Speech()

    assert heard(SHAKEN, speech.connect() + large).failure == "message_too_large"
    assert published(lambda _speech: large).failure == ""


@given(data=st.binary(max_size=400), is_shaken=st.booleans())
def test_any_bytes_are_events_or_a_protocol_error(data: bytes, is_shaken: bool) -> None:
    heard(SHAKEN if is_shaken else b"", data)


@given(
    st.sampled_from([rtmp_recordings.FFMPEG, rtmp_recordings.GSTREAMER]),
    st.lists(st.tuples(st.integers(0, 1900), st.integers(0, 255)), max_size=5),
)
def test_damaged_stream_is_events_or_a_protocol_error(sent: bytes, damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(sent)
    for at, byte in damage:
        damaged[at % len(damaged)] = byte

    heard(SHAKEN, bytes(damaged))


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(SENT)),
    st.lists(st.integers(1, 700), min_size=1),
    st.integers(0, 1900),
    st.integers(0, 255),
)
def test_events_do_not_depend_on_the_splitting_of_bytes(
    encoder: str, steps: list[int], at: int, byte: int
) -> None:
    sent = SENT[encoder]
    damaged = bytearray(SHAKEN + sent)
    damaged[len(SHAKEN) + at % len(sent)] = byte
    data = bytes(damaged)
    pieces: list[bytes] = []
    start = 0
    while start < len(data):
        step = steps[len(pieces) % len(steps)]
        pieces.append(data[start : start + step])
        start += step

    at_once, in_pieces = heard(data), heard(*pieces)

    assert (at_once.events, at_once.failure) == (in_pieces.events, in_pieces.failure)
