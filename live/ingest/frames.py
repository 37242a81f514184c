"""One audio or video message as the pipeline sees it: what it is, and when it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

_AVC = 7
_AAC = 10
_KEYFRAME = 1
_SEQUENCE_HEADER = 0
_END_OF_SEQUENCE = 2


class Tag(Protocol):
    """``live.rtmp.session.MediaTag``: an FLV tag's body and its time in milliseconds."""

    @property
    def kind(self) -> str: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def payload(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Frame:
    """``arrived_at`` is the clock on the wall; ``composition_ms`` is not 0 where B-frames are."""

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


def read_frame(tag: Tag, arrived_at: float) -> Frame | None:
    """Look at the first bytes of a tag (Adobe's FLV specification, E.4); None for what carries nothing."""
    payload = tag.payload
    if len(payload) < 2:
        return None
    if tag.kind == "audio":
        is_header = payload[0] >> 4 == _AAC and payload[1] == _SEQUENCE_HEADER
        return Frame("audio", tag.timestamp_ms, payload, arrived_at, is_header=is_header)
    if payload[0] & 0x0F != _AVC or len(payload) < 5 or payload[1] >= _END_OF_SEQUENCE:
        return None
    is_header = payload[1] == _SEQUENCE_HEADER
    return Frame(
        "video",
        tag.timestamp_ms,
        payload,
        arrived_at,
        is_keyframe=payload[0] >> 4 == _KEYFRAME and not is_header,
        is_header=is_header,
        composition_ms=0 if is_header else int.from_bytes(payload[2:5], signed=True),
    )
