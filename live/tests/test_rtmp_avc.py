"""Tests of reading H.264 configurations and keyframes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.rtmp import avc, flv
from live.rtmp.avc import AvcConfig
from live.rtmp.errors import ProtocolError

# Sequence headers of x264 (without their ends), by their special feature.
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
        AvcConfig("avc1.640028", 100, 40, 1920, 1080, may_be_interlaced=True),
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
def test_avc_sequence_header_gives_codec_and_size(header: str, config: AvcConfig) -> None:
    assert avc.avc_config(bytes.fromhex(header)) == config


class Sps:
    """Writer of a sequence parameter set, bit by bit."""

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
        """Return a sequence header with this SPS, escaped as in H.264, 7.4.1."""
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
    shape: Sequence[int] = (),
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
    # The VUI with the pixel shape: a number of table E-1, or 255 and two 16-bit numbers.
    written.flag(int(bool(shape)))
    if shape:
        written.flag(1)
        for value, bits in zip(shape, (8, 16, 16), strict=False):
            written.flag(*map(int, f"{value:0{bits}b}"))
    return written


def size_of(written: Sps) -> tuple[int, int]:
    config = avc.avc_config(written.payload())
    return config.width_px, config.height_px


@given(
    st.integers(1, 500),
    st.integers(1, 500),
    st.just(()) | st.tuples(*[st.integers(0, 3)] * 4),
    st.none() | st.lists(st.integers(-1000, 1000), max_size=20),
    st.booleans(),
)
def test_size_is_read_after_any_optional_fields(
    across: int, down: int, crop: tuple[int, ...], order: list[int] | None, scaling: bool
) -> None:
    left, right, top, bottom = crop or (0, 0, 0, 0)

    found = size_of(sps(across=across, down=down, crop=crop, order=order, scaling=scaling))

    assert found == (across * 16 - 2 * (left + right), down * 16 - 2 * (top + bottom))


@pytest.mark.parametrize(
    "written",
    [
        sps(across=1, down=1, crop=(4, 4, 0, 0)),  # cropped to nothing
        sps(across=2000, down=10),
        sps(across=10, down=10, order=[0] * 256),
    ],
    ids=["cropped away", "too wide", "too many reference frames"],
)
def test_impossible_frame_sizes_are_refused(written: Sps) -> None:
    with pytest.raises(ProtocolError, match="bad_avc_config"):
        size_of(written)


def test_endless_golomb_number_is_refused() -> None:
    written = Sps(66)
    written.flag(*[0] * 400)

    with pytest.raises(ProtocolError, match="bad_avc_config"):
        size_of(written)


@pytest.mark.parametrize(
    ("shape", "ratio"),
    [
        ((), Fraction(1)),
        ((0,), Fraction(1)),
        ((1,), Fraction(1)),
        ((2,), Fraction(12, 11)),
        ((14,), Fraction(4, 3)),
        ((17,), Fraction(1)),
        ((255, 64, 45), Fraction(64, 45)),
        ((255, 0, 45), Fraction(1)),
    ],
)
def test_pixel_shape_is_read_from_the_vui(shape: tuple[int, ...], ratio: Fraction) -> None:
    written = sps(across=45, down=36, shape=shape)

    assert avc.avc_config(written.payload()).pixel_shape == ratio


@pytest.mark.parametrize(
    ("signal", "has_matrix"),
    [
        ("0", False),  # no video_signal_type
        ("1 101 0 0", False),  # without a colour description
        ("1 101 0 1 00000001 00000001 00000001", True),
        ("1 101 0 1 00000010 00000010 00000010", False),  # unspecified
    ],
)
def test_matrix_is_read_from_the_vui(signal: str, has_matrix: bool) -> None:
    written = sps(across=45, down=36, shape=(1,))
    written.flag(1, 0)  # overscan
    written.bits += signal.replace(" ", "")

    assert avc.avc_config(written.payload()).has_matrix is has_matrix


def test_parameter_set_that_ends_before_its_vui_has_square_pixels() -> None:
    payload = sps(across=45, down=36, shape=(255, 64, 45)).payload()
    sps_bytes = payload[13:-4]

    config = avc.avc_config(payload[:11] + len(sps_bytes).to_bytes(2) + sps_bytes)

    assert (config.width_px, config.pixel_shape) == (720, Fraction(1))


def units(*types: int, length_bytes: int = 4) -> bytes:
    """Return the payload of a keyframe with NAL units of these types."""
    body = b"".join((3).to_bytes(length_bytes) + bytes([0x60 | kind, 1, 2]) for kind in types)
    return bytes.fromhex("17 01 000000") + body


@pytest.mark.parametrize(
    ("types", "lacks"),
    [
        ((5,), False),
        ((9, 7, 8, 6, 5, 5), False),  # with delimiter, parameter sets and SEI
        ((6, 1), True),  # a recovery point, as in an open GOP
        ((9, 6, 1, 1), True),
        ((6,), False),  # no frame at all
        ((), False),
    ],
)
@pytest.mark.parametrize("length_bytes", [1, 2, 4])
def test_keyframe_without_idr_is_recognised(types: tuple[int, ...], lacks: bool, length_bytes: int) -> None:
    assert avc.lacks_idr(units(*types, length_bytes=length_bytes), length_bytes) is lacks


@given(st.binary(max_size=60), st.integers(1, 4))
def test_any_payload_is_searched_without_error(payload: bytes, length_bytes: int) -> None:
    assert avc.lacks_idr(payload, length_bytes) in (True, False)


@given(
    st.binary(max_size=120),
    st.sampled_from(["", "17000000000164001fffe10040", "17000000000164001fffe1001067640028"]),
)
def test_any_bytes_are_a_configuration_or_a_protocol_error(data: bytes, before: str) -> None:
    for read in (avc.avc_config, flv.aac_config):
        with contextlib.suppress(ProtocolError):
            read(bytes.fromhex(before) + data)
