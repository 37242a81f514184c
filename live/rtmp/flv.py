"""FLV: the content of media messages (Adobe's FLV 10.1, annex E), and the stream that FFmpeg reads.

The audio configuration inside is that of ISO/IEC 14496-3; :mod:`live.rtmp.avc` reads
that of H.264.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from live.rtmp.bits import Bits
from live.rtmp.errors import ProtocolError

AUDIO_TAG, VIDEO_TAG = 8, 9
_TAG_HEADER = 11
_BACK_POINTER = 4  # after each tag: its own size
AVC = 7
AAC = 10
COMMAND_FRAME = 5  # a frame type: an instruction to the player, without a frame
_KEYFRAME = 1

_PICTURES = {2: "Sorenson H.263", 3: "Screen Video", 4: "VP6", 5: "VP6", 6: "Screen Video", 12: "HEVC"}
_SOUNDS = {0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 11: "Speex", 14: "MP3"}
_FOUR_LETTERS = {
    b"hvc1": "HEVC", b"hev1": "HEVC", b"vvc1": "VVC", b"av01": "AV1", b"vp08": "VP8", b"vp09": "VP9",
    b"Opus": "Opus", b"fLaC": "FLAC", b"ac-3": "AC-3", b"ec-3": "E-AC-3", b".mp3": "MP3",
}  # fmt: skip

_WITH_SBR = {5, 29}
_SAMPLE_RATES_HZ = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
)  # fmt: skip


# Main, LC, HE and HE version 2, which browsers play (14496-3, table 1.17).
_PLAYED_OBJECT_TYPES = {1, 2, 5, 29}
_UNPLAYED_NAMES = {3: "AAC-SSR", 4: "AAC-LTP", 23: "AAC-LD", 39: "AAC-ELD", 42: "xHE-AAC"}
# By channelConfiguration (table 1.19).  With 0 the audio itself describes its channels;
# browsers play neither that nor the layouts above 7.
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)


def file_header(*, has_audio: bool = True, has_video: bool = True) -> bytes:
    """Return the start of an FLV stream: the header and the first back pointer."""
    return b"FLV\x01" + bytes([has_audio << 2 | has_video]) + (9).to_bytes(4) + bytes(4)


def tag(kind: Literal["audio", "video"], timestamp_ms: int, payload: bytes) -> bytes:
    """Return a tag with its back pointer; its time has 32 bits and wraps after 49.7 days (E.4.1)."""
    size = len(payload)
    time = (timestamp_ms % 2**32).to_bytes(4)
    header = bytes([AUDIO_TAG if kind == "audio" else VIDEO_TAG]) + size.to_bytes(3) + time[1:] + time[:1]
    return b"".join((header, bytes(3), payload, (size + 11).to_bytes(4)))


def is_keyframe(payload: bytes) -> bool:
    """Return whether a video payload is a keyframe."""
    return payload[:1] == bytes([_KEYFRAME << 4 | AVC]) and payload[1:2] == b"\x01"


def is_sequence_header(kind: Literal["audio", "video"], payload: bytes) -> bool:
    """Return whether a payload holds a decoder configuration instead of media."""
    codec = payload[0] >> 4 == AAC if kind == "audio" else payload[0] & 0x8F == AVC
    return codec and payload[1:2] == b"\0"


def is_empty_header(kind: Literal["audio", "video"], payload: bytes) -> bool:
    """Return whether a payload is a sequence header without content, which some encoders send as a pause."""
    return is_sequence_header(kind, payload) and len(payload) <= (2 if kind == "audio" else 5)


def codec_name(kind: Literal["audio", "video"], payload: bytes) -> str:
    """Return the display name of the codec of a FLV 10.1 media payload."""
    if kind == "audio":
        return _SOUNDS.get(payload[0] >> 4, "an unknown codec")
    return _PICTURES.get(payload[0] & 0x0F, "an unknown codec")


def four_letter_name(codec: bytes) -> str:
    """Return the display name of a codec that Enhanced RTMP names by four letters."""
    letters = codec.decode("ascii", "replace")
    known = _FOUR_LETTERS.get(codec)
    return known or (f"“{letters}”" if letters.isprintable() and letters.isascii() else "an unknown codec")


def tags_of_aggregate(payload: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, time in milliseconds and body of each tag of an aggregate message (RTMP 1.0, 7.1.6).

    Raises ProtocolError if it is truncated.
    """
    at = 0
    while at < len(payload):
        header = payload[at : at + _TAG_HEADER]
        size = int.from_bytes(header[1:4])
        body = payload[at + _TAG_HEADER : at + _TAG_HEADER + size]
        if len(header) < _TAG_HEADER or len(body) < size:
            raise ProtocolError("aggregate_incomplete")
        yield header[0], int.from_bytes(header[7:8] + header[4:7]), body
        at += _TAG_HEADER + size + _BACK_POINTER


@dataclass(frozen=True, slots=True)
class AacConfig:
    codecs: str  # mp4a.40.2
    sample_rate_hz: int
    channels: int  # 0 if only the audio itself tells, or for a layout that browsers do not play
    frame_samples: int = 1024


def aac_config(payload: bytes) -> AacConfig:
    """Return the configuration in an audio sequence header.  Raises ProtocolError."""
    bits = Bits(payload[2:])
    object_type = _object_type(bits)
    index = bits.take(4)
    rate = bits.take(24) if index == 15 else _by_index(_SAMPLE_RATES_HZ, index)
    if not _SAMPLE_RATES_HZ[-1] <= rate <= _SAMPLE_RATES_HZ[0]:
        raise ProtocolError("bad_aac_config")
    layout = bits.take(4)
    channels = _CHANNELS[layout] if layout < len(_CHANNELS) else 0
    return AacConfig(
        codecs=f"mp4a.40.{object_type}",
        sample_rate_hz=rate,
        channels=channels,
        frame_samples=_frame_samples(bits, object_type),
    )


def _frame_samples(bits: Bits, object_type: int) -> int:
    """Return the samples in a frame at the header's rate, which with SBR is the core's."""
    if object_type in _WITH_SBR:
        if bits.take(4) == 15:
            bits.take(24)
        _object_type(bits)
    return 960 if bits.take(1) else 1024


def unplayable_aac(payload: bytes) -> str:
    """Return a display name for AAC that browsers do not play; empty if they play it.

    It is empty for an unreadable header, too.
    """
    try:
        config = aac_config(payload)
    except ProtocolError:
        return ""
    object_type = int(config.codecs.rpartition(".")[2])
    if object_type not in _PLAYED_OBJECT_TYPES:
        return _UNPLAYED_NAMES.get(object_type, "an AAC profile that browsers do not support")
    return "" if config.channels else "a channel layout that browsers do not support"


def _object_type(bits: Bits) -> int:
    object_type = bits.take(5)
    return 32 + bits.take(6) if object_type == 31 else object_type


def _by_index(table: tuple[int, ...], index: int) -> int:
    if index >= len(table):
        raise ProtocolError("bad_aac_config")
    return table[index]
