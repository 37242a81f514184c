from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from live.ingest import encoder as encoder_module
from live.ingest.encoder import Encoder, EncoderGone, encoder_args
from live.ingest.source import (
    Output,
    Plan,
    Source,
    part_target_s,
    plan_outputs,
    target_duration_s,
    usual_rate,
)
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

SOURCE = Source(
    codecs="avc1.64001f,mp4a.40.2",
    width_px=1280,
    height_px=720,
    frame_rate=30.0,
    keyframe_interval_s=1.0,
    has_b_frames=False,
    has_audio=True,
    video_bitrate_bps=2_400_000,
    audio_bitrate_bps=96_000,
)


def sizes(plan: Plan) -> list[tuple[str, int, int]]:
    return [(output.name, output.width_px, output.height_px) for output in plan.outputs]


# --- What is made -----------------------------------------------------------------


def test_a_source_with_sane_keyframes_is_copied_and_encoded_below() -> None:
    plan = plan_outputs(SOURCE, [720, 480, 360])

    assert plan == Plan(
        (
            Output("r0", 1280, 720, 2_400_000, is_copied=True),
            Output("r1", 854, 480, 1_200_000, is_copied=False),
            Output("r2", 640, 360, 730_000, is_copied=False),
        ),
        has_audio=True,
        forced_gop_s=None,
    )


@pytest.mark.parametrize(
    "change",
    [{"keyframe_interval_s": 4.0}, {"keyframe_interval_s": None}, {"codecs": "avc1.7a001f,mp4a.40.2"}],
)
def test_what_viewers_could_not_follow_or_decode_is_encoded(change: dict[str, object]) -> None:
    plan = plan_outputs(replace(SOURCE, **change), [360])  # type: ignore[arg-type]

    assert (plan.is_copied, plan.forced_gop_s) == (False, 1.0)
    assert sizes(plan) == [("r0", 1280, 720), ("r1", 640, 360)]


def test_a_portrait_source_keeps_its_shape() -> None:
    plan = plan_outputs(replace(SOURCE, width_px=720, height_px=1280), [480, 360])

    assert sizes(plan) == [("r0", 720, 1280), ("r1", 480, 854), ("r2", 360, 640)]


def test_a_small_source_is_never_enlarged() -> None:
    plan = plan_outputs(replace(SOURCE, width_px=320, height_px=180), [480, 360])

    assert sizes(plan) == [("r0", 320, 180)]


def test_a_source_too_large_to_encode_is_made_smaller() -> None:
    large = replace(SOURCE, width_px=3840, height_px=2160, keyframe_interval_s=None)

    assert sizes(plan_outputs(large, [360])) == [("r0", 1920, 1080), ("r1", 640, 360)]


@pytest.mark.parametrize(
    ("count", "short_sides"), [(1, [720]), (2, [720, 480]), (3, [720, 480, 360]), (4, [720, 480, 360, 360])]
)
def test_a_broadcast_that_goes_on_keeps_its_number_of_renditions(count: int, short_sides: list[int]) -> None:
    plan = plan_outputs(SOURCE, [480, 360], count=count)

    assert [output.short_side for output in plan.outputs] == short_sides
    assert [output.name for output in plan.outputs] == [f"r{position}" for position in range(count)]


@pytest.mark.parametrize(
    ("measured", "announced", "meant"),
    [(30.02, 0, 30.0), (29.96, 29.97, 29.97), (59.9, 0, 60000 / 1001), (24.97, 30, 25.0), (17.3, 0, 17.3)],
)
def test_the_frame_rate_that_is_meant(measured: float, announced: float, meant: float) -> None:
    assert usual_rate(measured, announced) == pytest.approx(meant, rel=1e-4)


@pytest.mark.parametrize(
    ("rate", "target_s"), [(30, 0.202), (25, 0.202), (60, 0.202), (24, 0.169), (4, 0.252)]
)
def test_a_part_holds_whole_pictures(rate: float, target_s: float) -> None:
    assert part_target_s(rate) == target_s


@pytest.mark.parametrize(
    ("gop_s", "target_s"), [(0.5, 1), (0.8, 2), (1.0, 1), (1.5, 2), (2.5, 3), (10.0, 1), (None, 1)]
)
def test_the_target_duration_follows_the_keyframes(gop_s: float | None, target_s: int) -> None:
    source = replace(SOURCE, keyframe_interval_s=gop_s)

    assert target_duration_s(plan_outputs(source, []), source) == target_s


# --- The command --------------------------------------------------------------------


def test_the_whole_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "ffmpeg_path", lambda: "ffmpeg")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    argv = encoder_args(plan_outputs(SOURCE, [360]), [5, 7], preset="veryfast")

    fragments = (
        "-map_metadata -1 -max_interleave_delta 500000 -f mp4 "
        "-movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 20000 -flush_packets 1"
    )
    assert " ".join(argv) == (
        "ffmpeg -hide_banner -nostdin -v error -nostats "
        "-protocol_whitelist pipe -format_whitelist flv -codec_whitelist h264,aac "
        "-flags low_delay -fpsprobesize 0 -analyzeduration 200000 -probesize 100000 -f flv -i pipe:0 "
        f"-map 0:v:0 -map 0:a:0 -c:a copy -c:v copy {fragments} pipe:5 "
        "-map 0:v:0 -map 0:a:0 -c:a copy -vf scale=640:360:flags=bicubic,setsar=1,format=yuv420p "
        "-c:v libx264 -preset veryfast -threads 2 -tune zerolatency -bf 0 "
        "-crf 23 -maxrate 730000 -bufsize 730000 -sc_threshold 0 -g 100000 -force_key_frames source "
        f"-fps_mode passthrough -enc_time_base demux {fragments} pipe:7"
    )


def test_without_sound_none_is_mapped() -> None:
    argv = encoder_args(plan_outputs(replace(SOURCE, has_audio=False), [360]), [5, 7], preset="veryfast")

    assert "0:a:0" not in argv


def test_an_encoded_best_rendition_has_keyframes_of_our_own() -> None:
    argv = encoder_args(plan_outputs(SOURCE, [360], must_encode=True), [5, 7], preset="veryfast")

    assert argv.count("expr:gte(t,n_forced*1)") == 2
    assert "source" not in argv


# --- The process --------------------------------------------------------------------


def make_flv(path: Path, *options: str, seconds: float = 3) -> bytes:
    """An FLV as an encoder sends it: 30 pictures a second, sound, a keyframe a second."""
    subprocess.run(
        [
            ffmpeg_path(), "-v", "error", "-nostdin", "-y",
            "-f", "lavfi", "-i", f"testsrc2=s=640x480:r=30:d={seconds}",
            "-f", "lavfi", "-i", f"sine=440:sample_rate=48000:duration={seconds}",
            "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
            "-g", "30", "-c:a", "aac", *options, "-f", "flv", str(path),
        ],
        check=True,
        timeout=60,
    )  # fmt: skip
    return path.read_bytes()


def keyframe_times(path: Path) -> list[float]:
    shown = subprocess.run(
        [ffprobe_path(), "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,flags",
         "-of", "csv=p=0", str(path)],
        check=True, capture_output=True, text=True, timeout=30,
    ).stdout  # fmt: skip
    packets = [line.split(",") for line in shown.split()]
    return [round(float(time), 3) for time, flags in packets if "K" in flags]


async def encode(plan: Plan, data: bytes, folder: Path) -> list[Path]:
    """Send everything through one FFmpeg; return a file for each output."""
    encoder = await Encoder.start(plan, preset="ultrafast")
    reading = [asyncio.create_task(output.read()) for output in encoder.outputs]
    for start in range(0, len(data), 65_536):
        await encoder.write(data[start : start + 65_536])
    encoder.end_input()
    paths = []
    for number, task in enumerate(reading):
        path = folder / f"{number}.mp4"
        path.write_bytes(await task)
        paths.append(path)
    await encoder.close()
    return paths


async def flood(encoder: Encoder, data: bytes) -> None:
    """Send more than any pipe holds."""
    for _ in range(50):
        await encoder.write(data)


@pytest.mark.ffmpeg
async def test_encoded_renditions_have_the_keyframes_of_the_copied_one(tmp_path: Path) -> None:
    data = make_flv(tmp_path / "source.flv")

    copied, encoded = await encode(plan_outputs(SOURCE, [360]), data, tmp_path)

    assert keyframe_times(copied) == keyframe_times(encoded)
    assert len(keyframe_times(copied)) == 3


@pytest.mark.ffmpeg
async def test_a_source_with_one_keyframe_gets_one_each_second(tmp_path: Path) -> None:
    data = make_flv(tmp_path / "source.flv", "-g", "300")

    best, below = await encode(plan_outputs(SOURCE, [360], must_encode=True), data, tmp_path)

    assert keyframe_times(best) == keyframe_times(below)
    assert len(keyframe_times(best)) == 3


@pytest.mark.ffmpeg
async def test_an_ffmpeg_that_was_killed_is_found_out(tmp_path: Path) -> None:
    data = make_flv(tmp_path / "source.flv")
    encoder = await Encoder.start(plan_outputs(SOURCE, [360]), preset="ultrafast")
    reading = [asyncio.create_task(output.read()) for output in encoder.outputs]
    await encoder.write(data[:50_000])

    os.kill(encoder.pid, signal.SIGKILL)
    await asyncio.gather(*reading)

    with pytest.raises(EncoderGone):
        await flood(encoder, data)
    await encoder.close()


@pytest.mark.ffmpeg
async def test_an_ffmpeg_that_does_not_read_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_module, "_STUCK_S", 0.2)
    data = make_flv(tmp_path / "source.flv")
    encoder = await Encoder.start(plan_outputs(SOURCE, [360]), preset="ultrafast")
    os.kill(encoder.pid, signal.SIGSTOP)

    with pytest.raises(EncoderGone):
        await flood(encoder, data)

    await encoder.close()


@pytest.mark.ffmpeg
async def test_what_ffmpeg_complains_of_is_kept() -> None:
    encoder = await Encoder.start(plan_outputs(SOURCE, []), preset="ultrafast")
    reading = [asyncio.create_task(output.read()) for output in encoder.outputs]

    await encoder.write(b"this is no FLV at all" * 1000)
    encoder.end_input()
    await asyncio.gather(*reading)
    await encoder.close()

    assert "could not find codec parameters" in encoder.complaints
