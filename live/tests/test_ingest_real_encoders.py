"""Tests of publishing to the RTMP server with FFmpeg and GStreamer."""

import asyncio
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings

from live.ingest.server import RtmpServer
from live.management.commands.publish_test import ffmpeg_args
from live.rtmp import avc, flv
from live.tests.doorkeeping import SOON_S, Doorkeeper
from live.tests.ingesting import tags_in
from live.tests.rtmp_client import RtmpEncoder
from videoplatform.embedded.failure import CannotStart
from videoplatform.testing.gstreamer import ensure_gstreamer
from videos.transcoding.tools import ffmpeg_path


async def run(*argv: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(2 * SOON_S):
            _, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, stderr.decode()


def muxed(argv: list[str]) -> list[tuple[str, int]]:
    """Return kind and time of the media that FFmpeg muxes from the same arguments, without RTMP."""
    made = subprocess.run([*argv[:-1], "-"], check=True, capture_output=True, timeout=SOON_S).stdout
    return [(tag.kind, tag.timestamp_ms) for tag in tags_in(made)]


@pytest.mark.ffmpeg
async def test_ffmpeg_publishes_all_muxed_tags(server: RtmpServer, door: Doorkeeper) -> None:
    argv = ffmpeg_args(f"rtmp://127.0.0.1:{server.port}/live/good", size="320x180", rate=30, seconds=3)

    code, stderr = await run(*argv)

    recorder = door.recorder
    assert (code, stderr) == (0, "")
    assert await recorder.ending() is True
    assert [(tag.kind, tag.timestamp_ms) for tag in recorder.tags] == muxed(argv)
    keyframes = [tag.timestamp_ms for tag in recorder.of("video") if tag.header.is_keyframe]
    assert len(keyframes) == 3
    assert [later - former for former, later in pairwise(keyframes)] == [1000, 1000]
    config = avc.avc_config(recorder.of("video")[0].payload)
    assert (config.width_px, config.height_px) == (320, 180)
    assert flv.aac_config(recorder.of("audio")[0].payload).sample_rate_hz == 48_000


@pytest.mark.ffmpeg
async def test_ffmpeg_shows_the_reason_of_a_refused_key(server: RtmpServer, door: Doorkeeper) -> None:
    argv = ffmpeg_args(f"rtmp://127.0.0.1:{server.port}/live/wrong", size="320x180", rate=30, seconds=3)

    code, stderr = await run(*argv)

    assert code != 0
    assert "Server error: This stream key is invalid." in stderr
    assert door.recorders == []


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("codec", "sentence"),
    [
        (("-c:v", "libx265", "-x265-params", "log-level=none"), "Your encoder sends video in HEVC."),
        (("-c:a", "libmp3lame"), "Your encoder sends audio in MP3. Use AAC."),
    ],
    ids=["HEVC", "MP3"],
)
async def test_ffmpeg_shows_the_reason_of_a_refused_codec(
    server: RtmpServer, codec: tuple[str, ...], sentence: str
) -> None:
    *argv, url = ffmpeg_args(f"rtmp://127.0.0.1:{server.port}/live/good", size="320x180", rate=30, seconds=5)

    code, stderr = await run(*argv, *codec, url)

    assert code != 0
    assert f"Server error: {sentence}" in stderr


@pytest.mark.ffmpeg
async def test_ffmpeg_cannot_play_a_published_stream(server: RtmpServer) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")

        code, stderr = await run(
            ffmpeg_path(), "-v", "error", "-i", f"rtmp://127.0.0.1:{server.port}/live/good", "-f", "null", "-"
        )

    assert code != 0
    assert "Playback over RTMP is not supported" in stderr


@pytest.fixture(scope="module")
def gstreamer() -> None:
    """Require GStreamer with its plugins; skip the test without them."""
    try:
        ensure_gstreamer(Path(settings.DATA_DIR) / "logs" / "apt.log", print)
    except CannotStart as failure:
        pytest.skip(str(failure))


@pytest.mark.usefixtures("gstreamer")
@pytest.mark.ffmpeg
@pytest.mark.parametrize("sink", ["rtmp2sink", "rtmpsink"])
async def test_gstreamer_publishes(server: RtmpServer, door: Doorkeeper, sink: str) -> None:
    session = f"""
        videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,height=180,framerate=30/1
        ! x264enc tune=zerolatency key-int-max=30 ! flvmux name=mux streamable=true
        ! {sink} location=rtmp://127.0.0.1:{server.port}/live/good
        audiotestsrc num-buffers=90 ! audio/x-raw,rate=44100,channels=2 ! avenc_aac ! mux.
    """

    code, stderr = await run("gst-launch-1.0", "-q", *session.split())

    recorder = door.recorder
    assert (code, stderr) == (0, "")
    assert await recorder.ending() is True
    pictures = [tag for tag in recorder.of("video") if tag.payload[1] == 1]
    assert len(pictures) == 60
    assert sum(tag.header.is_keyframe for tag in pictures) == 2
    assert avc.avc_config(recorder.of("video")[0].payload).width_px == 320
    assert len(recorder.of("audio")) > 80
