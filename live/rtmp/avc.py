"""H.264 in FLV: the decoder configuration (ISO/IEC 14496-15) and the kind of a keyframe.

A sequence parameter set (ITU-T H.264, 7.3.2.1) is read up to the shape of its pixels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from common.media.bits import BitReader, BrokenConfiguration
from live.rtmp.errors import ProtocolError

MAX_SPS_BYTES = 512
MAX_SIDE_PX = 16_384

_TAG_HEADER = 5  # codec, packet type and composition time
_SPS = 7
_IDR_SLICE = 5
_SLICES = range(1, 6)  # the types of NAL units that hold a part of a frame
_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_CROP_UNITS = {1: (2, 2), 2: (2, 1)}  # by chroma format: across, down
# Sample aspect ratios from aspect_ratio_idc 1 on (table E-1); 0 means that none is specified.
_PIXEL_SHAPES = (
    (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
_EXTENDED_SHAPE = 255
_UNSPECIFIED = 2
_SQUARE = Fraction(1)


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """Decoder configuration; ``codecs`` is as in a playlist: ``avc1.PPCCLL``.

    The size counts stored pixels, and ``pixel_shape`` is the width of one over its
    height.  ``may_be_interlaced`` means that frames may consist of two fields.
    ``has_matrix`` means that it names the matrix of its colours.
    """

    codecs: str
    profile: int
    level: int
    width_px: int
    height_px: int
    pixel_shape: Fraction = _SQUARE
    may_be_interlaced: bool = False
    has_matrix: bool = False
    nal_length_bytes: int = 4


def avc_config(payload: bytes) -> AvcConfig:
    """Return the configuration in a video sequence header.  Raises ProtocolError."""
    record = payload[_TAG_HEADER:]
    if len(record) < 8 or record[0] != 1 or not record[5] & 0x1F:
        raise ProtocolError("bad_avc_config")
    size = int.from_bytes(record[6:8])
    sps = record[8 : 8 + size]
    if len(sps) < size or size < 4 or sps[0] & 0x1F != _SPS:
        raise ProtocolError("bad_avc_config")
    try:
        picture = _read_sps(sps)
    except BrokenConfiguration as error:
        raise ProtocolError("bad_avc_config") from error
    return AvcConfig(
        codecs=f"avc1.{sps[1:4].hex()}",
        profile=sps[1],
        level=sps[3],
        width_px=picture.width_px,
        height_px=picture.height_px,
        pixel_shape=picture.pixel_shape,
        may_be_interlaced=picture.may_be_interlaced,
        has_matrix=picture.has_matrix,
        nal_length_bytes=(record[4] & 3) + 1,
    )


def lacks_idr(payload: bytes, nal_length_bytes: int) -> bool:
    """Return whether the frame of a video payload is no IDR picture.

    Frames behind an I-frame that is no IDR picture may refer to frames before it, as in
    an open GOP, so a decoder cannot begin there.
    """
    types = (payload[start] & 0x1F for start in _nal_units(payload, nal_length_bytes))
    first_slice = next((kind for kind in types if kind in _SLICES), _IDR_SLICE)
    return first_slice != _IDR_SLICE


def _nal_units(payload: bytes, nal_length_bytes: int) -> Iterator[int]:
    """Yield the start of each NAL unit in a video payload, as far as the payload is whole."""
    at = _TAG_HEADER
    while (start := at + nal_length_bytes) < len(payload):
        yield start
        at = start + int.from_bytes(payload[at:start])


@dataclass(frozen=True, slots=True)
class _Picture:
    width_px: int
    height_px: int
    pixel_shape: Fraction
    may_be_interlaced: bool
    has_matrix: bool


def _read_sps(sps: bytes) -> _Picture:
    # 00 00 03 stands for 00 00, so that no start code can arise (7.4.1).
    bits = BitReader(sps[4:MAX_SPS_BYTES].replace(b"\0\0\x03", b"\0\0"))
    bits.golomb()  # seq_parameter_set_id
    chroma_format = _skip_high_profile(bits) if sps[1] in _HIGH_PROFILES else 1
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
        raise ProtocolError("bad_avc_config")
    shape, has_matrix = _SQUARE, False
    # Some sets lack their end.
    with contextlib.suppress(BrokenConfiguration):
        if bits.take(1):  # the VUI (E.1.1)
            shape = _pixel_shape(bits)
            has_matrix = _has_matrix(bits)
    return _Picture(width, height, shape, may_be_interlaced=fields == 2, has_matrix=has_matrix)


def _pixel_shape(bits: BitReader) -> Fraction:
    """Return the sample aspect ratio, 1 if none is specified."""
    if not bits.take(1):
        return _SQUARE
    number = bits.take(8)
    across, down = (bits.take(16), bits.take(16)) if number == _EXTENDED_SHAPE else (0, 0)
    if 0 < number <= len(_PIXEL_SHAPES):
        across, down = _PIXEL_SHAPES[number - 1]
    return Fraction(across, down) if across and down else _SQUARE


def _has_matrix(bits: BitReader) -> bool:
    """Return whether the matrix is specified (table E-5), behind the sample aspect ratio."""
    if bits.take(1):  # overscan_info_present_flag
        bits.take(1)
    if not bits.take(1):  # video_signal_type_present_flag
        return False
    bits.take(4)  # video_format, video_full_range_flag
    if not bits.take(1):  # colour_description_present_flag
        return False
    bits.take(16)  # colour_primaries, transfer_characteristics
    return bits.take(8) != _UNSPECIFIED


def _skip_high_profile(bits: BitReader) -> int:
    """Skip the fields of high profiles; return the chroma format."""
    chroma_format = bits.golomb()
    if chroma_format == 3:
        bits.take(1)  # separate_colour_plane_flag
    bits.golomb()  # bit_depth_luma_minus8
    bits.golomb()  # bit_depth_chroma_minus8
    bits.take(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.take(1):
        for position in range(12 if chroma_format == 3 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if position < 6 else 64)
    return chroma_format


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
            raise ProtocolError("bad_avc_config")
        for _ in range(count):
            bits.golomb()
