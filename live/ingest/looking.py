"""The first seconds of a signal: held back until it is clear what they are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from live.ingest.frames import Frame
from live.ingest.source import LONGEST_COPIED_GOP_S, MAX_SIDE_PX, Source, usual_rate
from live.rtmp import flv
from live.rtmp.errors import ProtocolError

# Sound that has not begun after this is not expected.
_SOUND_WITHIN_S = 1.0
_MAX_ENCODER_NAME = 80
# What an encoder announces is believed up to here.
_MAX_ANNOUNCED_BPS = 100_000_000
_MAX_ANNOUNCED_RATE = 240.0


class Unusable(Exception):
    """Cannot be broadcast; the message is for whoever operates the encoder."""


class Look:
    """Collects frames from the first keyframe on, until they tell what the source is."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.headers: dict[str, Frame] = {}
        self.metadata: dict[str, Any] = {}

    def add(self, frame: Frame) -> bool:
        """Take a frame; true once enough has been seen."""
        if frame.is_header:
            self.headers[frame.kind] = frame
        elif self.frames or (frame.is_keyframe and "video" in self.headers):
            self.frames.append(frame)
        return self._is_enough()

    def source(self) -> Source:
        """What it is.  Raises Unusable."""
        pictures = [frame for frame in self.frames if frame.is_picture]
        picture = picture_config(self.headers["video"])
        sound = sound_codecs(self.headers.get("audio"))
        return Source(
            codecs=",".join(filter(None, (picture.codecs, sound))),
            width_px=picture.width_px,
            height_px=picture.height_px,
            frame_rate=self._frame_rate(pictures),
            keyframe_interval_s=self._keyframe_interval_s(pictures),
            has_b_frames=any(frame.composition_ms > 0 for frame in pictures),
            has_audio=bool(sound),
            video_bitrate_bps=max(self._bitrate_bps("video"), self._announced_bps("videodatarate")),
            audio_bitrate_bps=max(self._bitrate_bps("audio"), self._announced_bps("audiodatarate")),
            encoder=str(self.metadata.get("encoder", ""))[:_MAX_ENCODER_NAME],
        )

    def _is_enough(self) -> bool:
        keyframes = sum(frame.is_keyframe for frame in self.frames)
        has_sound = "audio" in self.headers
        if keyframes > 1 and (has_sound or self._span_s() >= _SOUND_WITHIN_S):
            return True
        return self._span_s() > LONGEST_COPIED_GOP_S

    def _span_s(self) -> float:
        if not self.frames:
            return 0.0
        return (self.frames[-1].timestamp_ms - self.frames[0].timestamp_ms) / 1000

    def _frame_rate(self, pictures: list[Frame]) -> float:
        span_ms = pictures[-1].timestamp_ms - pictures[0].timestamp_ms
        announced = _number(self.metadata.get("framerate"), _MAX_ANNOUNCED_RATE)
        if span_ms <= 0:
            return announced or 30.0
        return usual_rate((len(pictures) - 1) * 1000 / span_ms, announced)

    def _keyframe_interval_s(self, pictures: list[Frame]) -> float | None:
        """The longest between two keyframes, None where there was one only."""
        times = [frame.timestamp_ms for frame in pictures if frame.is_keyframe]
        return max((b - a for a, b in pairwise(times)), default=0) / 1000 or None

    def _bitrate_bps(self, kind: str) -> int:
        size_bytes = sum(len(frame.payload) for frame in self.frames if frame.kind == kind)
        return round(size_bytes * 8 / max(self._span_s(), 0.5))

    def _announced_bps(self, name: str) -> int:
        return round(_number(self.metadata.get(name), _MAX_ANNOUNCED_BPS / 1000) * 1000)


def _number(value: object, most: float) -> float:
    """A number between 0 and ``most``, or 0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value <= most else 0.0  # type: ignore[operator,arg-type]


def picture_config(header: Frame) -> flv.AvcConfig:
    """What a picture's sequence header says.  Raises Unusable."""
    try:
        config = flv.avc_config(header.payload)
    except ProtocolError as error:
        raise Unusable("The H.264 of this stream cannot be read.") from error
    if max(config.width_px, config.height_px) > MAX_SIDE_PX:
        size = f"{config.width_px}×{config.height_px}"
        raise Unusable(f"The picture is {size} pixels; at most {MAX_SIDE_PX} a side can be broadcast.")
    return config


def sound_codecs(header: Frame | None) -> str:
    """What a sound's sequence header says, empty without one.  Raises Unusable."""
    if header is None:
        return ""
    try:
        return flv.aac_config(header.payload).codecs
    except ProtocolError as error:
        raise Unusable("The AAC of this stream cannot be read.") from error
