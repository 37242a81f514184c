"""Enhanced RTMP (Veovera, version 2): codecs named by four letters, several tracks in one message.

H.264 and AAC may arrive in this form as well.  They are converted to tags of FLV 10.1,
which everything behind the session reads; of several tracks the first is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from live.rtmp.reader import ByteReader

AVC = b"avc1"
AAC = b"mp4a"
FIRST_TRACK = 0

_AUDIO_FORMAT = 9  # the sound format that four letters follow
_VIDEO_FLAG = 0x80
_COMMAND_FRAME = 5
_CODEC_SIZE = 4  # in letters


class _Packet(IntEnum):
    """Type of a message; ``CODED_X`` is video without composition time, ``METADATA`` is video only."""

    SEQUENCE_START = 0
    CODED = 1
    SEQUENCE_END = 2
    CODED_X = 3
    METADATA = 4
    MULTITRACK = 6
    MODIFIER = 7


_AUDIO_MULTITRACK = 5  # the number is the MPEG-2 TS configuration for video
_ONE_TRACK, _MANY_TRACKS, _MANY_CODECS = range(3)


def is_enhanced(kind: Literal["audio", "video"], payload: bytes) -> bool:
    """Return whether a media payload has this form."""
    return payload[0] >> 4 == _AUDIO_FORMAT if kind == "audio" else bool(payload[0] & _VIDEO_FLAG)


@dataclass(frozen=True, slots=True)
class Packet:
    """First track of a message; ``frame_type`` is FLV's, 0 for audio."""

    codec: bytes
    packet_type: int
    frame_type: int
    body: bytes

    def as_flv(self) -> bytes | None:
        """Return H.264 or AAC as a payload of FLV 10.1; None if it is neither media nor configuration."""
        if self.codec == AAC:
            is_media = self.packet_type in (_Packet.SEQUENCE_START, _Packet.CODED)
            return bytes([0xAF, self.packet_type]) + self.body if is_media else None
        head = bytes([self.frame_type << 4 | 7])
        match self.packet_type:
            case _Packet.SEQUENCE_START:
                return head + b"\0\0\0\0" + self.body
            case _Packet.CODED:
                return head + b"\1" + self.body
            case _Packet.CODED_X:
                return head + b"\1\0\0\0" + self.body
        return None


def first_track(kind: Literal["audio", "video"], payload: bytes) -> Packet | None:
    """Return the first track in ``payload``, None if there is none.

    Raises ProtocolError if it is truncated.
    """
    reader = ByteReader(payload, incomplete="enhanced_incomplete")
    first = reader.integer(1)
    packet_type = first & 0x0F
    frame_type = 0 if kind == "audio" else first >> 4 & 0x07
    while packet_type == _Packet.MODIFIER:  # a nanosecond offset, ignored here
        size = reader.integer(1) + 1
        reader.take(reader.integer(2) + 1 if size == 256 else size)
        packet_type = reader.integer(1) & 0x0F
    if frame_type == _COMMAND_FRAME:
        return None
    if packet_type == (_AUDIO_MULTITRACK if kind == "audio" else _Packet.MULTITRACK):
        return _of_several(reader, frame_type)
    codec = reader.take(_CODEC_SIZE)
    return Packet(codec, packet_type, frame_type, reader.rest())


def _of_several(reader: ByteReader, frame_type: int) -> Packet | None:
    first_byte = reader.integer(1)
    form, packet_type = first_byte >> 4, first_byte & 0x0F
    if form > _MANY_CODECS:
        return None
    codec = b"" if form == _MANY_CODECS else reader.take(_CODEC_SIZE)
    while not reader.is_at_end:
        if form == _MANY_CODECS:
            codec = reader.take(_CODEC_SIZE)
        track = reader.integer(1)
        body = reader.rest() if form == _ONE_TRACK else reader.take(reader.integer(3))
        if track == FIRST_TRACK:
            return Packet(codec, packet_type, frame_type, body)
    return None
