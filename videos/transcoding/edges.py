"""Segments at the edges of a trim: some frames of a stored segment, encoded for every rung.

The best rung is decoded once.  Each output has a number of parameter sets of its own, so
that it plays with the init segment of the segments beside it
(``common.media.parameter_sets``), whoever encoded those.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.media.boxes import BrokenBoxes
from common.media.fragments import FragmentReader, Movie, Sample, write_fragment
from common.media.parameter_sets import AvcSets

from . import colour
from .errors import EncodeFailed
from .tools import ffmpeg_path

# A fragment with one long box: eight seconds of the dearest copy.
MAX_EDGE_BYTES = 256 * 1024**2
_BASELINE = 66
# Level 1b has the number 9, which x264 takes for 0.9.
_LOWEST_LEVEL = 10
_PROFILES = {_BASELINE: "baseline", 77: "main"}
# Decoded and encoded twice, a frame needs more bits than one that is encoded once.
_CRF = 20


@dataclass(frozen=True, slots=True)
class EdgeOutput:
    """One rung of an edge, whose sets get the number ``number``; ``sets`` are those of its init segment."""

    size_px: tuple[int, int]
    bitrate_bps: int
    sets: AvcSets
    number: int
    timescale: int
    path: Path


@dataclass(frozen=True, slots=True)
class EdgeTimes:
    """Presentation times of the frames of an edge, and its end, in ticks of the new time line."""

    shown: tuple[int, ...]
    end: int


def edge_args(source: Path, frames: range, outputs: Sequence[EdgeOutput], *, preset: str) -> list[str]:
    """Return the FFmpeg command that encodes the frames ``frames`` of ``source`` in every rung."""
    names = [f"[s{number}]" for number in range(len(outputs))]
    cut = f"trim=start_frame={frames.start}:end_frame={frames.stop},setpts=PTS-STARTPTS"
    graph = [f"[0:v:0]{cut},split={len(outputs)}{''.join(names)}"]
    graph += [
        # Stored frames are BT.709 in limited range already.
        f"{name}scale={one.size_px[0]}:{one.size_px[1]}:flags=bicubic,setsar=1,format=yuv420p,{colour.TAGS}[v{number}]"
        for number, (name, one) in enumerate(zip(names, outputs, strict=True))
    ]
    threads = str(min(os.cpu_count() or 1, 8))
    return [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", "-nostats",
        "-threads", threads, "-filter_complex_threads", threads,
        "-i", f"file:{source}", "-filter_complex", ";".join(graph),
        *(word for number, one in enumerate(outputs) for word in _output(number, one, preset, threads)),
    ]  # fmt: skip


def _output(number: int, one: EdgeOutput, preset: str, threads: str) -> list[str]:
    return [
        "-map", f"[v{number}]", "-c:v", "libx264", "-preset", preset, "-threads", threads,
        # The init segment declares one profile and one level for all segments.
        "-profile:v", _PROFILES.get(one.sets.profile, "high"),
        "-level", f"{max(_LOWEST_LEVEL, one.sets.level) / 10:.1f}",
        "-crf", str(_CRF), "-maxrate", str(one.bitrate_bps), "-bufsize", str(one.bitrate_bps),
        "-x264-params", f"sps-id={one.number}",
        "-bf", "0" if one.sets.profile == _BASELINE else "2",
        "-a53cc", "0", "-sc_threshold", "0", "-g", "100000",
        "-fps_mode", "passthrough", "-enc_time_base", f"1:{one.timescale}",
        "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1",
        # One fragment, as its only keyframe opens it.
        "-movflags", "+frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets",
        "-video_track_timescale", str(one.timescale), "-f", "mp4", "-y", f"file:{one.path}",
    ]  # fmt: skip


def init_of(encoded: bytes) -> bytes:
    """Return the init segment of an encoded edge.  Raises BrokenBoxes."""
    movies = [
        one for one in FragmentReader(max_box_bytes=MAX_EDGE_BYTES).feed(encoded) if isinstance(one, Movie)
    ]
    if len(movies) != 1:
        raise BrokenBoxes("no init segment")
    return movies[0].data


def retimed_edge(encoded: bytes, track: int, times: EdgeTimes, *, sequence: int) -> bytes:
    """Return an encoded edge as a segment of the track ``track`` with exactly these times.

    Raises EncodeFailed if frames are missing or doubled, or if its only keyframe is not the first.
    """
    found = FragmentReader(max_box_bytes=MAX_EDGE_BYTES).feed(encoded)
    samples = [piece for piece in found if isinstance(piece, Sample)]
    if len(samples) != len(times.shown) or [one for one in samples if one.is_sync] != samples[:1]:
        raise EncodeFailed(f"an edge holds {len(samples)} frames of {len(times.shown)}")
    shown = sorted(one.decode_time + one.composition_offset for one in samples)
    places = {time: place for place, time in enumerate(shown)}
    if len(places) != len(samples):
        raise EncodeFailed("an edge shows two frames at once")
    bounds = [*times.shown, times.end]
    run = [
        replace(
            one,
            track=track,
            # Decoding times are the presentation times in order, as in all our segments.
            decode_time=bounds[index],
            duration=bounds[index + 1] - bounds[index],
            composition_offset=bounds[places[one.decode_time + one.composition_offset]] - bounds[index],
        )
        for index, one in enumerate(samples)
    ]
    return write_fragment(sequence, [run])
