from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from common.media.fragments import FragmentReader, Movie, Sample
from live.frame_rates import usual_rate
from live.ingest import encoder as encoder_module
from live.ingest.encoder import Encoder, EncoderGone, encoder_args
from live.ingest.encoder_run import bandwidth_bps
from live.ingest.frames import read_frame
from live.ingest.keyframe_repeater import KeyframeRepeater
from live.ingest.source import (
    EncodePlan,
    Output,
    Source,
    part_target_s,
    plan_outputs,
    segment_duration_s,
    target_duration_s,
)
from live.llhls.segments import Packager, Part, SegmentEnd, Shape
from live.rtmp import flv
from live.tests.ingesting import tags_in
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


def sizes(plan: EncodePlan) -> list[tuple[str, int, int]]:
    return [(output.name, output.width_px, output.height_px) for output in plan.outputs]


def test_source_with_regular_keyframes_is_copied_and_lower_rungs_encoded() -> None:
    plan = plan_outputs(SOURCE, [720, 480, 360])

    assert plan == EncodePlan(
        (
            Output("r0", 1280, 720, 2_400_000, is_copied=True),
            Output("r1", 854, 480, 1_200_000, is_copied=False),
            Output("r2", 640, 360, 730_000, is_copied=False),
        ),
        forced_gop_s=None,
        matrix="bt709",
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"keyframe_interval_s": 5.1}, id="long GOPs"),
        pytest.param({"keyframe_interval_s": None}, id="one keyframe"),
        pytest.param({"codecs": "avc1.7a001f,mp4a.40.2"}, id="profile of no browser"),
        pytest.param({"has_open_gops": True}, id="open GOPs"),
        pytest.param({"may_be_interlaced": True}, id="fields"),
        pytest.param({"has_square_pixels": False}, id="anamorphic"),
    ],
)
def test_source_that_viewers_cannot_join_or_show_is_reencoded(change: dict[str, object]) -> None:
    plan = plan_outputs(replace(SOURCE, **change), [360])  # type: ignore[arg-type]

    assert (plan.is_copied, plan.forced_gop_s) == (False, 1.0)
    assert sizes(plan) == [("r0", 1280, 720), ("r1", 640, 360)]


def test_source_with_keyframes_five_seconds_apart_is_copied() -> None:
    source = replace(SOURCE, keyframe_interval_s=5.0)

    plan = plan_outputs(source, [360])

    assert (plan.is_copied, plan.forced_gop_s) == (True, None)
    assert target_duration_s(plan, source) == 5


def test_rungs_above_the_source_bitrate_are_left_out() -> None:
    lean = replace(SOURCE, video_bitrate_bps=900_000)

    assert sizes(plan_outputs(lean, [480, 360])) == [("r0", 1280, 720), ("r1", 640, 360)]


def test_source_that_begins_with_a_still_picture_keeps_its_rungs_and_ranks_above_them() -> None:
    still = replace(SOURCE, video_bitrate_bps=107_000)

    plan = plan_outputs(still, [480, 360])

    assert sizes(plan) == [("r0", 1280, 720), ("r1", 854, 480), ("r2", 640, 360)]
    assert plan.outputs[0].bitrate_bps > plan.outputs[1].bitrate_bps


def test_portrait_source_keeps_its_shape() -> None:
    plan = plan_outputs(replace(SOURCE, width_px=720, height_px=1280), [480, 360])

    assert sizes(plan) == [("r0", 720, 1280), ("r1", 480, 854), ("r2", 360, 640)]


def test_wide_source_stays_within_the_longest_side() -> None:
    plan = plan_outputs(replace(SOURCE, width_px=5120, height_px=1080, has_square_pixels=False), [540])

    assert sizes(plan) == [("r0", 4096, 864), ("r1", 2560, 540)]


def test_small_source_is_never_enlarged() -> None:
    plan = plan_outputs(replace(SOURCE, width_px=320, height_px=180), [480, 360])

    assert sizes(plan) == [("r0", 320, 180)]


def test_source_too_large_to_encode_is_scaled_down() -> None:
    large = replace(SOURCE, width_px=3840, height_px=2160, keyframe_interval_s=None)

    assert sizes(plan_outputs(large, [360])) == [("r0", 1920, 1080), ("r1", 640, 360)]


@pytest.mark.parametrize(
    ("count", "short_sides"), [(1, [720]), (2, [720, 480]), (3, [720, 480, 360]), (4, [720, 480, 360, 360])]
)
def test_continued_broadcast_keeps_its_number_of_renditions(count: int, short_sides: list[int]) -> None:
    plan = plan_outputs(SOURCE, [480, 360], count=count)

    assert [output.short_side for output in plan.outputs] == short_sides
    assert [output.name for output in plan.outputs] == [f"r{position}" for position in range(count)]


@pytest.mark.parametrize(
    ("measured", "declared", "meant"),
    [(30.02, 0, 30.0), (29.96, 29.97, 29.97), (59.9, 0, 60000 / 1001), (24.97, 30, 25.0), (17.3, 0, 17.3)],
)
def test_frame_rate_is_rounded_to_a_usual_one(measured: float, declared: float, meant: float) -> None:
    assert usual_rate(measured, declared) == pytest.approx(meant, rel=1e-4)


@pytest.mark.parametrize(
    ("rate", "target_s"), [(30, 0.202), (25, 0.202), (60, 0.202), (24, 0.169), (4, 0.252)]
)
def test_part_target_holds_whole_frames(rate: float, target_s: float) -> None:
    assert part_target_s(rate) == target_s


@pytest.mark.parametrize(
    ("gop_s", "target_s"), [(0.5, 1), (0.8, 2), (1.0, 1), (1.5, 2), (2.5, 3), (5.0, 5), (10.0, 1), (None, 1)]
)
def test_target_duration_follows_the_keyframe_interval(gop_s: float | None, target_s: int) -> None:
    source = replace(SOURCE, keyframe_interval_s=gop_s)

    assert target_duration_s(plan_outputs(source, []), source) == target_s


def test_command_line_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "ffmpeg_path", lambda: "ffmpeg")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    argv = encoder_args(plan_outputs(SOURCE, [360]), [5, 7], preset="veryfast")

    fragments = (
        "-map_metadata -1 -write_prft pts -bsf:v setts=pts=PTS:dts=DTS:duration=1 "
        "-max_interleave_delta 500000 -avoid_negative_ts disabled -use_editlist 0 -f mp4 "
        "-movflags frag_keyframe+empty_moov+default_base_moof+frag_discont "
        "-frag_duration 20000 -flush_packets 1"
    )
    assert " ".join(argv) == (
        "ffmpeg -hide_banner -nostdin -v error -nostats "
        "-protocol_whitelist pipe -format_whitelist flv -codec_whitelist h264,aac "
        "-flags low_delay -fpsprobesize 0 -analyzeduration 200000 -probesize 100000 -copyts -f flv -i pipe:0 "
        f"-map 0:v:0 -map 0:a:0 -c:a copy -c:v copy {fragments} pipe:5 "
        "-map 0:v:0 -map 0:a:0 -c:a copy -vf scale=640:360:flags=bicubic"
        ":in_color_matrix=bt709:out_color_matrix=bt709:out_range=tv,setsar=1,format=yuv420p,"
        "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709 "
        "-c:v libx264 -preset veryfast -threads 2 -tune zerolatency -bf 0 "
        "-crf 23 -maxrate 730000 -bufsize 365000 -sc_threshold 0 -g 100000 -force_key_frames source "
        f"-fps_mode passthrough -enc_time_base demux {fragments} pipe:7"
    )


def test_encoded_source_gets_forced_keyframes() -> None:
    argv = encoder_args(plan_outputs(SOURCE, [360], must_encode=True), [5, 7], preset="veryfast")

    assert argv.count("expr:gte(t,n_forced*1)") == 2
    assert "source" not in argv


def test_fields_are_joined_before_scaling() -> None:
    fields = replace(SOURCE, may_be_interlaced=True)

    argv = encoder_args(plan_outputs(fields, [360]), [5, 7], preset="veryfast")

    filters = [value for name, value in pairwise(argv) if name == "-vf"]
    assert [chain.partition(",")[0] for chain in filters] == ["bwdif=mode=send_frame:deint=interlaced"] * 2


def make_flv(path: Path, *options: str, seconds: float = 3) -> bytes:
    """Return an FLV as an encoder sends it: 30 frames a second, audio, a keyframe a second."""
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


def frames_of(path: Path) -> list[tuple[float, bool]]:
    """Return time (s) and kind of each video frame, as the packager reads them; true is a keyframe."""
    read = [*FragmentReader().feed(path.read_bytes())]
    video = next(track for movie in read if isinstance(movie, Movie) for track in movie.tracks)
    return [
        (round((sample.decode_time + sample.composition_offset) / video.timescale, 3), sample.is_sync)
        for sample in read
        if isinstance(sample, Sample) and sample.track == video.number
    ]


def keyframe_times(path: Path) -> list[float]:
    return [at_s for at_s, is_keyframe in frames_of(path) if is_keyframe]


async def encode(plan: EncodePlan, data: bytes, folder: Path) -> list[Path]:
    """Pipe ``data`` through one FFmpeg; return a file for each output."""
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
    """Write more data than any pipe holds."""
    for _ in range(50):
        await encoder.write(data)


@pytest.mark.ffmpeg
async def test_encoded_renditions_share_the_keyframes_of_the_copied_one(tmp_path: Path) -> None:
    data = make_flv(tmp_path / "source.flv")

    copied, encoded = await encode(plan_outputs(SOURCE, [360]), data, tmp_path)

    assert keyframe_times(copied) == keyframe_times(encoded)
    assert len(keyframe_times(copied)) == 3


def middle(path: Path, *options: str) -> tuple[int, int, int]:
    """Return red, green and blue in the middle of the first frame, converted with ``options`` of scale."""
    raw = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-i", str(path), "-frames:v", "1",
         "-vf", ":".join(["scale=32:32", *options]) + ",format=rgb24,crop=2:2", "-f", "rawvideo", "-"],
        check=True, capture_output=True, timeout=30,
    ).stdout  # fmt: skip
    return raw[0], raw[1], raw[2]


def colour_tags(path: Path) -> str:
    return subprocess.run(
        [ffprobe_path(), "-v", "error", "-show_entries", "stream=color_space,color_range", "-select_streams",
         "v", "-of", "csv=p=0", str(path)],
        check=True, capture_output=True, text=True, timeout=30,
    ).stdout.strip()  # fmt: skip


@pytest.mark.ffmpeg
@pytest.mark.parametrize(("size", "matrix"), [("1280x720", "bt709"), ("640x480", "smpte170m")])
async def test_untagged_source_keeps_the_colours_that_browsers_assume(
    tmp_path: Path, size: str, matrix: str
) -> None:
    data = make_flv(
        tmp_path / "source.flv", "-vf", f"drawbox=c=0x20c040:t=fill,scale={size.replace('x', ':')}", seconds=1
    )
    width_px, height_px = map(int, size.split("x"))
    source = replace(SOURCE, width_px=width_px, height_px=height_px)

    copied, encoded = await encode(plan_outputs(source, [360]), data, tmp_path)

    assumed = middle(copied, f"in_color_matrix={matrix}")
    assert middle(encoded, "in_color_matrix=bt709") == pytest.approx(assumed, abs=4)
    assert colour_tags(encoded) == "tv,bt709"


@pytest.mark.ffmpeg
@pytest.mark.parametrize("gop", [30, 60])
async def test_no_segment_of_a_rung_exceeds_its_declared_bandwidth(tmp_path: Path, gop: int) -> None:
    # The worst case for a rate control: a still scene, then noise that does not compress.
    noise = "noise=alls=80:allf=t:enable='gte(t,2)'"
    data = make_flv(tmp_path / "source.flv", "-vf", noise, "-g", str(gop), seconds=6)
    source = replace(SOURCE, width_px=640, height_px=480, keyframe_interval_s=gop / 30)
    plan = plan_outputs(source, [360, 240])

    renditions = await encode(plan, data, tmp_path)

    segment_s = segment_duration_s(plan, source)
    for output, path in [*zip(plan.outputs, renditions, strict=True)][1:]:
        packager = Packager(Shape(0.202, target_duration_s(plan, source)), first_msn=0)
        segments: list[list[int]] = [[]]
        for made in [*packager.feed(path.read_bytes()), *packager.finish()]:
            if isinstance(made, Part):
                segments[-1].append(len(made.data))
            elif isinstance(made, SegmentEnd):
                assert made.duration_s == pytest.approx(segment_s, abs=0.01)
                segments.append([])
        peak_bps = max(sum(sizes) * 8 / segment_s for sizes in segments)
        assert 0.7 < peak_bps / bandwidth_bps(output, source, segment_s) < 1


@pytest.mark.ffmpeg
async def test_source_with_one_keyframe_gets_one_a_second(tmp_path: Path) -> None:
    data = make_flv(tmp_path / "source.flv", "-g", "300")

    best, below = await encode(plan_outputs(SOURCE, [360], must_encode=True), data, tmp_path)

    assert keyframe_times(best) == keyframe_times(below)
    assert len(keyframe_times(best)) == 3


@pytest.mark.ffmpeg
@pytest.mark.parametrize("declared_rate", ["", "30", "10", "0.5"])
async def test_every_frame_keeps_its_time_around_pauses(tmp_path: Path, declared_rate: str) -> None:
    # A header may declare any rate: h264_metadata counts fields.
    rate = f"h264_metadata=tick_rate={2 * Fraction(declared_rate)}" if declared_rate else "null"
    tags = tags_in(make_flv(tmp_path / "source.flv", "-flvflags", "no_metadata", "-bsf:v", rate, seconds=6))
    held = KeyframeRepeater()
    sent = [
        frame
        for tag in tags
        if tag.kind == "audio" or (not 1000 < tag.timestamp_ms < 3000 and not 4000 < tag.timestamp_ms < 5000)
        for came in [read_frame(tag, tag.timestamp_ms / 1000)]
        for frame in ([came] if came.is_header else held.around(came))
    ]
    data = flv.file_header()
    for frame in sent:
        data += flv.tag(frame.kind, frame.timestamp_ms, frame.payload)  # type: ignore[arg-type]

    renditions = await encode(plan_outputs(SOURCE, [360]), data, tmp_path)

    wanted = [frame.timestamp_ms / 1000 for frame in sent if frame.is_picture]
    assert max(after - before for before, after in pairwise(wanted)) > 0.15
    for path in renditions:
        assert [at_s for at_s, _is_keyframe in frames_of(path)] == pytest.approx(wanted, abs=0.0011)


@pytest.mark.ffmpeg
async def test_killed_ffmpeg_raises_encoder_gone(tmp_path: Path) -> None:
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
async def test_ffmpeg_that_does_not_read_raises_encoder_gone(
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
async def test_ffmpeg_complaints_are_kept() -> None:
    encoder = await Encoder.start(plan_outputs(SOURCE, []), preset="ultrafast")
    reading = [asyncio.create_task(output.read()) for output in encoder.outputs]

    await encoder.write(b"this is no FLV at all" * 1000)
    encoder.end_input()
    await asyncio.gather(*reading)
    await encoder.close()

    assert "could not find codec parameters" in encoder.complaints
