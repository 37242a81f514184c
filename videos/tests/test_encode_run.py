"""A running FFmpeg: its segments, its end, and the causes of its failures."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from common.media.boxes import write_box
from common.tests.servers import POLL_S
from videos.tests.clips import make_clip
from videos.tests.encoding import (
    encode_audio,
    encode_video,
    probe_file,
)
from videos.transcoding import errors
from videos.transcoding.chunks import ChunkPlan
from videos.transcoding.codecs import codec_string
from videos.transcoding.ffmpeg import audio_args, encode_args, output_directories, poster_args
from videos.transcoding.ladder import Rung, plan_ladder
from videos.transcoding.run import INIT_SEGMENT, FinishedSegment, run_encode, run_poster

pytestmark = pytest.mark.ffmpeg

RUNGS = [Rung(180, 300_000), Rung(90, 100_000)]


def running(folder: Path) -> list[Path]:
    """Return the /proc folders of live processes with ``folder`` in their command."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(entry)
    return found


def _encode(path: Path, work: Path, *, seconds: float = 60) -> tuple[list[str], tuple[Path, ...]]:
    argv = encode_args(
        probe_file(path), str(path), RUNGS[:1], ChunkPlan(0, 0, None, 0.0, seconds), work, preset="ultrafast"
    )
    return argv, output_directories(work, 1)


def _waiting(work: Path) -> list[str]:
    """Return a command that never ends and prints nothing."""
    (work / "nothing").touch()
    return ["tail", "-f", str(work / "nothing")]


def test_segments_are_yielded_while_ffmpeg_is_running(clips: Path, tmp_path: Path) -> None:
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


def test_closing_the_generator_kills_ffmpeg(clips: Path, tmp_path: Path) -> None:
    argv, outputs = _encode(make_clip("b_frames", clips, seconds=60, size="640x360"), tmp_path)

    encode = run_encode(argv, tmp_path, outputs=outputs)
    next(encode)
    encode.close()

    assert running(tmp_path) == []


def test_exception_in_on_progress_kills_ffmpeg(clips: Path, tmp_path: Path) -> None:
    argv, outputs = _encode(make_clip("b_frames", clips, seconds=60, size="640x360"), tmp_path)

    def lose_lease(encoded_s: float) -> None:
        raise LookupError("someone else has it")

    with pytest.raises(LookupError):
        list(run_encode(argv, tmp_path, outputs=outputs, on_progress=lose_lease))
    assert running(tmp_path) == []


def test_ffmpeg_pauses_for_a_slow_consumer(clips: Path, tmp_path: Path) -> None:
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

    # The one held here, one waiting, and the newest, which does not count.
    assert segments == ["0.m4s", "1.m4s", "2.m4s"]
    assert len(rest) == 14


def _is_paused(folder: Path) -> bool:
    """Return whether the FFmpeg that works in ``folder`` has been stopped (state T in proc(5))."""
    states = [(entry / "stat").read_text().rpartition(")")[2].split()[0] for entry in running(folder)]
    assert states, "FFmpeg has ended without being paused"
    return "T" in states


def _on_disk(folder: Path) -> list[tuple[str, int]]:
    return sorted((path.name, path.stat().st_size) for path in folder.iterdir())


def test_stalled_ffmpeg_is_killed(tmp_path: Path) -> None:
    with pytest.raises(errors.EncodeFailed, match="no progress for 0 s"):
        list(run_encode(_waiting(tmp_path), tmp_path, outputs=[tmp_path / "0"], stall_s=0.4))
    assert running(tmp_path) == []


def test_ffmpeg_over_its_time_limit_is_killed(tmp_path: Path) -> None:
    with pytest.raises(errors.EncodeFailed, match="not finished"):
        list(run_encode(_waiting(tmp_path), tmp_path, outputs=[tmp_path / "0"], timeout_s=0.4))
    assert running(tmp_path) == []


def test_failure_has_exit_code_and_stderr_without_urls(tmp_path: Path) -> None:
    script = "echo 'https://s3/key?X-Amz-Signature=f00: went wrong' >&2; exit 7"

    with pytest.raises(errors.FFmpegFailed) as failure:
        list(run_encode(["sh", "-c", script], tmp_path, outputs=[tmp_path / "0"]))

    assert failure.value.exit_code == 7
    assert failure.value.stderr_tail == "<source> went wrong"
    assert failure.value.retryable


def test_ffmpeg_that_cannot_be_started_is_no_failure_of_the_media(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-ffmpeg cannot be started"):
        list(run_encode(["no-such-ffmpeg"], tmp_path, outputs=[tmp_path / "0"]))


def test_mostly_damaged_source_is_not_retried(clips: Path, tmp_path: Path) -> None:
    """The beginning decodes, so the probe would accept this source."""
    data = bytearray(make_clip("no_audio", clips, seconds=6).read_bytes())
    start, end = data.find(b"mdat") + 4, data.find(b"moov") - 4
    data[start + (end - start) // 10 : end] = b"\xff" * (end - start - (end - start) // 10)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)

    with pytest.raises(errors.DecodeFailed, match="most of it") as failure:
        encode_video(path, tmp_path, chunks=[ChunkPlan(0, 0, None, 0.0, 6.0)])

    assert not failure.value.retryable


def test_long_stderr_neither_blocks_nor_fills_memory(tmp_path: Path) -> None:
    script = "import sys; sys.stderr.write('a long complaint about something\\n' * 100_000); sys.exit(1)"

    with pytest.raises(errors.FFmpegFailed) as failure:
        list(run_encode([sys.executable, "-c", script], tmp_path, outputs=[tmp_path / "0"]))

    assert len(failure.value.stderr_tail.splitlines()) == 12


def test_empty_encode_is_a_decode_failure_unless_allowed(tmp_path: Path) -> None:
    with pytest.raises(errors.DecodeFailed):
        list(run_encode(["true"], tmp_path, outputs=[tmp_path / "0"]))

    assert list(run_encode(["true"], tmp_path, outputs=[tmp_path / "0"], allow_empty=True)) == []


def test_chunk_past_the_end_of_the_source_is_empty(clips: Path, tmp_path: Path) -> None:
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
    assert len(running(tmp_path)) >= 2, "FFmpeg did not start"

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


def test_two_tracks_of_a_source_can_be_encoded_at_once(clips: Path, tmp_path: Path) -> None:
    path = make_clip("two_audio", clips)
    source = probe_file(path)
    second = audio_args(source, str(path), source.audio[1], tmp_path / "second")
    segments: list[FinishedSegment] = []

    for segment in run_encode(second, tmp_path, outputs=output_directories(tmp_path / "second", 1)):
        segments += [segment, *encode_audio(path, tmp_path, source=source).segments]

    assert Counter(segment.number for segment in segments) == {0: 2}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 1 MiB; skip the test if mounting is not permitted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    "complaint", ["No space left on device", "Disk quota exceeded", "Read-only file system"]
)
def test_write_error_of_ffmpeg_is_host_trouble(complaint: str, tmp_path: Path) -> None:
    script = f"echo 'av_interleaved_write_frame(): {complaint}' >&2; exit 228"

    with pytest.raises(errors.HostTrouble):
        list(run_encode(["sh", "-c", script], tmp_path, outputs=[tmp_path / "0"]))


def test_video_encode_on_a_full_disk_is_host_trouble(clips: Path, small_disk: Path) -> None:
    path = make_clip("landscape", clips, seconds=30, size="640x360")
    source = probe_file(path)
    (rungs, chunk) = (plan_ladder(source)[:1], ChunkPlan(1, 1, 5, 4.0, 20.0))
    argv = encode_args(source, str(path), rungs, chunk, small_disk, preset="ultrafast")

    assert source.video is not None
    with pytest.raises(errors.HostTrouble):
        list(
            run_encode(
                argv,
                small_disk,
                outputs=output_directories(small_disk, 1),
                frame_rate=source.video.frame_rate,
                planned_s=20.0,
            )
        )


def test_audio_encode_on_a_full_disk_is_host_trouble(clips: Path, small_disk: Path) -> None:
    path = make_clip("landscape", clips, seconds=90)
    source = probe_file(path)
    (small_disk / "filler").write_bytes(bytes(600_000))
    argv = audio_args(source, str(path), source.audio[0], small_disk)

    with pytest.raises(errors.HostTrouble):
        list(run_encode(argv, small_disk, outputs=output_directories(small_disk, 1), planned_s=90.0))


def test_poster_on_a_full_disk_is_host_trouble(clips: Path, small_disk: Path) -> None:
    source = probe_file(path := make_clip("landscape", clips, seconds=3))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1024**2 - 8192))
    poster = small_disk / "poster.jpg"
    argv = poster_args(source, str(path), poster)
    assert argv

    with pytest.raises(errors.HostTrouble):
        run_poster(argv, poster)


def stub(folder: Path, *, segments: list[tuple[bytes, float]], frames: int) -> list[str]:
    """Write these segments and return a program that reports ``frames`` encoded frames."""
    output = folder / "0"
    output.mkdir(parents=True)
    (output / INIT_SEGMENT).write_bytes(write_box(b"ftyp") + write_box(b"moov"))
    lines = []
    for number, (data, duration_s) in enumerate(segments):
        (output / f"{number}.m4s").write_bytes(data)
        lines += [f"#EXTINF:{duration_s},", f"{number}.m4s"]
    (output / "index.m3u8").write_text("\n".join([*lines, ""]))
    return ["printf", "frame=%s\\nout_time_us=1\\nprogress=end\\n", str(frames)]


MOOF = write_box(b"moof", b"payload")
WHOLE = MOOF + write_box(b"mdat", b"payload")


@pytest.mark.parametrize(
    ("segments", "frames"),
    [
        ([(WHOLE, 4.0)], 200),
        ([], 100),
        ([(WHOLE[:-1], 4.0)], 100),
        ([(MOOF, 4.0)], 100),
        ([(b"", 4.0)], 100),
    ],
    ids=["segment missing", "nothing written", "segment cut", "frames cut off", "segment empty"],
)
def test_segments_shorter_than_the_encoders_count_are_host_trouble(
    segments: list[tuple[bytes, float]], frames: int, tmp_path: Path
) -> None:
    argv = stub(tmp_path, segments=segments, frames=frames)
    running = run_encode(argv, tmp_path, outputs=[tmp_path / "0"], frame_rate=Fraction(25), allow_empty=True)

    with pytest.raises(errors.HostTrouble):
        list(running)


def test_segments_as_long_as_the_encoders_count_are_taken(tmp_path: Path) -> None:
    argv = stub(tmp_path, segments=[(WHOLE, 4.0), (WHOLE, 4.0)], frames=200)

    taken = list(run_encode(argv, tmp_path, outputs=[tmp_path / "0"], frame_rate=Fraction(25)))

    assert [segment.number for segment in taken] == [0, 1]


class Halved(http.server.BaseHTTPRequestHandler):
    """A server of ranges of a file that closes every connection at the middle of the file."""

    protocol_version = "HTTP/1.1"
    data = b""

    def do_GET(self) -> None:
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        half = len(self.data) // 2
        if first >= half:
            self.close_connection = True
            return
        self.send_response(206)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(self.data) - first))
        self.send_header("Content-Range", f"bytes {first}-{len(self.data) - 1}/{len(self.data)}")
        self.end_headers()
        self.wfile.write(self.data[first:half])
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """Log nothing."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["picture", "sound"])
def test_source_cut_off_in_the_middle_is_a_storage_failure(kind: str, clips: Path, tmp_path: Path) -> None:
    path = make_clip("landscape", clips, seconds=30, size="640x360")
    source = probe_file(path)
    Halved.data = path.read_bytes()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Halved) as server:
        threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/source"
        outputs = output_directories(tmp_path, 1)
        if kind == "picture":
            assert source.video is not None
            rungs, chunk = plan_ladder(source)[-1:], ChunkPlan(0, 0, None, 0.0, 30.0)
            argv = encode_args(source, url, rungs, chunk, tmp_path, preset="ultrafast")
            rate: Fraction | None = source.video.frame_rate
        else:
            argv, rate = audio_args(source, url, source.audio[0], tmp_path), None

        with pytest.raises(errors.StorageFailed):
            list(run_encode(argv, tmp_path, outputs=outputs, frame_rate=rate, planned_s=30.0))
        server.shutdown()
