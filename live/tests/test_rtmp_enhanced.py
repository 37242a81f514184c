"""The reader of Enhanced RTMP."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.rtmp import flv
from live.rtmp.enhanced import AAC, AVC, Packet, first_track, is_enhanced
from live.rtmp.errors import ProtocolError


def track(kind: Any, payload: str) -> Packet | None:
    return first_track(kind, bytes.fromhex(payload))


@pytest.mark.parametrize(
    ("kind", "first", "expected"),
    [("audio", 0x90, True), ("audio", 0xAF, False), ("video", 0x80, True), ("video", 0x17, False)],
)
def test_form_is_read_from_the_first_byte(kind: Any, first: int, expected: bool) -> None:
    assert is_enhanced(kind, bytes([first])) is expected


@pytest.mark.parametrize(
    ("kind", "payload", "packet"),
    [
        ("video", "90 61766331 aabb", Packet(AVC, 0, 1, b"\xaa\xbb")),
        ("video", "a1 68766331 aa", Packet(b"hvc1", 1, 2, b"\xaa")),
        ("audio", "91 6d703461", Packet(AAC, 1, 0, b"")),
        ("video", "97 00 ff 91 61766331 aa", Packet(AVC, 1, 1, b"\xaa")),
        ("video", "97 00 ff 97 01 eeee 93 61766331 aa", Packet(AVC, 3, 1, b"\xaa")),
        ("video", "97 ff 0101 " + "00" * 258 + "91 61766331", Packet(AVC, 1, 1, b"")),
        ("video", "96 01 61766331 00 aabb", Packet(AVC, 1, 1, b"\xaa\xbb")),
        ("video", "96 11 61766331 02 000001 ee 00 000001 aa", Packet(AVC, 1, 1, b"\xaa")),
        ("audio", "95 20 4f707573 01 000001 ee 6d703461 00 000002 aabb", Packet(AAC, 0, 0, b"\xaa\xbb")),
    ],
    ids=[
        "H.264", "HEVC", "AAC", "a modifier", "two modifiers", "a long modifier", "one track",
        "several tracks", "several codecs",
    ],
)  # fmt: skip
def test_first_track_is_found(kind: Any, payload: str, packet: Packet) -> None:
    assert track(kind, payload) == packet


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("video", "d1 61766331 aa"),
        ("video", "96 01 61766331 01 aa"),
        ("video", "96 11 61766331 01 000001 aa 02 000001 bb"),
        ("video", "96 11 61766331"),
        ("audio", "95 31 6d703461 00 aa"),
    ],
    ids=["a command", "another track", "other tracks", "no track", "an unknown form"],
)
def test_message_without_a_first_track_has_none(kind: Any, payload: str) -> None:
    assert track(kind, payload) is None


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "90",
        "90 617663",
        "97",
        "97 05 aa",
        "97 ff 0000",
        "96",
        "96 11 61766331 00 0000",
        "96 11 61766331 00 000002 aa",
    ],
)
def test_truncated_message_is_refused(payload: str) -> None:
    with pytest.raises(ProtocolError, match="enhanced_incomplete"):
        track("video", payload)


@pytest.mark.parametrize(
    ("packet", "payload"),
    [
        (Packet(AVC, 0, 1, b"\x01"), "17 00 000000 01"),
        (Packet(AVC, 1, 2, b"\x00\x00\x28\xaa"), "27 01 000028 aa"),
        (Packet(AVC, 3, 1, b"\xaa"), "17 01 000000 aa"),
        (Packet(AAC, 0, 0, b"\x11\x90"), "af 00 1190"),
        (Packet(AAC, 1, 0, b"\xaa"), "af 01 aa"),
    ],
)
def test_packet_is_converted_to_flv(packet: Packet, payload: str) -> None:
    assert packet.as_flv() == bytes.fromhex(payload)


@pytest.mark.parametrize(
    "packet",
    [
        Packet(AVC, 2, 1, b""),
        Packet(AVC, 4, 1, b"\x02"),
        Packet(AAC, 2, 0, b""),
        Packet(AAC, 4, 0, b"\x01\x02"),
    ],
    ids=["end of video", "metadata", "end of audio", "channel layout"],
)
def test_packet_without_media_has_no_flv_form(packet: Packet) -> None:
    assert packet.as_flv() is None


@given(st.sampled_from(["audio", "video"]), st.binary(min_size=1, max_size=60))
def test_any_message_becomes_readable_flv_or_nothing(kind: Literal["audio", "video"], payload: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        packet = first_track(kind, payload)
        if packet and packet.codec == (AAC if kind == "audio" else AVC) and (made := packet.as_flv()):
            assert not is_enhanced(kind, made)
            flv.media_header(kind, made)
