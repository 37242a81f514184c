"""Clips for tests: streams encoded by FFmpeg with an ingest's flags, and packaged by us."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil, floor
from pathlib import Path

from common.media.fragments import FragmentReader, Movie, Sample
from live.llhls.segments import Init, Packager, Part, SegmentEnd, Shape
from videos.transcoding.tools import ffmpeg_path

# An odd size splits boxes, headers and samples at arbitrary places.
PIECE_BYTES = 4099
FRAGMENTED = (
    "-write_prft", "pts", "-bsf:v", "setts=pts=PTS:dts=DTS:duration=1",
    "-avoid_negative_ts", "disabled", "-use_editlist", "0",
    "-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof+frag_discont",
    "-frag_duration", "20000", "-flush_packets", "1",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Published:
    """Parameters of a stream as an encoder sends it; keyframes are ``gop_s`` apart."""

    rate: str = "30"
    b_frames: int = 0
    has_audio: bool = True
    gop_s: float = 1.0
    seconds: float = 4.0
    picture_filter: str = ""

    @property
    def frame_rate(self) -> Fraction:
        return Fraction(self.rate)

    @property
    def shape(self) -> Shape:
        rate = self.frame_rate
        frames = max(1, floor(rate / 5))
        part_target_s = ceil((frames / rate + Fraction(2, 1000)) * 1000) / 1000
        return Shape(part_target_s, target_duration_s=max(1, round(self.gop_s)))


def ffmpeg(*arguments: str) -> None:
    subprocess.run([ffmpeg_path(), "-v", "error", "-nostdin", "-y", *arguments], check=True, timeout=120)


def publish(directory: Path, published: Published) -> Path:
    path = directory / "published.flv"
    picture = f"testsrc2=size=192x108:rate={published.rate}:duration={published.seconds}"
    sound = f"sine=frequency=440:sample_rate=48000:duration={published.seconds}"
    gop = str(round(published.gop_s * published.frame_rate))
    ffmpeg(
        "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound,
        *(["-vf", published.picture_filter, "-fps_mode", "vfr"] if published.picture_filter else []),
        "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
        "-bf", str(published.b_frames), "-g", gop, "-keyint_min", gop, "-sc_threshold", "0",
        *(["-c:a", "aac"] if published.has_audio else ["-an"]), "-f", "flv", str(path),
    )  # fmt: skip
    return path


def encode(directory: Path, published: Published) -> list[Path]:
    """Return one file of small fragments for each rendition: the source copied, and two encodes."""
    source = publish(directory, published)
    paths = [directory / f"r{number}.mp4" for number in range(3)]
    sound = ["-map", "0:a", "-c:a", "copy"] if published.has_audio else []
    arguments: list[str] = []
    for number, path in enumerate(paths):
        picture = ["-c:v", "copy"] if number == 0 else [
            "-vf", f"scale={192 // (number + 1) // 2 * 2}:-2", "-c:v", "libx264", "-preset", "veryfast",
            "-tune", "zerolatency", "-bf", "0", "-sc_threshold", "0", "-g", "100000",
            "-force_key_frames", "source", "-fps_mode", "passthrough", "-enc_time_base", "demux",
        ]  # fmt: skip
        arguments += ["-map", "0:v", *sound, *picture, *FRAGMENTED, str(path)]
    ffmpeg(
        "-flags", "low_delay", "-fpsprobesize", "0", "-analyzeduration", "200000", "-probesize", "100000",
        "-copyts", "-f", "flv", "-i", str(source), *arguments,
    )  # fmt: skip
    return paths


def packaged(
    path: Path, shape: Shape, *, first_msn: int = 0, start_s: float = 0.0
) -> list[Init | Part | SegmentEnd]:
    packager = Packager(shape, first_msn=first_msn, start_s=start_s)
    data = path.read_bytes()
    made: list[Init | Part | SegmentEnd] = []
    for at in range(0, len(data), PIECE_BYTES):
        made += packager.feed(data[at : at + PIECE_BYTES])
    return [*made, *packager.finish()]


def parts_of(made: list[Init | Part | SegmentEnd]) -> list[Part]:
    return [thing for thing in made if isinstance(thing, Part)]


def samples(init: Init, part: Part) -> dict[str, list[Sample]]:
    """Return the samples in a part's bytes, by kind of track."""
    reader = FragmentReader()
    kinds = {
        track.number: track.kind
        for movie in reader.feed(init.data)
        if isinstance(movie, Movie)
        for track in movie.tracks
    }
    found: dict[str, list[Sample]] = {"vide": [], "soun": []}
    for sample in reader.feed(part.data):
        if isinstance(sample, Sample):
            found[kinds[sample.track]].append(sample)
    return found


def sounds_of(path: Path) -> list[bytes]:
    """Return the data of every audio frame in a fragmented file."""
    reader = FragmentReader()
    found = [*reader.feed(path.read_bytes())]
    audio = [track.number for movie in found if isinstance(movie, Movie) for track in movie.tracks
             if track.kind == "soun"]  # fmt: skip
    return [sample.data for sample in found if isinstance(sample, Sample) and sample.track in audio]


def frame_digests(path: Path, stream: str = "v") -> list[str]:
    """Return the digest of every decoded frame."""
    done = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-i", str(path), "-map", f"0:{stream}", "-f", "framemd5", "-"],
        check=True, timeout=120, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    return [line.rpartition(",")[2].strip() for line in done.stdout.splitlines() if not line.startswith("#")]


@cache
def encoded_once(published: Published, directory: Path) -> tuple[Path, ...]:
    folder = directory / str(abs(hash(published)))
    folder.mkdir()
    return tuple(encode(folder, published))
