"""Storyboards: small stills of a video on sheets, and the WebVTT that maps times to them.

Each cue names a sheet and a rectangle on it, ``0.jpg#xywh=160,90,160,90`` (Media
Fragments URI 1.0, 4.2.2).  This module runs nothing and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

from .ffmpeg import POSTER_LONG_SIDE_PX
from .tools import ffmpeg_path

# A still of at most this size, in the proportions of the video.
TILE_WIDTH_PX, TILE_HEIGHT_PX = 160, 200
# Sheets are small, because a viewer who points at the bar waits for one.
COLUMNS, ROWS = 5, 5
# Longer videos have more time between two stills.
MAX_STILLS = 600
# Every frame of a video this short is decoded, and there is a still for each second, or five.
DENSE_UP_TO_S = 120.0
DENSE_INTERVAL_S = Fraction(1)
FEWEST_DENSE = 5
SHORTEST_INTERVAL_S = Fraction(1, 10)

GREY = "stills.grey"
_LATE_S = 0.12
_SHEET = "{}.jpg"


@dataclass(frozen=True, slots=True)
class Storyboard:
    """Sheets of stills: the size of a still in pixels, and the time of each (s), in order, from 0."""

    tile_px: tuple[int, int]
    times_s: tuple[float, ...]
    duration_s: float

    @property
    def sheet_count(self) -> int:
        return ceil(len(self.times_s) / (COLUMNS * ROWS))

    def webvtt(self) -> str:
        """Return the WebVTT, with names relative to its own."""
        lines = ["WEBVTT", ""]
        ends = [*self.times_s[1:], self.duration_s]
        width, height = self.tile_px
        for number, (start_s, end_s) in enumerate(zip(self.times_s, ends, strict=True)):
            sheet, place = divmod(number, COLUMNS * ROWS)
            row, column = divmod(place, COLUMNS)
            rectangle = f"{column * width},{row * height},{width},{height}"
            # A cue ends after it starts (WebVTT, 4.1).
            end_s = max(end_s, start_s + 0.001)
            lines += [f"{_time(start_s)} --> {_time(end_s)}", f"{_SHEET.format(sheet)}#xywh={rectangle}", ""]
        return "\n".join(lines)


def with_addresses(webvtt: str, address: Callable[[str], str]) -> str:
    """Return a storyboard's WebVTT with the address of each sheet instead of its name."""
    known: dict[str, str] = {}
    lines = []
    for line in webvtt.split("\n"):
        name, mark, rectangle = line.partition("#xywh=")
        if mark:
            known[name] = known.get(name) or address(name)
            line = f"{known[name]}{mark}{rectangle}"
        lines.append(line)
    return "\n".join(lines)


def tile_size(width_px: int, height_px: int) -> tuple[int, int]:
    """Return the size of a still of a video of this size; both sides are even."""
    scale = min(Fraction(TILE_WIDTH_PX, width_px), Fraction(TILE_HEIGHT_PX, height_px))
    width, height = (max(2, round(side * scale / 2) * 2) for side in (width_px, height_px))
    return width, height


def chosen_segments(starts_s: Sequence[float]) -> list[int]:
    """Return the numbers of the segments whose first frames become stills, ``MAX_STILLS`` at most."""
    return list(range(0, len(starts_s), max(1, ceil(len(starts_s) / MAX_STILLS))))


def dense_interval_s(duration_s: float) -> Fraction:
    """Return the time between two stills of a short video."""
    fifth_s = Fraction(duration_s).limit_denominator(1000) / FEWEST_DENSE
    return min(DENSE_INTERVAL_S, max(SHORTEST_INTERVAL_S, fifth_s))


def dense_times(duration_s: float) -> tuple[float, ...]:
    """Return the times of the stills of a short video (s)."""
    interval_s = dense_interval_s(duration_s)
    count = max(1, ceil(Fraction(duration_s).limit_denominator(1000) / interval_s))
    return tuple(float(number * interval_s) for number in range(count))


def sheet_args(path: Path, folder: Path, storyboard: Storyboard, *, is_dense: bool) -> list[str]:
    """Return the FFmpeg command that writes the sheets of ``storyboard`` below ``folder``.

    ``path`` holds the keyframes alone as a byte stream of H.264, or, if ``is_dense``,
    whole segments of MP4.
    """
    width, height = storyboard.tile_px
    count = len(storyboard.times_s)
    container = "mov" if is_dense else "h264"
    filters = [
        # The frame on screen at each moment; the last one is held if the video ends a little early.
        *([f"fps={1 / dense_interval_s(storyboard.duration_s)}:start_time=0:round=up",
           "tpad=stop=2:stop_mode=clone"] if is_dense else []),
        # JPEG means BT.601 in full range.
        f"scale={width}:{height}:flags=area:in_color_matrix=bt709:out_color_matrix=bt601:out_range=pc",
        "setsar=1", f"trim=end_frame={count}",
    ]  # fmt: skip
    graph = (
        f"[0:v:0]{','.join(filters)},split[colour][grey];"
        f"[colour]format=yuvj420p,tile={COLUMNS}x{ROWS}[sheets];[grey]format=gray[scored]"
    )
    return [
        *_start(path, container),
        "-filter_complex", graph, "-map", "[sheets]", "-fps_mode", "passthrough",
        "-frames:v", str(storyboard.sheet_count), "-map_metadata", "-1",
        "-c:v", "mjpeg", "-q:v", "6", "-f", "image2", "-start_number", "0", f"file:{folder}/%d.jpg",
        # The same stills in grey, one behind the other, to choose the poster by.
        "-map", "[scored]", "-fps_mode", "passthrough", "-f", "rawvideo", f"file:{folder}/{GREY}",
    ]  # fmt: skip


def still_args(path: Path, offset_s: float, size_px: tuple[int, int], output: Path) -> list[str]:
    """Return the FFmpeg command that writes one frame of a segment as JPEG.

    ``path`` holds an init segment and a segment, ``offset_s`` counts from its first frame.
    """
    width, height = size_px
    filters = [
        # A moment later, so that rounding does not choose the frame before.
        f"tpad=stop_duration={2 * _LATE_S}:stop_mode=clone", f"trim=start={offset_s + _LATE_S:.3f}",
        f"scale={width}:{height}:flags=bicubic:in_color_matrix=bt709:out_color_matrix=bt601:out_range=pc",
        "setsar=1", "format=yuvj420p",
    ]  # fmt: skip
    return [
        *_start(path, "mov"), "-map", "0:v:0", "-vf", ",".join(filters), "-fps_mode", "passthrough",
        "-frames:v", "1", "-map_metadata", "-1",
        "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg", f"file:{output}",
    ]  # fmt: skip


def still_size(width_px: int, height_px: int) -> tuple[int, int]:
    """Return the size of a poster of a video of this size."""
    scale = min(Fraction(1), Fraction(POSTER_LONG_SIDE_PX, max(width_px, height_px)))
    width, height = (max(2, int(side * scale) // 2 * 2) for side in (width_px, height_px))
    return width, height


def _start(path: Path, container: str) -> list[str]:
    return [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", "-y", "-threads", "1",
        # Later parts of a recording may have another size; the filters go on.
        "-reinit_filter", "0",
        "-codec_whitelist", "h264", "-f", container, "-format_whitelist", container,
        "-protocol_whitelist", "file", "-i", f"file:{path}",
    ]  # fmt: skip


def sheet_paths(folder: Path, storyboard: Storyboard) -> list[Path]:
    """Return the files that ``sheet_args`` writes, in order."""
    return [folder / _SHEET.format(number) for number in range(storyboard.sheet_count)]


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
