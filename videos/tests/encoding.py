"""Encodes of whole sources for tests, and readers of the results."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from videos.transcoding.chunks import ChunkPlan, plan_chunks
from videos.transcoding.ffmpeg import audio_args, encode_args, output_directories
from videos.transcoding.ladder import Rung, plan_ladder
from videos.transcoding.limits import DEFAULT_LIMITS, SourceLimits
from videos.transcoding.probe import probe
from videos.transcoding.run import INIT_SEGMENT, FinishedSegment, run_encode
from videos.transcoding.sniff import HEAD_BYTES
from videos.transcoding.source import SourceInfo
from videos.transcoding.tools import ffmpeg_path, ffprobe_path


@dataclass
class EncodedRendition:
    """One output of all chunks: its distinct init segments (one is expected) and its segments."""

    inits: set[bytes] = field(default_factory=set)
    segments: list[FinishedSegment] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        return sum(segment.duration_s for segment in self.segments)

    def joined(self, path: Path) -> Path:
        """Write the bytes that a player would append to one file."""
        (init,) = self.inits
        path.write_bytes(init + b"".join(segment.path.read_bytes() for segment in self.segments))
        return path


def probe_file(path: Path, *, limits: SourceLimits = DEFAULT_LIMITS) -> SourceInfo:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return probe(str(path), head=head, size_bytes=path.stat().st_size, limits=limits)


def encode_video(
    path: Path,
    work: Path,
    *,
    source: SourceInfo | None = None,
    rungs: Sequence[Rung] | None = None,
    chunks: Sequence[ChunkPlan] | None = None,
) -> list[EncodedRendition]:
    """Encode every chunk, by default of the lowest rung alone, as fast as x264 can."""
    source = source or probe_file(path)
    rungs = rungs or plan_ladder(source)[-1:]
    renditions = [EncodedRendition() for _ in rungs]
    for chunk in chunks or plan_chunks(source):
        directory = work / f"chunk-{chunk.position}"
        outputs = output_directories(directory, len(rungs))
        argv = encode_args(source, str(path), rungs, chunk, directory, preset="ultrafast")
        # A header may declare more video than there is, so later chunks may be empty.
        rate = source.video.frame_rate if source.video else None
        _collect(renditions, argv, work, outputs, allow_empty=chunk.position > 0, frame_rate=rate)
    return renditions


def encode_audio(
    path: Path, work: Path, *, source: SourceInfo | None = None, track: int = 0
) -> EncodedRendition:
    source = source or probe_file(path)
    directory = work / f"audio-{track}"
    rendition = EncodedRendition()
    argv = audio_args(source, str(path), source.audio[track], directory)
    _collect([rendition], argv, work, output_directories(directory, 1))
    return rendition


def picture_times(path: Path) -> list[Fraction]:
    """Return the times of all frames in seconds, as exact multiples of the time base, in order, from 0.

    From 0, because ffprobe adds the encoder's delay to files without edit lists.
    """
    stream = _ffprobe(path, "stream=time_base")["streams"][0]
    packets = _ffprobe(path, "packet=pts")["packets"]
    times = sorted(packet["pts"] * Fraction(stream["time_base"]) for packet in packets)
    return [time - times[0] for time in times]


def keyframe_times(path: Path) -> list[float]:
    packets = _ffprobe(path, "packet=pts_time,flags")["packets"]
    first = min(float(packet["pts_time"]) for packet in packets)
    return [float(p["pts_time"]) - first for p in packets if "K" in p["flags"]]


def thumbnail(path: Path, *, at_s: float = 0.0, side: int = 16) -> bytes:
    """Return a frame as ``side`` × ``side`` grey values, turned as FFmpeg shows it."""
    argv = [
        ffmpeg_path(),
        "-v",
        "error",
        "-nostdin",
        "-i",
        f"file:{path}",
        "-ss",
        str(at_s),
        "-frames:v",
        "1",
    ]
    filters = f"scale={side}:{side}:flags=area,format=gray"
    done = subprocess.run(
        [*argv, "-map", "0:V:0", "-vf", filters, "-f", "rawvideo", "-"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def difference(one: bytes, other: bytes) -> float:
    """Return the mean difference of two thumbnails, 0 to 255."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / max(1, len(one))


def _collect(
    renditions: list[EncodedRendition],
    argv: list[str],
    work: Path,
    outputs: Sequence[Path],
    *,
    allow_empty: bool = False,
    frame_rate: Fraction | None = None,
) -> None:
    for segment in run_encode(argv, work, outputs=outputs, allow_empty=allow_empty, frame_rate=frame_rate):
        rendition = renditions[segment.output_index]
        rendition.segments.append(segment)
        rendition.inits.add((outputs[segment.output_index] / INIT_SEGMENT).read_bytes())


def _ffprobe(path: Path, entries: str) -> dict:  # type: ignore[type-arg]
    argv = [ffprobe_path(), "-v", "error", "-of", "json", "-show_entries", entries, f"file:{path}"]
    found: dict = json.loads(subprocess.run(argv, capture_output=True, timeout=60, check=True).stdout)  # type: ignore[type-arg]
    return found
