"""FLV: the content of media messages (Adobe's FLV 10.1, annex E), and the stream that FFmpeg reads.

:mod:`live.rtmp.avc` reads the configuration of H.264 inside, :mod:`common.media.aac` that of AAC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from common.media.aac import AacConfig, read_config
from common.media.bits import BrokenConfiguration
from live.rtmp.errors import ProtocolError

AUDIO_TAG, VIDEO_TAG = 8, 9
_TAG_HEADER = 11
_BACK_POINTER = 4  # after each tag: its own size
AVC = 7
AAC = 10
COMMAND_FRAME = 5  # a frame type: an instruction to the player, without a frame
_KEYFRAME = 1
_END_OF_SEQUENCE = 2
AUDIO_HEADER = 2  # format and packet type
_VIDEO_HEADER = 5  # codec, packet type and composition time
_LEAST_AAC_CONFIG = 4  # with the two bytes of FLV

_PICTURES = {2: "Sorenson H.263", 3: "Screen Video", 4: "VP6", 5: "VP6", 6: "Screen Video", 12: "HEVC"}
_SOUNDS = {0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 11: "Speex", 14: "MP3"}
_FOUR_LETTERS = {
    b"hvc1": "HEVC", b"hev1": "HEVC", b"vvc1": "VVC", b"av01": "AV1", b"vp08": "VP8", b"vp09": "VP9",
    b"Opus": "Opus", b"fLaC": "FLAC", b"ac-3": "AC-3", b"ec-3": "E-AC-3", b".mp3": "MP3",
}  # fmt: skip


def file_header(*, has_audio: bool = True, has_video: bool = True) -> bytes:
    """Return the start of an FLV stream: the header and the first back pointer."""
    return b"FLV\x01" + bytes([has_audio << 2 | has_video]) + (9).to_bytes(4) + bytes(4)


def tag(kind: Literal["audio", "video"], timestamp_ms: int, payload: bytes) -> bytes:
    """Return a tag with its back pointer; its time has 32 bits and wraps after 49.7 days (E.4.1)."""
    size = len(payload)
    time = (timestamp_ms % 2**32).to_bytes(4)
    header = bytes([AUDIO_TAG if kind == "audio" else VIDEO_TAG]) + size.to_bytes(3) + time[1:] + time[:1]
    return b"".join((header, bytes(3), payload, (size + 11).to_bytes(4)))


@dataclass(frozen=True, slots=True)
class MediaHeader:
    """First bytes of a payload: a decoder configuration, or a frame.

    ``composition_ms`` is the delay of a video frame from decoding to display.
    """

    is_config: bool
    is_keyframe: bool = False
    composition_ms: int = 0


def media_header(kind: Literal["audio", "video"], payload: bytes) -> MediaHeader | None:
    """Return the header of H.264 or AAC (E.4.2.2, E.4.3.2); None if no configuration or frame follows.

    Some encoders send an empty configuration as a pause, or mark the end of the video track.
    """
    if kind == "audio":
        if len(payload) < 2 or payload[0] >> 4 != AAC:
            return None
        is_config = not payload[1]
        return None if is_config and len(payload) < _LEAST_AAC_CONFIG else MediaHeader(is_config)
    if len(payload) < _VIDEO_HEADER or payload[0] & 0x8F != AVC or payload[1] >= _END_OF_SEQUENCE:
        return None
    if not payload[1]:
        return MediaHeader(is_config=True) if len(payload) > _VIDEO_HEADER else None
    composition_ms = int.from_bytes(payload[2:5], signed=True)
    return MediaHeader(False, payload[0] >> 4 == _KEYFRAME, composition_ms)


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


def aac_config(payload: bytes) -> AacConfig:
    """Return the configuration in an audio sequence header.  Raises ProtocolError."""
    try:
        return read_config(payload[AUDIO_HEADER:])
    except BrokenConfiguration as error:
        raise ProtocolError("bad_aac_config") from error
