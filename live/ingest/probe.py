"""Probe of a signal: its first seconds are held back until the source is known."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypedDict

from live.bounds import Budget
from live.frame_rates import usual_rate
from live.ingest.frames import Frame
from live.ingest.silence import NO_SOUND
from live.ingest.source import LONGEST_COPIED_GOP_S, MAX_SIDE_PX, Source
from live.rtmp import avc, flv
from live.rtmp.avc import AvcConfig
from live.rtmp.errors import ProtocolError

# Audio that has not begun by then is not expected.
_SOUND_WITHIN_S = 1.0
# A first keyframe that is sent twice does not show the keyframe interval.
_LONG_ENOUGH_S = 0.4
_MAX_ENCODER_NAME = 80
# Upper bound of the held frames; at the limit, they decide.
NO_ROOM = "The server cannot accept another broadcast right now. Try again in a few minutes."
MAX_BYTES = 16 * 1024**2
MAX_FRAMES = 4096
_USED_NUMBERS = ("framerate", "videodatarate", "audiodatarate")
# Encoders round the pixel shape of a scaled frame; nobody sees so small a difference.
_NEARLY_SQUARE = Fraction(1, 50)
# A shape beyond this ratio is a mistake.
_WIDEST_PIXEL = 4
# Declared values above these are ignored.
_MAX_DECLARED_BPS = 100_000_000
_MAX_DECLARED_RATE = 240.0


class UnusableSignal(Exception):
    """Error: the signal cannot be broadcast; the message is for the streamer."""


class SignalProbe:
    """Collector of frames from the first keyframe on, until they show the source's properties.

    ``budget`` bounds the waiting frames of all publishers of a process.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.frames: list[Frame] = []
        self._bytes = 0
        self.waits_for_keyframe = False
        self.headers: dict[str, Frame] = {}
        self.metadata: dict[str, Any] = {}  # the declared values that are used

    def set_metadata(self, values: Mapping[str, Any]) -> None:
        """Keep the used fields of ``onMetaData``: numbers, and the encoder's name."""
        numbers = {name: values[name] for name in _USED_NUMBERS if isinstance(values.get(name), int | float)}
        # PostgreSQL stores no NUL.
        name = str(values.get("encoder", ""))[:_MAX_ENCODER_NAME].replace("\0", "")
        self.metadata = numbers | {"encoder": name}

    def add(self, frame: Frame) -> bool:
        """Add a frame; return True once there are enough.  Raises UnusableSignal if there is no room."""
        if frame.is_header:
            self.headers[frame.kind] = frame
        elif self.frames or (frame.is_keyframe and "video" in self.headers):
            self.frames.append(frame)
            self._bytes += len(frame.payload)
            if not self._budget.hold(self, self._bytes):
                raise UnusableSignal(NO_ROOM)
        self.waits_for_keyframe = not self.frames and (self.waits_for_keyframe or frame.is_picture)
        return self._is_enough()

    def take(self) -> list[Frame]:
        """Return the frames and forget them."""
        taken, self.frames, self._bytes = self.frames, [], 0
        self._budget.release(self)
        return taken

    def source(self) -> Source:
        """Return the source that the frames describe.  Raises UnusableSignal."""
        pictures = [frame for frame in self.frames if frame.is_picture]
        picture = picture_config(self.headers["video"])
        sound = sound_codecs(self.headers.setdefault("audio", NO_SOUND))
        keyframes = pairwise(frame.timestamp_ms for frame in pictures if frame.is_keyframe)
        longest_gop_ms = max((after - before for before, after in keyframes), default=0)
        return Source(
            codecs=f"{picture.codecs},{sound}",
            **shape_of(picture),
            frame_rate=self._frame_rate(pictures),
            keyframe_interval_s=longest_gop_ms / 1000 or None,  # unknown if there is only one
            has_b_frames=any(frame.composition_ms > 0 for frame in pictures),
            has_audio=self.headers["audio"] is not NO_SOUND,
            video_bitrate_bps=max(self._bitrate_bps("video"), self._declared_bps("videodatarate")),
            audio_bitrate_bps=max(self._bitrate_bps("audio"), self._declared_bps("audiodatarate")),
            encoder=self.metadata.get("encoder", ""),
            has_open_gops=any(lacks_idr(frame, picture) for frame in pictures),
        )

    def _is_enough(self) -> bool:
        if self._bytes >= MAX_BYTES or len(self.frames) >= MAX_FRAMES:
            return True
        keyframes = [frame.timestamp_ms for frame in self.frames if frame.is_keyframe]
        if keyframes and keyframes[-1] - keyframes[0] >= 1000 * _LONG_ENOUGH_S:
            return "audio" in self.headers or self._span_s() >= _SOUND_WITHIN_S
        return self._span_s() > LONGEST_COPIED_GOP_S

    def _span_s(self) -> float:
        if not self.frames:
            return 0.0
        return (self.frames[-1].timestamp_ms - self.frames[0].timestamp_ms) / 1000

    def _frame_rate(self, pictures: list[Frame]) -> float:
        # The first frame may have been sent twice.
        pictures = pictures[1:] if len(pictures) > 2 else pictures
        span_ms = pictures[-1].timestamp_ms - pictures[0].timestamp_ms
        declared = _number(self.metadata.get("framerate"), _MAX_DECLARED_RATE)
        if span_ms <= 0:
            return declared or 30.0
        return usual_rate((len(pictures) - 1) * 1000 / span_ms, declared)

    def _bitrate_bps(self, kind: str) -> int:
        size_bytes = sum(len(frame.payload) for frame in self.frames if frame.kind == kind)
        return round(size_bytes * 8 / max(self._span_s(), 0.5))

    def _declared_bps(self, name: str) -> int:
        return round(_number(self.metadata.get(name), _MAX_DECLARED_BPS / 1000) * 1000)


def _number(value: object, most: float) -> float:
    """Return ``value`` if it is a number between 0 and ``most``, otherwise 0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value <= most else 0.0  # type: ignore[operator,arg-type]


class Shown(TypedDict):
    """Fields of :class:`Source` that say how frames are shown."""

    width_px: int
    height_px: int
    has_square_pixels: bool
    may_be_interlaced: bool
    has_matrix: bool


def shape_of(picture: AvcConfig) -> Shown:
    """Return how frames are shown; only the width makes pixels square, as on DVDs."""
    shape = picture.pixel_shape
    is_square = abs(shape - 1) <= _NEARLY_SQUARE or not Fraction(1, _WIDEST_PIXEL) <= shape <= _WIDEST_PIXEL
    return {
        "width_px": picture.width_px if is_square else round(picture.width_px * shape),
        "height_px": picture.height_px,
        "has_square_pixels": is_square,
        "may_be_interlaced": picture.may_be_interlaced,
        "has_matrix": picture.has_matrix,
    }


def lacks_idr(frame: Frame, picture: AvcConfig) -> bool:
    """Return whether a frame is a keyframe at which no viewer can join."""
    return frame.is_keyframe and avc.lacks_idr(frame.payload, picture.nal_length_bytes)


def picture_config(header: Frame) -> AvcConfig:
    """Return the decoder configuration in a video sequence header.  Raises UnusableSignal."""
    try:
        config = avc.avc_config(header.payload)
    except ProtocolError as error:
        raise UnusableSignal("The H.264 video of this stream cannot be read.") from error
    if max(config.width_px, config.height_px) > MAX_SIDE_PX:
        size = f"{config.width_px}×{config.height_px}"
        raise UnusableSignal(f"The video is {size} pixels. The limit is {MAX_SIDE_PX} pixels per side.")
    return config


def sound_codecs(header: Frame) -> str:
    """Return the codec of an audio sequence header (RFC 6381).  Raises UnusableSignal."""
    try:
        return flv.aac_config(header.payload).codecs
    except ProtocolError as error:
        raise UnusableSignal("The AAC audio of this stream cannot be read.") from error


def is_same_sound(one: Frame, other: Frame) -> bool:
    """Return whether two readable sequence headers describe the same audio."""
    return flv.aac_config(one.payload) == flv.aac_config(other.payload)
