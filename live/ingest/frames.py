"""Frame: one audio or video message as the session sees it, with its arrival time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from live.rtmp import flv

_END_OF_SEQUENCE = 2
_LEAST_AAC_HEADER = 4


class FlvTag(Protocol):
    """FLV tag's body and its time in milliseconds, as in ``live.rtmp.session.MediaTag``."""

    @property
    def kind(self) -> Literal["audio", "video"]: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def payload(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Frame:
    """Audio or video frame, or the sequence header of a track.

    ``arrived_at`` is Unix time; ``composition_ms`` differs from 0 with B-frames.
    """

    kind: str
    timestamp_ms: int
    payload: bytes
    arrived_at: float
    is_keyframe: bool = False
    is_header: bool = False
    composition_ms: int = 0

    @property
    def is_video(self) -> bool:
        return self.kind == "video"

    @property
    def is_picture(self) -> bool:
        return self.is_video and not self.is_header


def read_frame(tag: FlvTag, arrived_at: float) -> Frame | None:
    """Return the frame in a tag by its first bytes (Adobe's FLV, E.4); None if it carries no media."""
    payload = tag.payload
    if len(payload) < 2:
        return None
    is_header = flv.is_sequence_header(tag.kind, payload)
    if tag.kind == "audio":
        if is_header and len(payload) < _LEAST_AAC_HEADER:
            return None
        return Frame("audio", tag.timestamp_ms, payload, arrived_at, is_header=is_header)
    if payload[0] & 0x0F != flv.AVC or len(payload) < 5 or payload[1] >= _END_OF_SEQUENCE:
        return None
    return Frame(
        "video",
        tag.timestamp_ms,
        payload,
        arrived_at,
        is_keyframe=flv.is_keyframe(payload),
        is_header=is_header,
        composition_ms=0 if is_header else int.from_bytes(payload[2:5], signed=True),
    )
