"""The baseline of encoding benchmarks: one FFmpeg that encodes the same ladder from a local file."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from videos.transcoding.chunks import plan_grid
from videos.transcoding.ffmpeg import audio_args, encode_args, output_directories
from videos.transcoding.ladder import plan_ladder
from videos.transcoding.probe import probe
from videos.transcoding.sniff import HEAD_BYTES


@contextmanager
def _started(
    path: Path, folder: Path, segment: int = 0
) -> Iterator[tuple[subprocess.Popen[bytes], list[Path]]]:
    with path.open("rb") as source_file:
        head = source_file.read(HEAD_BYTES)
    source = probe(str(path), head=head, size_bytes=path.stat().st_size)
    rungs = plan_ladder(source)
    outputs = list(output_directories(folder, len(rungs)))
    for output in outputs:
        output.mkdir(parents=True)
    argv = encode_args(source, str(path), rungs, plan_grid(source).chunk(0, segment, None), folder)
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        try:
            yield process, outputs
        finally:
            process.kill()


def whole_ladder_s(path: Path) -> float:
    """Return the seconds to encode all rungs and then all audio tracks of ``path``, one after the other."""
    with tempfile.TemporaryDirectory() as folder, _started(path, Path(folder) / "video") as (process, _):
        started = time.monotonic()
        process.wait()
        with path.open("rb") as source_file:
            head = source_file.read(HEAD_BYTES)
        source = probe(str(path), head=head, size_bytes=path.stat().st_size)
        for number, track in enumerate(source.audio):
            sound = Path(folder) / f"audio{number}"
            for output in output_directories(sound, 1):
                output.mkdir(parents=True)
            subprocess.run(audio_args(source, str(path), track, sound), check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started


def first_segment_s(path: Path, segment: int = 0) -> float:
    """Return the seconds until a segment of every rung is on disk, from a start with that segment."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        with _started(path, Path(folder) / "video", segment) as (_, outputs):
            while not all((output / f"{segment}.m4s").exists() for output in outputs):
                time.sleep(0.02)
            return time.monotonic() - started
