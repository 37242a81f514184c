"""The facts about a source after it was probed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from typing import Any

from .chapters import Chapter
from .leftovers import LeftOut
from .subtitles import SubtitleStream

# FFmpeg subtracts the first timestamp of the whole file from every stream; in
# these containers (AVFMT_TS_DISCONT) only that of the streams it decodes.
DISCONTINUOUS = frozenset({"mpegts", "mpeg", "ogg"})


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The video track as viewers see it: upright and in square pixels.

    ``frame_rate`` is the constant rate we encode at.  ``start_s`` and ``duration_s``
    count from the start of the container, so ``duration_s`` is the end of the last
    frame.  ``has_display_matrix`` says that the file turns or mirrors the frames.
    ``stored_size_px`` is the size of the frames before turning, in pixels that need
    not be square.  ``color_range``, ``matrix``, ``primaries`` and ``transfer`` are
    FFmpeg's names, empty where unknown.
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
    matrix: str = ""
    primaries: str = ""
    color_range: str = ""
    stored_size_px: tuple[int, int] = (0, 0)
    is_hdr: bool = False
    is_interlaced: bool = False
    has_display_matrix: bool = False

    @property
    def is_turned(self) -> bool:
        """Return whether FFmpeg turns or mirrors the frames before any filter of ours."""
        return self.has_display_matrix or self.rotation != 0

    @property
    def short_side(self) -> int:
        """Return the smaller of width and height in pixels, which names the rung."""
        return min(self.width_px, self.height_px)


@dataclass(frozen=True, slots=True)
class AudioStream:
    """An audio track; ``language`` is an ISO 639 code, perhaps with subtags, or empty.

    ``start_s`` counts as for video.  ``layout`` is FFmpeg's name of the channel layout,
    empty where unknown.
    """

    index: int
    codec: str
    channels: int
    language: str = ""
    title: str = ""
    is_default: bool = False
    start_s: float = 0.0
    layout: str = ""


@dataclass(frozen=True, slots=True)
class CopiedSource:
    """The tracks of a source whose bytes become renditions, and the segments that its keyframes make.

    Tracks have their numbers in the file; ``audio`` says of each audio track whether it
    is copied.  ``bounds_s`` are the start of each segment and the end of the last, from the
    first frame; they are kept in the encode's plan and not in the source's JSON.
    ``starts_s`` is the first frame on FFmpeg's timeline of the file, where encoded audio finds it.
    ``is_scanned`` says that a scan found the frames, whose ``tables`` are stored beside the encode.
    """

    video_track: int
    audio_tracks: tuple[int, ...]
    audio: tuple[bool, ...]
    codecs: str
    frame_rate: float
    average_bps: int
    peak_bps: int
    bounds_s: tuple[float, ...] = ()
    starts_s: float = 0.0
    is_scanned: bool = False
    tables: bytes = b""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source that we can encode: it has a video track, audio tracks or both.

    ``container`` is the FFmpeg demuxer.  ``duration_s`` runs from the first timestamp to
    the end of the longest stream we encode.  ``is_seekable`` says that a chunk may start
    in the middle, ``is_measured`` that every packet was read, so that the durations hold.
    ``cover_index`` is the stream of an attached picture, ``left_out`` the content that is
    not encoded.  ``sessions_s`` are the starts of recordings that were appended to one
    file, each with its own clock.  ``chapters`` are those that the file declares,
    ``subtitles`` the text tracks that become captions.  ``copied`` are the tracks that are not
    encoded, None if all are, for the reason ``copy_refusal``.
    """

    container: str
    duration_s: float
    size_bytes: int
    video: VideoStream | None = None
    audio: tuple[AudioStream, ...] = ()
    is_seekable: bool = True
    is_measured: bool = False
    cover_index: int | None = None
    left_out: tuple[LeftOut, ...] = ()
    sessions_s: tuple[float, ...] = (0.0,)
    chapters: tuple[Chapter, ...] = ()
    subtitles: tuple[SubtitleStream, ...] = ()
    copied: CopiedSource | None = None
    copy_refusal: str = ""

    @property
    def short_side(self) -> int:
        """Return the video's short side in pixels, 0 without a video track."""
        return self.video.short_side if self.video else 0

    def timeline_shift_s(self, start_s: float) -> float:
        """Return the seconds to add to FFmpeg's timestamps of a stream so that the timeline starts at 0.

        That is the container's start, or the first frame of a copy.
        """
        shift_s = start_s if self.container in DISCONTINUOUS else 0.0
        return shift_s - (self.copied.starts_s if self.copied else 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; ``from_json`` reads them back without loss."""
        data = asdict(self)
        if self.video:
            data["video"]["frame_rate"] = str(self.video.frame_rate)
        data["audio"] = list(data["audio"])
        data["sessions_s"] = list(data["sessions_s"])
        data["chapters"] = list(data["chapters"])
        data["subtitles"] = list(data["subtitles"])
        if self.copied:
            del data["copied"]["bounds_s"], data["copied"]["tables"]
            for name in ("audio_tracks", "audio"):
                data["copied"][name] = list(data["copied"][name])
        data["left_out"] = [{**left, "names": list(left["names"])} for left in data["left_out"]]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SourceInfo:
        """Return the source that ``to_json`` wrote."""
        video = data["video"] and VideoStream(
            **{
                **_known(VideoStream, data["video"]),
                "frame_rate": Fraction(data["video"]["frame_rate"]),
                "stored_size_px": tuple(data["video"].get("stored_size_px", (0, 0))),
            }
        )
        audio = tuple(AudioStream(**_known(AudioStream, track)) for track in data["audio"])
        left_out = tuple(
            LeftOut(**{**left, "names": tuple(left["names"])}) for left in data.get("left_out", ())
        )
        sessions_s = tuple(data.get("sessions_s", (0.0,)))
        chapters = tuple(Chapter(**chapter) for chapter in data.get("chapters", ()))
        subtitles = tuple(SubtitleStream(**track) for track in data.get("subtitles", ()))
        read: dict[str, Any] = {
            "left_out": left_out,
            "sessions_s": sessions_s,
            "chapters": chapters,
            "subtitles": subtitles,
            "copied": None,
        }
        copied: dict[str, Any] | None = data.get("copied")
        if copied:
            lists = {name: tuple(copied[name]) for name in ("audio_tracks", "audio")}
            read["copied"] = CopiedSource(**copied | lists)
        plain = {**_known(cls, data), "video": None, "audio": (), **read}
        return replace(cls(**plain), video=video or None, audio=audio)


def _known(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a dataclass in ``data``: a newer version may have stored more."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in data.items() if name in names}
