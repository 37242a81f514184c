"""Tests of the metadata and media that an RTMP session reads."""

from collections.abc import Callable
from typing import Any

import pytest

from live.rtmp import amf0, chunks
from live.rtmp.chunks import Message
from live.rtmp.session import Metadata, PublishRequested, RtmpLimits, Unpublished
from live.tests import rtmp_client
from live.tests.rtmp_client import Speech
from live.tests.rtmp_conversations import published, tags

UNUSUAL = "a channel layout that browsers do not support"


def test_metadata_without_set_data_frame_is_read() -> None:
    payload = amf0.encode("onMetaData", {"width": 320})

    conversation = published(lambda speech: speech.writer.message(4, Message(chunks.DATA, 1, 0, payload)))

    assert conversation.events[-1] == Metadata({"width": 320.0})


def test_other_data_is_ignored() -> None:
    payload = amf0.encode("onTextData", {"text": "x"})

    conversation = published(lambda speech: speech.writer.message(4, Message(chunks.DATA, 1, 0, payload)))

    assert isinstance(conversation.events[-1], PublishRequested)


@pytest.mark.parametrize(
    "payload",
    [
        b"\0" + amf0.encode("@setDataFrame", "onMetaData") + bytes.fromhex("11 0901 0d 666f6f626172 03 01"),
        bytes.fromhex("06 15 6f6e4d65746144617461 09 01 0d 666f6f626172 03 01"),  # entirely in AMF 3
        amf0.encode("onMetaData", {"foobar": True})[:-3],
        amf0.encode("onMetaData", {"foobar": True}) + b"\x09",
        amf0.encode("onMetaData", None, {"foobar": True}),
    ],
    ids=["AMF 3 inside", "AMF 3", "no end marker", "a stray byte", "behind null"],
)
@pytest.mark.parametrize("type_id", [chunks.DATA, chunks.DATA_AMF3])
def test_metadata_is_read_in_all_forms_of_encoders(type_id: int, payload: bytes) -> None:
    conversation = published(lambda speech: speech.writer.message(4, Message(type_id, 1, 0, payload)))

    assert conversation.events[-1] == Metadata({"foobar": True})


def test_metadata_of_many_entries_is_read() -> None:
    entries = {f"entry{number}": float(number) for number in range(1400)}
    payload = amf0.encode("onMetaData", entries)

    conversation = published(lambda speech: speech.writer.message(4, Message(chunks.DATA, 1, 0, payload)))

    assert conversation.events[-1] == Metadata(entries)


def test_unreadable_metadata_is_ignored() -> None:
    conversation = published(
        lambda speech: speech.writer.message(4, Message(chunks.DATA, 1, 0, b"\x02\0\x0aonMetaData\x7f")),
        lambda speech: speech.media("audio", 7, rtmp_client.sound(1)),
    )

    assert tags(conversation) == [("audio", 7, 3)]


def aggregate(*parts: tuple[int, int, bytes]) -> bytes:
    """Return the payload of an aggregate message from type, time and body of its messages."""
    return b"".join(
        bytes([type_id]) + len(body).to_bytes(3) + (time & 0xFFFFFF).to_bytes(3) + (time >> 24).to_bytes(1)
        + bytes(3) + body + (len(body) + 11).to_bytes(4)
        for type_id, time, body in parts
    )  # fmt: skip


def joined(parts: bytes, time_ms: int = 0) -> Callable[[Speech], bytes]:
    return lambda speech: speech.writer.message(4, Message(chunks.AGGREGATE, 1, time_ms, parts))


def test_aggregate_is_read_as_its_messages() -> None:
    parts = aggregate(
        (chunks.DATA, 5000, amf0.encode("onMetaData", {"width": 320})),
        (chunks.VIDEO, 5000, rtmp_client.picture(10, is_keyframe=True)),
        (chunks.AUDIO, 5021, rtmp_client.sound(4)),
    )

    conversation = published(
        lambda speech: speech.writer.message(4, Message(chunks.AGGREGATE, 1, 900, parts))
    )

    assert conversation.events[-3] == Metadata({"width": 320.0})
    assert tags(conversation) == [("video", 900, 15), ("audio", 921, 6)]


def test_goodbye_in_an_aggregate_ends_the_session() -> None:
    parts = aggregate(
        (chunks.COMMAND, 0, amf0.encode("closeStream", 0, None)),
        (chunks.AUDIO, 0, rtmp_client.sound(4)),
    )

    conversation = published(joined(parts))

    assert conversation.events[-1] == Unpublished()


def test_aggregate_of_too_many_messages_is_refused() -> None:
    parts = aggregate(*[(chunks.AUDIO, 0, b"")] * (RtmpLimits().max_aggregate_parts + 1))

    conversation = published(joined(parts))

    assert conversation.failure == "too_many_messages"


@pytest.mark.parametrize("cut", [1, 5, 15, 20])
def test_truncated_aggregate_is_refused(cut: int) -> None:
    parts = aggregate((chunks.AUDIO, 0, rtmp_client.sound(20)))[:-cut]

    conversation = published(joined(parts))

    assert conversation.failure == ("" if cut <= 4 else "aggregate_incomplete")


@pytest.mark.parametrize(
    ("kind", "sent", "read"),
    [
        ("video", "90 61766331 0164", "17 00 000000 0164"),
        ("video", "91 61766331 000028 abcd", "17 01 000028 abcd"),
        ("video", "a1 61766331 000000 abcd", "27 01 000000 abcd"),
        ("video", "a3 61766331 abcd", "27 01 000000 abcd"),
        ("video", "97 02 000000 03 61766331 abcd", "17 01 000000 abcd"),
        ("video", "96 01 61766331 00 000000 abcd", "17 01 000000 abcd"),
        ("video", "96 13 61766331 01 000001 ff 00 000002 abcd", "17 01 000000 abcd"),
        ("audio", "90 6d703461 1190", "af 00 1190"),
        ("audio", "af 00 11b0", "af 00 11b0"),  # 5.1
        ("audio", "91 6d703461 abcd", "af 01 abcd"),
        ("audio", "95 01 6d703461 00 abcd", "af 01 abcd"),
        ("audio", "95 21 4f707573 01 000001 ff 6d703461 00 000002 abcd", "af 01 abcd"),
    ],
)
def test_h264_and_aac_of_enhanced_rtmp_are_read(kind: Any, sent: str, read: str) -> None:
    conversation = published(lambda speech: speech.media(kind, 40, bytes.fromhex(sent)))

    assert conversation.events[-1] == rtmp_client.media_tag(kind, 40, bytes.fromhex(read))


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("audio", "95 00 6d703461 01 1190"),  # a second track
        ("audio", "95 01 4f707573 01 abcd"),  # and one in another codec
        ("audio", "92 6d703461"),  # the end of a sequence
        ("audio", "94 6d703461 01 02"),  # a channel layout
        ("audio", "af 00"),  # an empty configuration
        ("video", "96 01 68766331 01 000000 abcd"),
        ("video", "92 61766331"),
        ("video", "94 61766331 02"),  # colour metadata
        ("video", "d0 00"),  # a command to players
        ("video", "17 00 000000"),
    ],
)
def test_other_messages_than_media_of_the_first_track_are_ignored(kind: Any, sent: str) -> None:
    conversation = published(lambda speech: speech.media(kind, 0, bytes.fromhex(sent)))

    assert tags(conversation) == []
    assert conversation.failure == ""


@pytest.mark.parametrize("sent", ["90 6176", "97 ff", "96 11 61766331 00 00ffff ab", "96"])
def test_truncated_enhanced_message_is_refused(sent: str) -> None:
    conversation = published(lambda speech: speech.media("video", 0, bytes.fromhex(sent)))

    assert conversation.failure == "enhanced_incomplete"


@pytest.mark.parametrize(
    ("kind", "payload", "sentence"),
    [
        ("video", b"\x90hvc1\0", "Your encoder sends video in HEVC. Use H.264."),
        ("video", b"\x90av01\0", "Your encoder sends video in AV1. Use H.264."),
        ("video", b"\x1c\0\0\0\0", "Your encoder sends video in HEVC. Use H.264."),
        ("video", b"\x12\0", "Your encoder sends video in Sorenson H.263. Use H.264."),
        ("audio", b"\x2f\0", "Your encoder sends audio in MP3. Use AAC."),
        ("audio", b"\x90Opus", "Your encoder sends audio in Opus. Use AAC."),
        ("audio", b"\x95\x00Opus\x00", "Your encoder sends audio in Opus. Use AAC."),
        ("video", b"\x90abcd\0", "Your encoder sends video in “abcd”. Use H.264."),
        (
            "audio",
            b"\xaf\0\x11\x80\x04\xc8",
            f"Your encoder sends {UNUSUAL}. Use AAC-LC in stereo.",
        ),
        (
            "audio",
            b"\xaf\0\xf9\x46\x40\0",
            "Your encoder sends xHE-AAC. Use AAC-LC in stereo.",
        ),
        (
            "video",
            b"\x90\0\1\2\3\0",
            "Your encoder sends video in an unknown codec. Use H.264.",
        ),
    ],
)
def test_unsupported_codecs_are_refused_with_a_reason(kind: Any, payload: bytes, sentence: str) -> None:
    conversation = published(lambda speech: speech.media(kind, 0, payload))

    assert conversation.failure == "unsupported_codec"
    assert conversation.statuses()[-1] == ("error", "NetStream.Publish.Rejected", sentence)


def test_empty_media_and_player_commands_are_ignored() -> None:
    conversation = published(
        lambda speech: speech.media("audio", 0, b""),
        lambda speech: speech.media("video", 0, b""),
        lambda speech: speech.media("video", 0, b"\x52\0"),
    )

    assert tags(conversation) == []
    assert conversation.failure == ""
