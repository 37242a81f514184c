"""What media messages hold (Adobe's FLV 10.1, annex E), and how FFmpeg is fed with them.

The configurations inside are ISO/IEC 14496-15 (AVC) and 14496-3 (AAC); of a sequence
parameter set (ITU-T H.264, 7.3.2.1) we read as far as the picture's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from live.rtmp.errors import ProtocolError

AUDIO_TAG, VIDEO_TAG = 8, 9
AVC = 7
AAC = 10
COMMAND_FRAME = 5  # a frame type: an instruction to a player, without a picture
_KEYFRAME = 1
_ENHANCED = 0x80  # the first byte's flag of Enhanced RTMP; four letters name the codec

_PICTURES = {2: "Sorenson H.263", 3: "Screen Video", 4: "VP6", 5: "VP6", 6: "Screen Video", 12: "HEVC"}
_FOUR_LETTERS = {b"hvc1": "HEVC", b"av01": "AV1", b"vp09": "VP9", b"avc1": "H.264 as Enhanced RTMP"}
_SOUNDS = {0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 9: "a newer format", 11: "Speex", 14: "MP3"}

_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_CROP_UNITS = {1: (2, 2), 2: (2, 1)}  # by chroma format: across, down
_SAMPLE_RATES_HZ = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
)  # fmt: skip


# --- Writing ----------------------------------------------------------------------


def file_header(*, has_audio: bool = True, has_video: bool = True) -> bytes:
    """What a stream of tags begins with."""
    return b"FLV\x01" + bytes([has_audio << 2 | has_video]) + (9).to_bytes(4) + bytes(4)


def tag(kind: Literal["audio", "video"], timestamp_ms: int, payload: bytes) -> bytes:
    size = len(payload)
    time = timestamp_ms.to_bytes(4)
    header = bytes([AUDIO_TAG if kind == "audio" else VIDEO_TAG]) + size.to_bytes(3) + time[1:] + time[:1]
    return b"".join((header, bytes(3), payload, (size + 11).to_bytes(4)))


# --- Reading ----------------------------------------------------------------------


def is_keyframe(payload: bytes) -> bool:
    """Whether a video payload is a picture that needs no other."""
    return payload[:1] == bytes([_KEYFRAME << 4 | AVC]) and payload[1:2] == b"\x01"


def is_sequence_header(kind: Literal["audio", "video"], payload: bytes) -> bool:
    """Whether a payload holds the decoder's configuration instead of media."""
    codec = payload[0] >> 4 == AAC if kind == "audio" else payload[0] & 0x8F == AVC
    return codec and payload[1:2] == b"\0"


def picture_name(payload: bytes) -> str:
    """The codec of a video payload, for people."""
    if payload[0] & _ENHANCED:
        return _FOUR_LETTERS.get(payload[1:5], "a codec of Enhanced RTMP")
    return _PICTURES.get(payload[0] & 0x0F, "an unknown codec")


def sound_name(payload: bytes) -> str:
    """The codec of an audio payload, for people."""
    return _SOUNDS.get(payload[0] >> 4, "an unknown codec")


@dataclass(frozen=True, slots=True)
class AvcConfig:
    codecs: str  # as in a playlist: avc1.PPCCLL
    profile: int
    level: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class AacConfig:
    codecs: str  # mp4a.40.2
    sample_rate_hz: int
    channels: int


def avc_config(payload: bytes) -> AvcConfig:
    """Read the sequence header of a picture.  Raises ProtocolError."""
    record = payload[5:]  # behind codec, packet type and composition time
    if len(record) < 8 or record[0] != 1 or not record[5] & 0x1F:
        raise ProtocolError("bad_avc_config")
    size = int.from_bytes(record[6:8])
    sps = record[8 : 8 + size]
    if len(sps) < size or size < 4 or sps[0] & 0x1F != 7:
        raise ProtocolError("bad_avc_config")
    width_px, height_px = _picture_size(sps)
    return AvcConfig(
        codecs=f"avc1.{sps[1:4].hex()}", profile=sps[1], level=sps[3], width_px=width_px, height_px=height_px
    )


def aac_config(payload: bytes) -> AacConfig:
    """Read the sequence header of a sound.  Raises ProtocolError."""
    bits = _Bits(payload[2:])
    object_type = _object_type(bits)
    index = bits.take(4)
    rate = bits.take(24) if index == 15 else _by_index(_SAMPLE_RATES_HZ, index)
    channels = _by_index((0, 1, 2, 3, 4, 5, 6, 8), bits.take(4))
    return AacConfig(codecs=f"mp4a.40.{object_type}", sample_rate_hz=rate, channels=channels)


def _object_type(bits: _Bits) -> int:
    object_type = bits.take(5)
    return 32 + bits.take(6) if object_type == 31 else object_type


def _by_index(table: tuple[int, ...], index: int) -> int:
    if index >= len(table):
        raise ProtocolError("bad_aac_config")
    return table[index]


# --- The picture's size -----------------------------------------------------------


class _Bits:
    """Bits of a configuration, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data)
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ProtocolError("config_incomplete")
        return self._number >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """An Exp-Golomb number (H.264, 9.1), of at most 32 bits."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ProtocolError("bad_avc_config")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        number = self.golomb()
        return (number + 1) // 2 if number % 2 else -number // 2


MAX_SPS_BYTES = 512
MAX_SIDE_PX = 16_384


def _picture_size(sps: bytes) -> tuple[int, int]:
    # 00 00 03 stands for 00 00, so that no start code can arise (7.4.1).
    bits = _Bits(sps[4:MAX_SPS_BYTES].replace(b"\0\0\x03", b"\0\0"))
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
    return width, height


def _skip_high_profile(bits: _Bits) -> int:
    """Skip what only high profiles have; return the chroma format."""
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


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


def _skip_picture_order(bits: _Bits) -> None:
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
