"""Frame: one audio or video message as the session sees it, with its arrival time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from live.rtmp.flv import MediaHeader


class FlvTag(Protocol):
    """FLV tag with the header of its payload, as ``live.rtmp.session.MediaTag``."""

    @property
    def kind(self) -> Literal["audio", "video"]: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def header(self) -> MediaHeader: ...


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


def read_frame(tag: FlvTag, arrived_at: float) -> Frame:
    """Return the frame, or the sequence header, in a tag."""
    return Frame(
        tag.kind,
        tag.timestamp_ms,
        tag.payload,
        arrived_at,
        is_keyframe=tag.header.is_keyframe,
        is_header=tag.header.is_config,
        composition_ms=tag.header.composition_ms,
    )
