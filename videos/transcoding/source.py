"""What we know about an uploaded file once it has been probed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

# FFmpeg subtracts the first timestamp of the whole file from every stream; in
# these containers (AVFMT_TS_DISCONT) only that of the streams it decodes.
DISCONTINUOUS = frozenset({"mpegts", "mpeg", "ogg"})


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The picture, as a viewer sees it: upright and in square pixels.

    ``frame_rate`` is the constant rate we encode at.  ``start_s`` and
    ``duration_s`` count from the start of the container, so ``duration_s`` is
    where the last picture ends.  ``has_display_matrix`` where the file says how to
    turn or mirror the picture.
    """

    index: int
    codec: str
    width_px: int
    height_px: int
    frame_rate: Fraction
    duration_s: float
    start_s: float = 0.0
    rotation: int = 0
    pix_fmt: str = ""
    transfer: str = ""
    is_hdr: bool = False
    is_interlaced: bool = False
    has_display_matrix: bool = False

    @property
    def is_turned(self) -> bool:
        """Say whether FFmpeg turns or mirrors the picture before any filter of ours."""
        return self.has_display_matrix or self.rotation != 0

    @property
    def short_side(self) -> int:
        """Return the smaller of width and height in pixels, which names the rung."""
        return min(self.width_px, self.height_px)


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One sound track; ``language`` is an ISO 639 code or empty, ``start_s`` as for video."""

    index: int
    codec: str
    channels: int
    language: str = ""
    title: str = ""
    is_default: bool = False
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source we can encode: at least a picture or a sound.

    ``container`` is the FFmpeg demuxer.  ``duration_s`` is what a viewer sees,
    from the first timestamp to the end of the longest stream.  ``is_seekable``
    says that a chunk may start in the middle.  ``cover_index`` is an attached
    picture's stream.
    """

    container: str
    duration_s: float
    size_bytes: int
    video: VideoStream | None = None
    audio: tuple[AudioStream, ...] = ()
    is_seekable: bool = True
    cover_index: int | None = None

    @property
    def short_side(self) -> int:
        """Return the picture's short side in pixels, 0 without a picture."""
        return self.video.short_side if self.video else 0

    def timeline_shift_s(self, start_s: float) -> float:
        """Return what to add to FFmpeg's timestamps of a stream so that the container starts at 0."""
        return start_s if self.container in DISCONTINUOUS else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; ``from_json`` reads them back without loss."""
        data = asdict(self)
        if self.video:
            data["video"]["frame_rate"] = str(self.video.frame_rate)
        data["audio"] = list(data["audio"])
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SourceInfo:
        """Read what ``to_json`` wrote."""
        video = data["video"] and VideoStream(
            **{**data["video"], "frame_rate": Fraction(data["video"]["frame_rate"])}
        )
        audio = tuple(AudioStream(**track) for track in data["audio"])
        return replace(cls(**{**data, "video": None, "audio": ()}), video=video or None, audio=audio)
