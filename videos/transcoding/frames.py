"""Facts from decoded frames: field order, colours, and positions where decoding can begin.

Headers leave out fields and colours, and list false keyframes.  An MP4 without a
sync sample table marks every sample as one, and with periodic intra refresh a frame
is complete only some seconds after its recovery point.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .inputs import probe_input_args
from .processes import run_short
from .tools import ffprobe_path

# Two fields of one frame may be two packets, and some codecs hide their first ones.
_PACKETS = 12
_TIMEOUT_S = 30
# About this many seams between chunks are tried, spread over the video.
_SEAMS = 3
# The first frame may lie this far behind the packet that FFmpeg seeks to.
_NEAR_S = 0.5
_ENTRIES = (
    "packet=pts_time:frame=pts_time,key_frame,pict_type,pix_fmt,interlaced_frame,width,height,"
    "color_range,color_space,color_primaries,color_transfer"
)


@dataclass(frozen=True, slots=True)
class FrameLook:
    """The first frames of a video: size in stored pixels, format, FFmpeg's names of the colours.

    Unknown colours are empty.  ``is_interlaced`` if most frames hold two fields.
    """

    width_px: int = 0
    height_px: int = 0
    pix_fmt: str = ""
    is_interlaced: bool = False
    color_range: str = ""
    matrix: str = ""
    primaries: str = ""
    transfer: str = ""


def look_at_frames(url: str, container: str, index: int) -> FrameLook:
    """Decode the first frames of stream ``index``; return an empty look if none decodes."""
    frames = [row for row in _read(url, container, index, at_s=None) if row.get("type") == "frame"]
    if not frames:
        return FrameLook()
    first = frames[0]
    return FrameLook(
        width_px=int(first.get("width") or 0),
        height_px=int(first.get("height") or 0),
        pix_fmt=str(first.get("pix_fmt") or ""),
        is_interlaced=sum(row.get("interlaced_frame") == 1 for row in frames) > len(frames) / 2,
        color_range=_known(first.get("color_range")),
        matrix=_known(first.get("color_space")),
        primaries=_known(first.get("color_primaries")),
        transfer=_known(first.get("color_transfer")),
    )


def decodes_from(url: str, container: str, index: int, moments_s: Iterable[float]) -> bool:
    """Return whether decoding begins with a complete frame at each moment; only a sample is tried.

    ``moments_s`` are seconds in the file's own time; FFmpeg seeks to the keyframe
    before each.
    """
    moments = sorted(moments_s)
    tried = moments[:: max(1, len(moments) // _SEAMS)][: _SEAMS + 1]
    with ThreadPoolExecutor(max_workers=len(tried) or 1) as pool:
        rows = pool.map(lambda moment: _read(url, container, index, at_s=moment), tried)
        return all(_begins_whole(list(found)) for found in rows)


def _begins_whole(rows: list[dict[str, Any]]) -> bool:
    """Return whether the first packet decodes to a frame that needs no other."""
    packets = [row for row in rows if row.get("type") == "packet"]
    frame = next((row for row in rows if row.get("type") == "frame"), None)
    if not packets:
        return True  # past the end: nothing begins there
    if frame is None or frame.get("pict_type", "?") not in {"I", "?"}:
        return False
    times = [row.get("pts_time") for row in (packets[0], frame)]
    if None in times:
        return True
    return abs(float(str(times[1])) - float(str(times[0]))) <= _NEAR_S


def _read(url: str, container: str, index: int, *, at_s: float | None) -> list[dict[str, Any]]:
    """Return ffprobe's rows of the first packets at a moment and of the frames in them."""
    place = "" if at_s is None else f"{at_s:.3f}"
    argv = [
        ffprobe_path(), "-v", "quiet", "-of", "json", "-select_streams", str(index),
        "-read_intervals", f"{place}%+#{_PACKETS}", "-show_packets", "-show_frames",
        "-show_entries", _ENTRIES, *probe_input_args(url, container),
    ]  # fmt: skip
    finished = run_short(argv, timeout_s=_TIMEOUT_S)
    try:
        found = json.loads(finished.stdout.decode("utf-8", "replace") or "{}")
    except json.JSONDecodeError:
        return []
    return [row for row in found.get("packets_and_frames") or [] if isinstance(row, dict)]


def _known(value: object) -> str:
    text = str(value or "")
    return "" if text in {"unknown", "reserved", "unspecified"} else text
