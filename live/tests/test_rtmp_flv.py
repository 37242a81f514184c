import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.rtmp import flv
from live.rtmp.errors import ProtocolError
from live.rtmp.flv import AacConfig, AvcConfig
from live.tests import rtmp_client

# x264's sequence headers (their ends left out), by what is special about them.
X264 = {
    "baseline, cropped to 180 lines": (
        "17000000000142c00dffe100196742c00dd901419f9f0110000003001000000303c0f142a48001000568cb83cb20",
        AvcConfig("avc1.42c00d", 66, 13, 320, 180),
    ),
    "high, cropped to 1080 lines": (
        "170000000001640028ffe1001b67640028acd940780227e5c044000003000400000300f03c60c65801000668ebe3cb22c0",
        AvcConfig("avc1.640028", 100, 40, 1920, 1080),
    ),
    "interlaced": (
        "170000000001640028ffe1001a67640028acd94078044fde0220000003002000000783e2c5b2c001000668fba3cb22c0",
        AvcConfig("avc1.640028", 100, 40, 1920, 1080),
    ),
    "4:4:4, cropped to odd sizes": (
        "170000000001f4000dffe1001a67f4000d919b282833dc7e0220000003002000000781e28532c001000668ebe3c44844",
        AvcConfig("avc1.f4000d", 244, 13, 318, 178),
    ),
    "4:2:2": (
        "1700000000017a000dffe1001b677a000dbcd941519e222f0110000003001000000303c0f142996001000668ebe3cb22c0",
        AvcConfig("avc1.7a000d", 122, 13, 322, 182),
    ),
    "ten bits": (
        "1700000000016e000dffe1001b676e000da6cd941519e226c044000003000400000300f03c50a65801000668ebe3cb22c0",
        AvcConfig("avc1.6e000d", 110, 13, 322, 182),
    ),
    "grey": (
        "17000000000164000dffe1001b6764000df365054678f8bc05b2000003000200000300781e28532c01000668ebe3cb22c0",
        AvcConfig("avc1.64000d", 100, 13, 322, 182),
    ),
}


@pytest.mark.parametrize(("header", "config"), X264.values(), ids=X264.keys())
def test_a_sequence_header_tells_codec_and_size(header: str, config: AvcConfig) -> None:
    assert flv.avc_config(bytes.fromhex(header)) == config


class Sps:
    """Writes a sequence parameter set bit by bit."""

    def __init__(self, profile: int) -> None:
        self.profile = profile
        self.bits = ""

    def flag(self, *values: int) -> None:
        self.bits += "".join(map(str, values))

    def golomb(self, *values: int) -> None:
        for value in values:
            written = f"{value + 1:b}"
            self.bits += "0" * (len(written) - 1) + written

    def signed(self, *values: int) -> None:
        self.golomb(*(2 * value - 1 if value > 0 else -2 * value for value in values))

    def payload(self) -> bytes:
        """A sequence header around it, escaped as in H.264, 7.4.1."""
        bits = self.bits + "1"
        bits += "0" * (-len(bits) % 8)
        raw = int(bits, 2).to_bytes(len(bits) // 8)
        escaped = bytearray()
        for byte in raw:
            if byte <= 3 and escaped[-2:] == b"\0\0":
                escaped.append(3)
            escaped.append(byte)
        sps = bytes([0x67, self.profile, 0, 40]) + escaped
        return bytes.fromhex("17 00 000000 01 640028 ff e1") + len(sps).to_bytes(2) + sps


def sps(
    *,
    across: int,
    down: int,
    crop: Sequence[int] = (),
    order: Sequence[int] | None = None,
    scaling: bool = False,
) -> Sps:
    written = Sps(100)
    written.golomb(0, 1, 0, 0)  # id, 4:2:0, 8 bits twice
    written.flag(0, int(scaling))
    if scaling:
        for size in (16,) * 6 + (64,) * 2:
            written.flag(1)
            written.signed(*[1, -1] * (size // 2))
    written.golomb(0)
    if order is None:
        written.golomb(2)
    else:
        written.golomb(1)
        written.flag(0)
        written.signed(-3, 4)
        written.golomb(len(order))
        written.signed(*order)
    written.golomb(4)
    written.flag(0)
    written.golomb(across - 1, down - 1)
    written.flag(1, 1, int(bool(crop)))
    written.golomb(*crop)
    return written


def size_of(written: Sps) -> tuple[int, int]:
    config = flv.avc_config(written.payload())
    return config.width_px, config.height_px


@given(
    st.integers(1, 500),
    st.integers(1, 500),
    st.just(()) | st.tuples(*[st.integers(0, 3)] * 4),
    st.none() | st.lists(st.integers(-1000, 1000), max_size=20),
    st.booleans(),
)
def test_any_size_is_read_through_everything_before_it(
    across: int, down: int, crop: tuple[int, ...], order: list[int] | None, scaling: bool
) -> None:
    left, right, top, bottom = crop or (0, 0, 0, 0)

    found = size_of(sps(across=across, down=down, crop=crop, order=order, scaling=scaling))

    assert found == (across * 16 - 2 * (left + right), down * 16 - 2 * (top + bottom))


@pytest.mark.parametrize(
    "written",
    [
        sps(across=1, down=1, crop=(4, 4, 0, 0)),  # nothing is left of it
        sps(across=2000, down=10),
        sps(across=10, down=10, order=[0] * 256),
    ],
    ids=["cropped away", "too wide", "too many reference frames"],
)
def test_impossible_pictures_are_refused(written: Sps) -> None:
    with pytest.raises(ProtocolError, match="bad_avc_config"):
        size_of(written)


def test_a_number_without_end_is_refused() -> None:
    written = Sps(66)
    written.flag(*[0] * 400)

    with pytest.raises(ProtocolError, match="bad_avc_config"):
        size_of(written)


@given(
    st.binary(max_size=120),
    st.sampled_from(["", "17000000000164001fffe10040", "17000000000164001fffe1001067640028"]),
)
def test_any_bytes_are_a_configuration_or_a_protocol_error(data: bytes, before: str) -> None:
    for read in (flv.avc_config, flv.aac_config):
        with contextlib.suppress(ProtocolError):
            read(bytes.fromhex(before) + data)


@pytest.mark.parametrize(
    ("header", "config"),
    [
        ("af00 1190", AacConfig("mp4a.40.2", 48_000, 2)),
        ("af00 1588", AacConfig("mp4a.40.2", 8_000, 1)),
        ("af00 2b92 0800", AacConfig("mp4a.40.5", 22_050, 2)),  # HE-AAC
        ("af00 1780 5dc0 10", AacConfig("mp4a.40.2", 48_000, 2)),  # the rate is spelt out
    ],
)
def test_a_sequence_header_tells_the_sound(header: str, config: AacConfig) -> None:
    assert flv.aac_config(bytes.fromhex(header)) == config


def test_a_tag_is_written_as_ffmpeg_reads_it() -> None:
    assert flv.file_header().hex(" ") == "46 4c 56 01 05 00 00 00 09 00 00 00 00"
    assert flv.tag("video", 0x01020304, b"\x17\x01").hex(" ") == (
        "09 00 00 02 02 03 04 01 00 00 00 17 01 00 00 00 0d"
    )
    assert flv.tag("audio", 0, b"").hex(" ") == "08 00 00 00 00 00 00 00 00 00 00 00 00 00 0b"


def test_keyframes_and_sequence_headers_are_told_apart() -> None:
    assert flv.is_keyframe(rtmp_client.picture(is_keyframe=True))
    assert not flv.is_keyframe(rtmp_client.picture())
    assert not flv.is_keyframe(rtmp_client.AVC_HEADER)
    assert not flv.is_keyframe(b"")
    assert flv.is_sequence_header("video", rtmp_client.AVC_HEADER)
    assert flv.is_sequence_header("audio", rtmp_client.AAC_HEADER)
    assert not flv.is_sequence_header("video", rtmp_client.picture())
    assert not flv.is_sequence_header("audio", rtmp_client.sound())
