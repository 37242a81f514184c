"""Real encodes: seams, keyframes, sound, and an FFmpeg that leaves when told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from videos.tests.clips import make_clip
from videos.tests.encoding import (
    Rendition,
    difference,
    encode_audio,
    encode_video,
    keyframe_times,
    picture_times,
    probe_file,
    thumbnail,
)
from videos.transcoding import errors
from videos.transcoding.chunks import ChunkPlan
from videos.transcoding.codecs import codec_string
from videos.transcoding.ffmpeg import audio_args, encode_args, output_directories, poster_args
from videos.transcoding.ladder import Rung, plan_ladder
from videos.transcoding.run import FinishedSegment, run_encode, run_poster
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

pytestmark = pytest.mark.ffmpeg

RUNGS = [Rung(180, 300_000), Rung(90, 100_000)]
THREE_CHUNKS = [ChunkPlan(0, 0, 1, 0.0, 4.0), ChunkPlan(1, 1, 2, 4.0, 8.0), ChunkPlan(2, 3, None, 12.0, 6.0)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def running(folder: Path) -> list[Path]:
    """Return the live processes that write below ``folder``, as their folders in /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(entry)
    return found


# --- Seams ---------------------------------------------------------------------


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
def test_chunks_encoded_apart_fit_without_a_seam(clips: Path, tmp_path: Path, kind: str, rate: str) -> None:
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


def test_a_still_scene_across_a_seam_stays_what_it_was(clips: Path, tmp_path: Path) -> None:
    """Nothing new between 3.5 s and 8 s: the second chunk must begin with the old picture."""
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


def test_every_chunk_tells_the_time_of_the_whole_video(clips: Path, tmp_path: Path) -> None:
    """A player reads tfdt, the decode time of a fragment (14496-12, 8.8.12): it must lie on the grid."""
    path = make_clip("b_frames", clips, seconds=18, rate="25")

    (rendition,) = encode_video(path, tmp_path, rungs=RUNGS[:1], chunks=THREE_CHUNKS)

    starts = [_decode_time(segment.path.read_bytes()) for segment in rendition.segments]
    assert starts == [Fraction(number * 4) for number in range(5)]


def _decode_time(segment: bytes, timescale: int = 12_800) -> Fraction:
    at = segment.index(b"tfdt") + 4
    length = 8 if segment[at] == 1 else 4
    return Fraction(int.from_bytes(segment[at + 4 : at + 4 + length]), timescale)


# --- Shapes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "size"),
    [("portrait", "180x320"), ("anamorphic", "426x180"), ("hdr", "320x180"), ("interlaced", "320x180")],
)
def test_pictures_come_out_upright_in_square_pixels_and_plain_colours(
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
def test_every_container_comes_out_as_long_as_it_is(clips: Path, tmp_path: Path, kind: str) -> None:
    path = make_clip(kind, clips, seconds=6)

    (rendition,) = encode_video(path, tmp_path)

    assert rendition.duration_s == pytest.approx(6, abs=0.1)


# --- Sound -----------------------------------------------------------------------


def _levels(rendition: Rendition, path: Path) -> list[int]:
    """Return the loudest sample of each tenth of a second, decoded as a player would."""
    argv = [ffmpeg_path(), "-v", "error", "-i", str(rendition.joined(path)), "-ac", "1", "-f", "s16le", "-"]
    samples = memoryview(subprocess.check_output(argv)).cast("h")
    return [max(map(abs, samples[at : at + 4800])) for at in range(0, len(samples) - 4800, 4800)]


def test_sound_is_whole_and_never_silent_between_segments(clips: Path, tmp_path: Path) -> None:
    path = make_clip("b_frames", clips, seconds=18)

    rendition = encode_audio(path, tmp_path)

    assert [segment.number for segment in rendition.segments] == [0, 1, 2, 3, 4]
    assert rendition.duration_s == pytest.approx(18, abs=0.1)
    levels = _levels(rendition, tmp_path / "joined.mp4")
    assert min(levels[1:-2]) > 0.9 * max(levels[1:-2])
    assert codec_string(*rendition.inits) == "mp4a.40.2"


def test_sound_that_starts_late_starts_late(clips: Path, tmp_path: Path) -> None:
    rendition = encode_audio(make_clip("late_audio", clips), tmp_path)

    levels = _levels(rendition, tmp_path / "joined.mp4")
    first_loud = next(number for number, level in enumerate(levels) if level > 1000)
    assert first_loud / 10 == pytest.approx(0.8, abs=0.15)


# --- Sources that change on the way -----------------------------------------------


def test_a_picture_that_changes_its_size_keeps_its_size_and_time(clips: Path, tmp_path: Path) -> None:
    (rendition,) = encode_video(make_clip("changing", clips, seconds=6), tmp_path)

    joined = rendition.joined(tmp_path / "joined.mp4")
    assert picture_times(joined) == [Fraction(number, 25) for number in range(150)]
    assert _shape(joined) == "320x180,1:1,yuv420p"
    assert difference(thumbnail(joined, at_s=1), thumbnail(joined, at_s=4)) < 40


def test_sound_that_changes_its_channels_goes_on_in_time(clips: Path, tmp_path: Path) -> None:
    rendition = encode_audio(make_clip("changing", clips, seconds=6), tmp_path)

    levels = _levels(rendition, tmp_path / "joined.mp4")
    assert len(levels) == pytest.approx(60, abs=1)
    assert min(levels[1:-2]) > 1000


# --- Posters ----------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "size"), [("portrait", "180x320"), ("audio_with_cover", "320x180")])
def test_a_poster_is_a_small_upright_jpeg(clips: Path, tmp_path: Path, kind: str, size: str) -> None:
    path = make_clip(kind, clips)
    argv = poster_args(probe_file(path), str(path), tmp_path / "poster.jpg")

    assert argv
    poster = run_poster(argv, tmp_path / "poster.jpg")

    assert poster
    assert poster.read_bytes()[:2] == b"\xff\xd8"
    assert _shape(poster).startswith(size)


def test_a_poster_is_not_the_black_beginning(clips: Path, tmp_path: Path) -> None:
    path = clips / "fade.mp4"
    graph = "testsrc2=size=1920x1080:rate=10:duration=10,fade=in:d=2"
    argv = [ffmpeg_path(), "-v", "error", "-y", "-f", "lavfi", "-i", graph, "-preset", "ultrafast", str(path)]
    subprocess.run(argv, check=True)
    argv = poster_args(probe_file(path), str(path), tmp_path / "poster.jpg") or []

    poster = run_poster(argv, tmp_path / "poster.jpg")

    assert poster
    assert _shape(poster).startswith("1280x720")
    assert max(thumbnail(poster)) > 100


# --- Running ------------------------------------------------------------------------


def _encode(path: Path, work: Path, *, seconds: float = 60) -> tuple[list[str], tuple[Path, ...]]:
    argv = encode_args(
        probe_file(path), str(path), RUNGS[:1], ChunkPlan(0, 0, None, 0.0, seconds), work, preset="ultrafast"
    )
    return argv, output_directories(work, 1)


def _waiting(work: Path) -> list[str]:
    """Return a command that never ends and says nothing."""
    (work / "nothing").touch()
    return ["tail", "-f", str(work / "nothing")]


def test_segments_come_while_ffmpeg_is_still_running(clips: Path, tmp_path: Path) -> None:
    argv, outputs = _encode(make_clip("b_frames", clips, seconds=60, size="640x360"), tmp_path)
    argv = ["nice", "-n", "5", *argv]
    was_running: list[bool] = []
    progress: list[float] = []

    for segment in run_encode(argv, tmp_path, outputs=outputs, on_progress=progress.append):
        was_running.append(bool(running(tmp_path)))
        segment.path.unlink()

    assert len(was_running) == 15
    assert was_running[0]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(60, abs=1)
    assert running(tmp_path) == []


def test_a_consumer_that_leaves_takes_ffmpeg_along(clips: Path, tmp_path: Path) -> None:
    argv, outputs = _encode(make_clip("b_frames", clips, seconds=60, size="640x360"), tmp_path)

    encode = run_encode(argv, tmp_path, outputs=outputs)
    next(encode)
    encode.close()

    assert running(tmp_path) == []


def test_raising_in_on_progress_ends_ffmpeg(clips: Path, tmp_path: Path) -> None:
    argv, outputs = _encode(make_clip("b_frames", clips, seconds=60, size="640x360"), tmp_path)

    def lose_lease(encoded_s: float) -> None:
        raise LookupError("someone else has it")

    with pytest.raises(LookupError):
        list(run_encode(argv, tmp_path, outputs=outputs, on_progress=lose_lease))
    assert running(tmp_path) == []


def test_a_slow_consumer_bounds_what_lies_on_the_disk(clips: Path, tmp_path: Path) -> None:
    argv, outputs = _encode(make_clip("b_frames", clips, seconds=60, size="640x360"), tmp_path)
    argv = ["nice", "-n", "19", *argv]
    encode = run_encode(argv, tmp_path, outputs=outputs, disk_bytes=0)

    next(encode)
    seen: list[tuple[str, int]] = []
    while not (_is_paused(tmp_path) and seen == _on_disk(outputs[0])):
        seen = _on_disk(outputs[0])
        time.sleep(0.5)
    segments = [name for name, _ in seen if name.endswith(".m4s")]
    rest = list(encode)

    # The one we hold, one that waits, and the newest, which is never waited for.
    assert segments == ["0.m4s", "1.m4s", "2.m4s"]
    assert len(rest) == 14


def _is_paused(folder: Path) -> bool:
    """Say whether the FFmpeg that works in ``folder`` has been stopped (state T in proc(5))."""
    states = [(entry / "stat").read_text().rpartition(")")[2].split()[0] for entry in running(folder)]
    assert states, "FFmpeg has ended without being paused"
    return "T" in states


def _on_disk(folder: Path) -> list[tuple[str, int]]:
    return sorted((path.name, path.stat().st_size) for path in folder.iterdir())


def test_ffmpeg_that_stands_still_is_ended(tmp_path: Path) -> None:
    with pytest.raises(errors.EncodeFailed, match="no progress for 0 s"):
        list(run_encode(_waiting(tmp_path), tmp_path, outputs=[tmp_path / "0"], stall_s=0.4))
    assert running(tmp_path) == []


def test_ffmpeg_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(errors.EncodeFailed, match="not finished"):
        list(run_encode(_waiting(tmp_path), tmp_path, outputs=[tmp_path / "0"], timeout_s=0.4))
    assert running(tmp_path) == []


def test_a_failure_carries_exit_code_and_last_words_without_urls(tmp_path: Path) -> None:
    script = "echo 'https://s3/key?X-Amz-Signature=f00: went wrong' >&2; exit 7"

    with pytest.raises(errors.FFmpegFailed) as failure:
        list(run_encode(["sh", "-c", script], tmp_path, outputs=[tmp_path / "0"]))

    assert failure.value.exit_code == 7
    assert failure.value.stderr_tail == "<source> went wrong"
    assert failure.value.retryable


def test_a_source_of_which_most_is_damaged_is_not_tried_again(clips: Path, tmp_path: Path) -> None:
    """Its beginning decodes, so looking at it found nothing."""
    data = bytearray(make_clip("no_audio", clips, seconds=6).read_bytes())
    start, end = data.find(b"mdat") + 4, data.find(b"moov") - 4
    data[start + (end - start) // 10 : end] = b"\xff" * (end - start - (end - start) // 10)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)

    with pytest.raises(errors.DecodeFailed, match="most of it") as failure:
        encode_video(path, tmp_path, chunks=[ChunkPlan(0, 0, None, 0.0, 6.0)])

    assert not failure.value.retryable


def test_much_complaining_neither_blocks_nor_fills_memory(tmp_path: Path) -> None:
    script = "yes 'a long complaint about something' | head -c 3000000 >&2; exit 1"

    with pytest.raises(errors.FFmpegFailed) as failure:
        list(run_encode(["sh", "-c", script], tmp_path, outputs=[tmp_path / "0"]))

    assert len(failure.value.stderr_tail.splitlines()) == 12


def test_nothing_encoded_is_a_decode_failure_unless_allowed(tmp_path: Path) -> None:
    with pytest.raises(errors.DecodeFailed):
        list(run_encode(["true"], tmp_path, outputs=[tmp_path / "0"]))

    assert list(run_encode(["true"], tmp_path, outputs=[tmp_path / "0"], allow_empty=True)) == []


def test_a_chunk_behind_the_end_of_the_source_is_empty_not_an_error(clips: Path, tmp_path: Path) -> None:
    path = make_clip("b_frames", clips, seconds=18)
    argv = encode_args(
        probe_file(path),
        str(path),
        RUNGS[:1],
        ChunkPlan(5, 16, None, 64.0, 10.0),
        tmp_path,
        preset="ultrafast",
    )

    segments = list(run_encode(argv, tmp_path, outputs=output_directories(tmp_path, 1), allow_empty=True))

    assert segments == []


@pytest.mark.slow
def test_ffmpeg_dies_with_its_worker(clips: Path, tmp_path: Path) -> None:
    path = make_clip("b_frames", clips, seconds=60, size="640x360")
    argv, _ = _encode(path, tmp_path)
    argv.insert(argv.index("-f"), "-re")
    worker = (
        "import sys, pathlib\nfrom videos.transcoding.run import run_encode\n"
        "work = pathlib.Path(sys.argv[1])\n"
        "for segment in run_encode(sys.argv[2:], work, outputs=[work / '0']): print('segment', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", worker, str(tmp_path), *argv], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while len(running(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)

    process.kill()
    process.communicate()

    while running(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running(tmp_path) == []


def test_init_segments_name_their_codec(clips: Path, tmp_path: Path) -> None:
    path = make_clip("landscape", clips)
    source = probe_file(path)

    (rendition,) = encode_video(path, tmp_path, source=source, rungs=plan_ladder(source))

    assert codec_string(*rendition.inits).startswith("avc1.")
    with pytest.raises(errors.EncodeFailed):
        codec_string(b"not an init segment")


def test_sound_and_picture_of_a_source_can_be_encoded_by_two_processes_at_once(
    clips: Path, tmp_path: Path
) -> None:
    path = make_clip("two_audio", clips)
    source = probe_file(path)
    second = audio_args(source, str(path), source.audio[1], tmp_path / "second")
    segments: list[FinishedSegment] = []

    for segment in run_encode(second, tmp_path, outputs=output_directories(tmp_path / "second", 1)):
        segments += [segment, *encode_audio(path, tmp_path, source=source).segments]

    assert Counter(segment.number for segment in segments) == {0: 2}
