"""Real encodes: seams, keyframes, frame shapes, audio and posters."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from videos.tests.clips import make_clip
from videos.tests.encoding import (
    EncodedRendition,
    difference,
    encode_audio,
    encode_video,
    keyframe_times,
    picture_times,
    probe_file,
    thumbnail,
)
from videos.transcoding.chunks import ChunkPlan
from videos.transcoding.codecs import codec_string, expected_codec
from videos.transcoding.ffmpeg import poster_args
from videos.transcoding.ladder import Rung, plan_ladder, rung_size
from videos.transcoding.run import run_poster
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

pytestmark = pytest.mark.ffmpeg

RUNGS = [Rung(180, 300_000), Rung(90, 100_000)]
THREE_CHUNKS = [ChunkPlan(0, 0, 1, 0.0, 4.0), ChunkPlan(1, 1, 2, 4.0, 8.0), ChunkPlan(2, 3, None, 12.0, 6.0)]


@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        ("b_frames", "25"),
        ("b_frames", "24000/1001"),
        ("b_frames", "30000/1001"),
        ("b_frames", "60"),
        ("late_video", "30000/1001"),
        ("vfr", "30"),
    ],
)
def test_chunks_encoded_apart_join_without_a_gap(clips: Path, tmp_path: Path, kind: str, rate: str) -> None:
    path = make_clip(kind, clips, seconds=18, rate=rate)
    source = probe_file(path)

    high, low = encode_video(path, tmp_path, source=source, rungs=RUNGS, chunks=THREE_CHUNKS)

    assert len(high.inits) == len(low.inits) == 1
    high_path, low_path = high.joined(tmp_path / "high.mp4"), low.joined(tmp_path / "low.mp4")
    times = picture_times(high_path)
    assert source.video
    assert {after - before for before, after in pairwise(times)} == {1 / source.video.frame_rate}
    assert len(times) == pytest.approx(source.video.duration_s * source.video.frame_rate, abs=2)
    assert keyframe_times(high_path) == keyframe_times(low_path) == pytest.approx([0, 4, 8, 12, 16], abs=0.05)
    assert [segment.number for segment in high.segments] == [0, 1, 2, 3, 4]
    assert [segment.number for segment in low.segments] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rate", ["25", "30000/1001", "60"])
def test_expected_codec_is_that_of_the_encode(clips: Path, tmp_path: Path, rate: str) -> None:
    path = make_clip("no_audio", clips, seconds=2, rate=rate, size="1280x720")
    source = probe_file(path)
    rungs = plan_ladder(source)

    encoded = encode_video(path, tmp_path, source=source, rungs=rungs)

    expected = [
        expected_codec(*rung_size(source, rung), float(Fraction(rate)), rung.bitrate_bps) for rung in rungs
    ]
    # The tests' preset makes Main of High, at the same level.
    found = [codec_string(*rendition.inits).replace("4d40", "6400") for rendition in encoded]
    assert found == expected


def test_still_scene_across_a_chunk_boundary_is_kept(clips: Path, tmp_path: Path) -> None:
    """There is no new frame between 3.5 s and 8 s: the second chunk must begin with the old frame."""
    path = clips / "still.mp4"
    select = "select='lt(t\\,3.5)+gte(t\\,8)'"
    subprocess.run(
        [ffmpeg_path(), "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=10:duration=14",
         "-vf", select, "-fps_mode", "vfr", "-c:v", "libx264", "-g", "20", "-pix_fmt", "yuv420p", str(path)],
        check=True,
    )  # fmt: skip

    (rendition,) = encode_video(path, tmp_path, rungs=RUNGS[:1], chunks=THREE_CHUNKS)

    joined = rendition.joined(tmp_path / "joined.mp4")
    before, within, after = (thumbnail(joined, at_s=at_s, side=64) for at_s in (3.7, 5.0, 9.0))
    assert difference(before, within) < 1
    assert difference(before, after) > 1


def test_decode_times_of_all_chunks_lie_on_one_timeline(clips: Path, tmp_path: Path) -> None:
    """Players read tfdt, the decode time of a fragment (14496-12, 8.8.12): it must lie on the grid."""
    path = make_clip("b_frames", clips, seconds=18, rate="25")

    (rendition,) = encode_video(path, tmp_path, rungs=RUNGS[:1], chunks=THREE_CHUNKS)

    starts = [_decode_time(segment.path.read_bytes()) for segment in rendition.segments]
    assert starts == [Fraction(number * 4) for number in range(5)]


def _decode_time(segment: bytes, timescale: int = 12_800) -> Fraction:
    at = segment.index(b"tfdt") + 4
    length = 8 if segment[at] == 1 else 4
    return Fraction(int.from_bytes(segment[at + 4 : at + 4 + length]), timescale)


@pytest.mark.parametrize(
    ("kind", "size"),
    [("portrait", "180x320"), ("anamorphic", "426x180"), ("hdr", "320x180"), ("interlaced", "320x180")],
)
def test_frames_are_encoded_upright_in_square_pixels_and_yuv420p(
    clips: Path, tmp_path: Path, kind: str, size: str
) -> None:
    path = make_clip(kind, clips, rate="50" if kind == "interlaced" else "25")

    (rendition,) = encode_video(path, tmp_path)

    joined = rendition.joined(tmp_path / "joined.mp4")
    assert _shape(joined) == f"{size},1:1,yuv420p"
    assert difference(thumbnail(path), thumbnail(joined)) < (80 if kind == "hdr" else 10)


def _shape(path: Path) -> str:
    entries = "stream=width,height,sample_aspect_ratio,pix_fmt"
    argv = [ffprobe_path(), "-v", "error", "-of", "csv=p=0", "-show_entries", entries, f"file:{path}"]
    width, height, ratio, pix_fmt = subprocess.check_output(argv, text=True).strip().split(",")[:4]
    return f"{width}x{height},{ratio},{pix_fmt}"


@pytest.mark.parametrize("kind", ["ts", "avi", "webm", "gif", "fragmented", "no_audio"])
def test_encode_of_every_container_keeps_its_duration(clips: Path, tmp_path: Path, kind: str) -> None:
    path = make_clip(kind, clips, seconds=6)

    (rendition,) = encode_video(path, tmp_path)

    assert rendition.duration_s == pytest.approx(6, abs=0.1)


def _levels(rendition: EncodedRendition, path: Path) -> list[int]:
    """Return the loudest sample of each tenth of a second, decoded as by a player."""
    argv = [ffmpeg_path(), "-v", "error", "-i", str(rendition.joined(path)), "-ac", "1", "-f", "s16le", "-"]
    samples = memoryview(subprocess.check_output(argv)).cast("h")
    return [max(map(abs, samples[at : at + 4800])) for at in range(0, len(samples) - 4800, 4800)]


def test_audio_is_complete_and_has_no_silence_between_segments(clips: Path, tmp_path: Path) -> None:
    path = make_clip("b_frames", clips, seconds=18)

    rendition = encode_audio(path, tmp_path)

    assert [segment.number for segment in rendition.segments] == [0, 1, 2, 3, 4]
    assert rendition.duration_s == pytest.approx(18, abs=0.1)
    levels = _levels(rendition, tmp_path / "joined.mp4")
    assert min(levels[1:-2]) > 0.9 * max(levels[1:-2])
    assert codec_string(*rendition.inits) == "mp4a.40.2"


def test_audio_with_a_late_start_keeps_its_start(clips: Path, tmp_path: Path) -> None:
    rendition = encode_audio(make_clip("late_audio", clips), tmp_path)

    levels = _levels(rendition, tmp_path / "joined.mp4")
    first_loud = next(number for number, level in enumerate(levels) if level > 1000)
    assert first_loud / 10 == pytest.approx(0.8, abs=0.15)


def test_video_with_a_change_of_frame_size_keeps_first_size_and_timing(clips: Path, tmp_path: Path) -> None:
    (rendition,) = encode_video(make_clip("changing", clips, seconds=6), tmp_path)

    joined = rendition.joined(tmp_path / "joined.mp4")
    assert picture_times(joined) == [Fraction(number, 25) for number in range(150)]
    assert _shape(joined) == "320x180,1:1,yuv420p"
    # The square of the second half has bars beside it and keeps its proportions.
    row = thumbnail(joined, at_s=4)[8 * 16 : 9 * 16]
    assert max(row[:3] + row[13:]) < 20 < min(row[4:12])


def test_audio_with_a_change_of_channels_keeps_its_timing(clips: Path, tmp_path: Path) -> None:
    rendition = encode_audio(make_clip("changing", clips, seconds=6), tmp_path)

    levels = _levels(rendition, tmp_path / "joined.mp4")
    assert len(levels) == pytest.approx(60, abs=1)
    assert min(levels[1:-2]) > 1000


@pytest.mark.parametrize(("kind", "size"), [("portrait", "180x320"), ("audio_with_cover", "320x180")])
def test_poster_is_a_small_upright_jpeg(clips: Path, tmp_path: Path, kind: str, size: str) -> None:
    path = make_clip(kind, clips)
    argv = poster_args(probe_file(path), str(path), tmp_path / "poster.jpg")

    assert argv
    poster = run_poster(argv, tmp_path / "poster.jpg")

    assert poster
    assert poster.read_bytes()[:2] == b"\xff\xd8"
    assert _shape(poster).startswith(size)


def test_poster_skips_a_black_beginning(clips: Path, tmp_path: Path) -> None:
    path = clips / "fade.mp4"
    graph = "testsrc2=size=1920x1080:rate=10:duration=10,fade=in:d=2"
    argv = [ffmpeg_path(), "-v", "error", "-y", "-f", "lavfi", "-i", graph, "-preset", "ultrafast", str(path)]
    subprocess.run(argv, check=True)
    argv = poster_args(probe_file(path), str(path), tmp_path / "poster.jpg") or []

    poster = run_poster(argv, tmp_path / "poster.jpg")

    assert poster
    assert _shape(poster).startswith("1280x720")
    assert max(thumbnail(poster)) > 100
