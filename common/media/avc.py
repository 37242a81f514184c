"""H.264: the decoder configuration (ISO/IEC 14496-15, 5.3.3.1), parameter sets and NAL units.

A sequence parameter set (ITU-T H.264, 7.3.2.1) is read up to the colours of its pictures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from common.media.bits import BitReader, BrokenConfiguration

MAX_SPS_BYTES = 512
MAX_SIDE_PX = 16_384

SPS, PPS, IDR_SLICE = 7, 8, 5
SLICES = range(1, 6)
"""The types of NAL units that hold a part of a frame."""

UNSPECIFIED = 2
"""The number of colours that are not named (tables E-3 to E-5)."""

_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_CROP_UNITS = {1: (2, 2), 2: (2, 1)}  # by chroma format: across, down
# Sample aspect ratios from aspect_ratio_idc 1 on (table E-1); 0 means that none is specified.
_PIXEL_SHAPES = (
    (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
_EXTENDED_SHAPE = 255
_SQUARE = Fraction(1)


@dataclass(frozen=True, slots=True)
class AvcColours:
    """The numbers of primaries, transfer and matrix (ITU-T H.273), and whether the range is full."""

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    is_full_range: bool = False


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """The values of a sequence parameter set.

    The size counts stored pixels after cropping, and ``pixel_shape`` is the width of one
    over its height.  ``crop_left_px`` and ``crop_top_px`` lie before the shown pixels.
    ``may_be_interlaced`` means that frames may consist of two fields.
    """

    profile: int
    level: int
    width_px: int
    height_px: int
    chroma_format: int = 1
    bit_depth: int = 8
    crop_left_px: int = 0
    crop_top_px: int = 0
    pixel_shape: Fraction = _SQUARE
    may_be_interlaced: bool = False
    colours: AvcColours = AvcColours()


@dataclass(frozen=True, slots=True)
class DecoderConfiguration:
    """An ``avcC`` record: its parameter sets, and the bytes of a NAL unit's length."""

    sequence_sets: tuple[bytes, ...]
    picture_sets: tuple[bytes, ...]
    nal_length_bytes: int


def read_configuration(record: bytes) -> DecoderConfiguration:
    """Return the values of a decoder configuration.  Raises BrokenConfiguration."""
    if len(record) < 7 or record[0] != 1:
        raise BrokenConfiguration("no decoder configuration of H.264")
    sequence_sets, at = _sets(record, 6, record[5] & 0x1F)
    if not sequence_sets:
        raise BrokenConfiguration("no sequence parameter set")
    picture_sets: tuple[bytes, ...] = ()
    # Some encoders send them in the stream alone.
    with contextlib.suppress(BrokenConfiguration):
        picture_sets, _ = _sets(record, at + 1, record[at] if at < len(record) else 0)
    return DecoderConfiguration(sequence_sets, picture_sets, (record[4] & 3) + 1)


def _sets(record: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    """Return ``count`` parameter sets, each behind its length of two bytes, and the place behind them."""
    found = []
    for _ in range(count):
        size = int.from_bytes(record[at : at + 2])
        one = record[at + 2 : at + 2 + size]
        if len(one) < size or not size:
            raise BrokenConfiguration("a parameter set that ends too early")
        found.append(one)
        at += 2 + size
    return tuple(found), at


def nal_units(data: bytes | memoryview, nal_length_bytes: int, at: int = 0) -> Iterator[tuple[int, int]]:
    """Yield start and end of each NAL unit from ``at`` on, as far as the lengths before them are whole."""
    while (start := at + nal_length_bytes) < len(data):
        at = start + int.from_bytes(data[at:start])
        yield start, at


def read_parameter_set(sps: bytes) -> ParameterSet:
    """Return the values of a sequence parameter set with its NAL header.  Raises BrokenConfiguration."""
    if len(sps) < 4 or sps[0] & 0x1F != SPS:
        raise BrokenConfiguration("no sequence parameter set")
    # 00 00 03 stands for 00 00, so that no start code can arise (7.4.1).
    bits = BitReader(sps[4:MAX_SPS_BYTES].replace(b"\0\0\x03", b"\0\0"))
    bits.golomb()  # seq_parameter_set_id
    chroma_format, bit_depth = _high_profile(bits) if sps[1] in _HIGH_PROFILES else (1, 8)
    bits.golomb()  # log2_max_frame_num_minus4
    _skip_picture_order(bits)
    bits.golomb()  # max_num_ref_frames
    bits.take(1)  # gaps_in_frame_num_value_allowed_flag
    across, down = bits.golomb() + 1, bits.golomb() + 1  # in macroblocks; down in map units
    fields = 2 - bits.take(1)  # 2 where frames may be two fields
    if fields == 2:
        bits.take(1)  # mb_adaptive_frame_field_flag
    bits.take(1)  # direct_8x8_inference_flag
    left, right, top, bottom = [bits.golomb() for _ in range(4)] if bits.take(1) else [0, 0, 0, 0]
    unit_across, unit_down = _CROP_UNITS.get(chroma_format, (1, 1))
    width = across * 16 - (left + right) * unit_across
    height = down * 16 * fields - (top + bottom) * unit_down * fields
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
        raise BrokenConfiguration(f"a picture of {width}x{height}")
    shape, colours = _SQUARE, AvcColours()
    # Some sets lack their end.
    with contextlib.suppress(BrokenConfiguration):
        if bits.take(1):  # the VUI (E.1.1)
            shape = _pixel_shape(bits)
            colours = _colours(bits)
    return ParameterSet(
        profile=sps[1],
        level=sps[3],
        width_px=width,
        height_px=height,
        chroma_format=chroma_format,
        bit_depth=bit_depth,
        crop_left_px=left * unit_across,
        crop_top_px=top * unit_down * fields,
        pixel_shape=shape,
        may_be_interlaced=fields == 2,
        colours=colours,
    )


def _pixel_shape(bits: BitReader) -> Fraction:
    """Return the sample aspect ratio, 1 if none is specified."""
    if not bits.take(1):
        return _SQUARE
    number = bits.take(8)
    across, down = (bits.take(16), bits.take(16)) if number == _EXTENDED_SHAPE else (0, 0)
    if 0 < number <= len(_PIXEL_SHAPES):
        across, down = _PIXEL_SHAPES[number - 1]
    return Fraction(across, down) if across and down else _SQUARE


def _colours(bits: BitReader) -> AvcColours:
    """Return the colours behind the sample aspect ratio."""
    if bits.take(1):  # overscan_info_present_flag
        bits.take(1)
    if not bits.take(1):  # video_signal_type_present_flag
        return AvcColours()
    bits.take(3)  # video_format
    is_full_range = bool(bits.take(1))
    if not bits.take(1):  # colour_description_present_flag
        return AvcColours(is_full_range=is_full_range)
    return AvcColours(bits.take(8), bits.take(8), bits.take(8), is_full_range)


def _high_profile(bits: BitReader) -> tuple[int, int]:
    """Return the chroma format and the larger bit depth of a high profile; skip its other fields."""
    chroma_format = bits.golomb()
    if chroma_format == 3:
        bits.take(1)  # separate_colour_plane_flag
    bit_depth = 8 + max(bits.golomb(), bits.golomb())
    bits.take(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.take(1):
        for position in range(12 if chroma_format == 3 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if position < 6 else 64)
    return chroma_format, bit_depth


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


def _skip_picture_order(bits: BitReader) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()  # log2_max_pic_order_cnt_lsb_minus4
    elif kind == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        count = bits.golomb()
        if count > 255:
            raise BrokenConfiguration(f"{count} frames in the cycle of picture order")
        for _ in range(count):
            bits.golomb()
