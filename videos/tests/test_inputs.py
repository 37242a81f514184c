"""Real-life sources: missing, wrong or unusual headers."""

from __future__ import annotations

import math
import struct
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from videos.tests.encoding import (
    difference,
    encode_audio,
    encode_video,
    picture_times,
    probe_file,
    thumbnail,
)
from videos.transcoding.framerate import choose_frame_rate
from videos.transcoding.ladder import Rung, plan_ladder, rung_size
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

pytestmark = [pytest.mark.ffmpeg, pytest.mark.slow]

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
BARS = (
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255),
    (255, 0, 255), (255, 255, 255), (128, 128, 128), (0, 0, 0), (200, 100, 50),
)  # fmt: skip


def ffmpeg(*arguments: str | Path) -> bytes:
    argv = [ffmpeg_path(), "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    return subprocess.run(argv, check=True, timeout=120, capture_output=True).stdout


def ffprobe_of(path: Path, entries: str) -> list[str]:
    argv = [ffprobe_path(), "-v", "error", "-select_streams", "v", "-show_entries", entries, "-of", "csv=p=0"]
    shown = subprocess.run([*argv, str(path)], check=True, timeout=60, capture_output=True, text=True).stdout
    return shown.strip().split(",")


def picture(seconds: float, size: str = "320x180", rate: int = 25) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc=s={size}:r={rate}:d={seconds}")


def tone(seconds: float) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=440:d={seconds}:r=48000")


def levels(path: Path, *, step_s: float = 0.01) -> list[float]:
    """Return the loudest sample of each step of a track, decoded with the encoder's delay kept."""
    data = ffmpeg("-flags2", "skip_manual", "-i", path, "-f", "s16le", "-ac", "1", "-ar", "48000", "-")
    samples = struct.unpack(f"<{len(data) // 2}h", data[: len(data) // 2 * 2])
    step = int(48_000 * step_s)
    return [max(map(abs, samples[at : at + step]), default=0) for at in range(0, len(samples), step)]


def colours(path: Path, count: int) -> list[tuple[int, ...]]:
    """Return the colour in the middle of each of ``count`` upright bars, read as BT.709."""
    raw = ffmpeg(
        "-i", path, "-frames:v", "1", "-vf",
        f"scale={count}:1:in_color_matrix=bt709:in_range=tv:out_range=pc"
        ":flags=neighbor+accurate_rnd+full_chroma_int,format=rgb24",
        "-f", "rawvideo", "-",
    )  # fmt: skip
    return [tuple(raw[3 * at : 3 * at + 3]) for at in range(count)]


def first_frame(path: Path) -> bytes:
    """Return the grey values of a video's first frame, row by row."""
    return ffmpeg("-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-")


def frames_in_grey(path: Path) -> list[bytes]:
    """Return all frames of a video as 32 × 18 grey values."""
    raw = ffmpeg("-i", path, "-vf", "scale=32:18:flags=area,format=gray", "-f", "rawvideo", "-")
    return [raw[at : at + 32 * 18] for at in range(0, len(raw), 32 * 18)]


def worst(found: list[tuple[int, ...]], wanted: tuple[tuple[int, ...], ...]) -> int:
    return max(
        abs(a - b) for one, other in zip(found, wanted, strict=True) for a, b in zip(one, other, strict=True)
    )


def bars(path: Path, size: tuple[int, int], *options: str) -> Path:
    """Encode upright bars of pure colours with FFmpeg's ``options``."""
    width, height = size
    row = b"".join(bytes(BARS[x * len(BARS) // width]) for x in range(width))
    raw = path.with_suffix(".rgb")
    raw.write_bytes(row * height)
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25",
        "-stream_loop", "24", "-i", raw, *options, path,
    )  # fmt: skip
    return path


def test_track_that_ends_early_is_filled_with_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg(*picture(70), *tone(5), *X264, "-crf", "40", "-c:a", "aac", path)

    (video,), audio = encode_video(path, tmp_path), encode_audio(path, tmp_path)

    assert (round(video.duration_s, 3), round(audio.duration_s, 1)) == (70.0, 70.0)
    loudness = levels(audio.joined(tmp_path / "audio.mp4"), step_s=1)
    assert min(loudness[1:4]) > 1000
    assert max(loudness[6:]) < 10


def test_last_frame_is_held_until_the_audio_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg(*picture(6), *tone(75), *X264, "-c:a", "aac", path)

    (video,), audio = encode_video(path, tmp_path), encode_audio(path, tmp_path)

    assert (round(video.duration_s, 3), round(audio.duration_s, 1)) == (75.0, 75.0)
    joined = video.joined(tmp_path / "joined.mp4")
    assert picture_times(joined) == [Fraction(number, 25) for number in range(75 * 25)]
    end = thumbnail(joined, at_s=5.97)
    assert difference(end, thumbnail(joined, at_s=30)) < 2
    assert difference(end, thumbnail(joined, at_s=74.9)) < 2


@pytest.mark.parametrize(("frames_s", "audio_s"), [(0.04, 20.0), (0.12, 0.12)])
def test_video_of_few_frames_lasts_as_long_as_its_audio(
    tmp_path: Path, frames_s: float, audio_s: float
) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg(*picture(frames_s), *tone(audio_s), *X264, "-c:a", "aac", path)

    (video,), audio = encode_video(path, tmp_path), encode_audio(path, tmp_path)

    assert video.duration_s == pytest.approx(audio_s, abs=0.001)
    assert audio.duration_s == pytest.approx(audio_s, abs=0.03)


def test_source_without_a_keyframe_index_is_encoded_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    gop = ("-g", "250", "-keyint_min", "250", "-sc_threshold", "0")
    ffmpeg(*picture(20), *X264, *gop, path)
    assert probe_file(path).is_seekable
    path.write_bytes(path.read_bytes().replace(b"stss", b"free"))

    assert not probe_file(path).is_seekable
    (video,) = encode_video(path, tmp_path)
    assert len(picture_times(video.joined(tmp_path / "joined.mp4"))) == 500


def test_every_frame_of_a_source_with_periodic_intra_refresh_is_encoded(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    zoom = ("-f", "lavfi", "-i", "mandelbrot=s=640x360:r=30:end_pts=900", "-t", "9")
    refresh = "intra-refresh=1:keyint=75:min-keyint=75:bframes=0:scenecut=0"
    ffmpeg(*zoom, *X264, "-preset", "veryfast", "-x264-params", refresh, path)
    assert probe_file(path).copied is None

    (video,) = encode_video(path, tmp_path)

    wanted, made = frames_in_grey(path), frames_in_grey(video.joined(tmp_path / "joined.mp4"))
    assert len(made) == 270
    assert max(map(difference, wanted, made)) < 8


def test_screen_recording_gets_the_rate_of_its_busiest_stretch() -> None:
    still = [number / 10 for number in range(6400)]
    lively = [640 + number / 30 for number in range(1800)]
    rate = choose_frame_rate(still[:6000], busiest_s=lively[:300], claimed=[Fraction(12)])
    assert rate == 30


def test_screen_recording_that_becomes_lively_late_has_its_lively_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    times = "settb=1/30,setpts='if(lt(N,6400),N*3,19200+(N-6400))'"
    still = ("-f", "lavfi", "-i", "testsrc=s=160x90:r=30", "-frames:v", "8200", "-vf", times)
    ffmpeg(*still, "-fps_mode", "passthrough", "-enc_time_base", "1/30", *X264, path)

    source = probe_file(path)

    assert source.video is not None
    assert source.video.frame_rate == 30
    assert source.duration_s == pytest.approx(700, abs=1)


def test_constant_rate_is_kept_with_a_busiest_stretch() -> None:
    times = [number / 25 for number in range(6000)]
    assert choose_frame_rate(times, busiest_s=times[300:600]) == 25


def test_circle_stays_round_in_frames_cropped_by_the_container(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    circle = "geq=lum='if(lt(hypot(X-320,Y-240),100),16,235)':cb=128:cr=128"
    ffmpeg("-f", "lavfi", "-i", f"color=white:s=640x480:r=25:d=0.2,{circle}", *X264, path)
    path.write_bytes(with_pixel_crop(path.read_bytes(), rows=60))

    source = probe_file(path)
    assert source.video is not None
    assert (source.video.width_px, source.video.height_px) == (640, 360)
    assert rung_size(source, plan_ladder(source)[-1]) == (640, 360)
    (video,) = encode_video(path, tmp_path, rungs=[Rung(360, 2_000_000)])
    grey = first_frame(video.joined(tmp_path / "joined.mp4"))
    dark = [(at % 640, at // 640) for at, level in enumerate(grey) if level < 100]
    extents = [max(places) - min(places) for places in zip(*dark, strict=True)]
    assert extents == pytest.approx([199, 199], abs=3)


def test_frames_of_another_orientation_are_fitted_with_bars(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    for name, size in (("a", "640x360"), ("b", "360x640")):
        ffmpeg(
            *picture(2, size, 30),
            "-c:v",
            "libvpx",
            "-deadline",
            "realtime",
            "-b:v",
            "1M",
            tmp_path / f"{name}.ivf",
        )
    (tmp_path / "turn.ivf").write_bytes(joined_ivf(tmp_path / "a.ivf", tmp_path / "b.ivf"))
    ffmpeg("-i", tmp_path / "turn.ivf", "-c", "copy", path)

    (video,) = encode_video(path, tmp_path)

    joined = video.joined(tmp_path / "joined.mp4")
    assert len(picture_times(joined)) == 120
    row = thumbnail(joined, at_s=3)[8 * 16 : 9 * 16]
    # 360 rows of an upright 9:16 frame are 202 columns of 640.
    assert max(row[:5] + row[11:]) < 20 < max(row[6:10])


def test_audio_of_another_programme_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    ffmpeg(
        *picture(3), *picture(3, "160x90"), *tone(3),
        "-map", "0", "-map", "1", "-map", "2", *X264, "-c:a", "aac",
        "-program", "program_num=1:st=0", "-program", "program_num=2:st=1:st=2", path,
    )  # fmt: skip

    source = probe_file(path)
    assert source.video is not None
    assert (source.video.width_px, source.audio) == (320, ())
    assert [(left.code, left.count) for left in source.left_out] == [("programmes", 2)]


def test_appended_sessions_of_an_flv_are_played_in_sequence(tmp_path: Path) -> None:
    one, two, path = tmp_path / "1.flv", tmp_path / "2.flv", tmp_path / "a.flv"
    ffmpeg(*picture(4), *tone(4), *X264, "-c:a", "aac", one)
    ffmpeg(*picture(3), *tone(3), *X264, "-bf", "0", "-c:a", "aac", two)
    header = 13  # bytes of an FLV's header and of the size field before its first tag
    path.write_bytes(one.read_bytes() + two.read_bytes()[header:] + one.read_bytes()[header:])

    (video,), audio = encode_video(path, tmp_path), encode_audio(path, tmp_path)

    assert video.duration_s == pytest.approx(11, abs=0.3)
    assert audio.duration_s == pytest.approx(video.duration_s, abs=0.1)
    assert len(picture_times(video.joined(tmp_path / "joined.mp4"))) == pytest.approx(275, abs=8)


def test_track_with_changing_stream_numbers_stays_one_track(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.mp4", tmp_path / "a.ts"
    ffmpeg(*picture(8), *tone(8), *X264, "-g", "25", "-c:a", "aac", whole)
    ffmpeg(
        "-t", "4", "-i", whole, "-c", "copy", "-streamid", "0:256", "-streamid", "1:257", tmp_path / "1.ts"
    )
    ffmpeg(
        "-ss", "4", "-i", whole, "-c", "copy", "-output_ts_offset", "4",
        "-streamid", "0:512", "-streamid", "1:513",
        "-tables_version", "1", "-mpegts_flags", "+initial_discontinuity", tmp_path / "2.ts",
    )  # fmt: skip
    path.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())

    source = probe_file(path)

    assert len(source.audio) == 1
    assert encode_video(path, tmp_path)[0].duration_s == pytest.approx(8, abs=0.2)
    assert encode_audio(path, tmp_path).duration_s == pytest.approx(8, abs=0.1)


def test_ambisonic_audio_is_not_silent(tmp_path: Path) -> None:
    path, raw = tmp_path / "a.mkv", tmp_path / "4.raw"
    wave = [int(8000 * math.sin(at / 10)) for at in range(48_000)]
    raw.write_bytes(b"".join(struct.pack("<4h", value, value, value, value) for value in wave) * 3)
    ffmpeg(
        *picture(3), "-f", "s16le", "-ar", "48000", "-ch_layout", "ambisonic 1", "-i", raw, "-map", "0:v",
        "-map", "1:a", *X264, "-c:a", "libopus", "-mapping_family", "2", path,
    )  # fmt: skip

    audio = encode_audio(path, tmp_path)
    assert min(levels(audio.joined(tmp_path / "audio.mp4"), step_s=0.5)[1:5]) > 1000


def as_matrix(matrix: str, pixels: str = "yuv420p", *, full: bool = False, tag: str = "") -> tuple[str, ...]:
    """Return FFmpeg's options for a video of this matrix, tagged or not."""
    convert = f"scale=out_color_matrix={matrix}:out_range={'pc' if full else 'tv'},format={pixels}"
    return ("-vf", f"{convert},setparams=colorspace={tag}" if tag else convert, "-crf", "10")


@pytest.mark.parametrize(
    ("size", "options"),
    [
        pytest.param((1920, 1080), ("-c:v", "libx264rgb", "-crf", "10"), id="rgb"),
        pytest.param((720, 576), as_matrix("bt601"), id="standard definition"),
        pytest.param((720, 576), as_matrix("bt601", "yuvj420p", full=True), id="full range"),
        pytest.param((1280, 720), as_matrix("bt2020", tag="bt2020nc"), id="bt2020"),
        pytest.param((1280, 720), as_matrix("bt709"), id="bt709"),
    ],
)
def test_colours_are_converted_to_bt709(
    tmp_path: Path, size: tuple[int, int], options: tuple[str, ...]
) -> None:
    path = bars(tmp_path / "bars.mp4", size, *options)

    (video,) = encode_video(path, tmp_path, rungs=[Rung(size[1], 8_000_000)])

    joined = video.joined(tmp_path / "joined.mp4")
    assert worst(colours(joined, len(BARS)), BARS) <= 4
    tags = ffprobe_of(joined, "stream=color_range,color_space,color_transfer,color_primaries")
    assert sorted(tags) == ["bt709", "bt709", "bt709", "tv"]


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_bars_become_sdr_bars_of_nearly_full_brightness(tmp_path: Path, transfer: str) -> None:
    path, raw, (width, height) = tmp_path / "a.mp4", tmp_path / "a.raw", (640, 360)
    # Light of the bars, whose white is the reference white of 203 cd/m²: planes of green, blue and red.
    for channel in (1, 2, 0):
        row = [(BARS[x * len(BARS) // width][channel] / 255) ** 2.4 for x in range(width)]
        with raw.open("ab") as planes:
            planes.write(struct.pack(f"<{width}f", *row) * height)
    to_hdr = f"zscale=tin=linear:pin=709:min=gbr:t={transfer}:p=2020:m=2020_ncl:npl=203:r=limited"
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "gbrpf32le", "-s", f"{width}x{height}", "-r", "25",
        "-stream_loop", "9", "-i", raw, "-vf", f"{to_hdr},format=yuv420p10le",
        "-c:v", "libx265", "-x265-params",
        f"log-level=none:crf=8:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc", path,
    )  # fmt: skip

    (video,) = encode_video(path, tmp_path)

    found = colours(video.joined(tmp_path / "joined.mp4"), len(BARS))
    # White becomes 235, which leaves room for highlights, and darker values stay.
    wanted = tuple(tuple(min(value, 235) for value in bar) for bar in BARS)
    pairs = [
        (one, other) for both in zip(found, wanted, strict=True) for one, other in zip(*both, strict=True)
    ]
    assert max(abs(one - other) for one, other in pairs if other) <= 8
    # A tenth of full value is less than a hundredth of the light: ten bits of HDR chroma hold no less.
    assert max(one for one, other in pairs if not other) <= 26


def test_fields_without_a_header_flag_become_frames_without_combs(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    # A bar that moves 12 columns with each field.
    bar = "geq=lum='if(between(mod(X-12*N,720),0,60),235,16)':cb=128:cr=128"
    fields = ("-f", "lavfi", "-i", f"color=black:s=720x576:r=50:d=1,format=yuv420p,{bar}")
    woven = ("-vf", "tinterlace=interleave_bottom,setfield=bff,format=yuv420p")
    ffmpeg(*fields, *woven, "-c:v", "dvvideo", path)
    source = probe_file(path)
    assert source.video is not None
    assert source.video.is_interlaced

    (video,) = encode_video(path, tmp_path, source=source, rungs=[Rung(576, 4_000_000)])

    assert combs(first_frame(path), 720) > 5
    assert combs(first_frame(video.joined(tmp_path / "joined.mp4")), 720) < 2


def combs(grey: bytes, width: int) -> float:
    """Return the greatest mean difference of two neighbouring rows, some rows off the edges."""
    rows = [grey[at : at + width] for at in range(0, len(grey), width)][20:-20]
    return max(difference(above, below) for above, below in pairwise(rows))


def test_audio_keeps_its_time_within_milliseconds(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    beep = "aevalsrc='if(between(t,1,1.1),0.8*sin(2*PI*1000*t),0)':s=48000:d=3"
    ffmpeg(*picture(3), "-f", "lavfi", "-i", beep, *X264, "-c:a", "pcm_s16le", path)

    audio = encode_audio(path, tmp_path).joined(tmp_path / "audio.mp4")

    heard = levels(audio, step_s=0.001)
    loud = next(at for at, level in enumerate(heard) if level > 8000)
    assert loud == pytest.approx(1000, abs=5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.y4m", ("-pix_fmt", "yuv420p")),
        ("a.ivf", ("-c:v", "libvpx", "-deadline", "realtime")),
        ("a.h264", X264),
        ("a.nut", (*X264,)),
        ("a.apng", ("-f", "apng", "-plays", "0")),
        ("a.dv", ("-s", "720x576", "-pix_fmt", "yuv420p", "-f", "dv")),
        ("v210.mov", ("-c:v", "v210", "-pix_fmt", "yuv422p10le")),
        ("jpeg2000.mov", ("-c:v", "jpeg2000")),
        ("magicyuv.avi", ("-c:v", "magicyuv")),
    ],
)  # fmt: skip
def test_formats_of_recorders_and_editors_are_encoded(
    tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    path = tmp_path / name
    ffmpeg(*picture(1), *options, path)

    (video,) = encode_video(path, tmp_path)

    times = picture_times(video.joined(tmp_path / "joined.mp4"))
    assert len(times) == pytest.approx(25, abs=1)
    assert {after - before for before, after in pairwise(times)} == {Fraction(1, 25)}


def test_program_stream_behind_a_recorders_header_is_encoded(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain.mpg", tmp_path / "a.mp4"
    ffmpeg(*picture(2), "-c:v", "mpeg2video", "-f", "mpeg", plain)
    path.write_bytes(b"IMKH" + bytes(36) + plain.read_bytes())
    assert encode_video(path, tmp_path)[0].duration_s == pytest.approx(2, abs=0.1)


def test_transport_stream_with_error_correction_is_encoded(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain.ts", tmp_path / "a.ts"
    ffmpeg(*picture(2), *tone(2), *X264, "-c:a", "aac", plain)
    packets = plain.read_bytes()
    # Each packet of 188 bytes has 16 of Reed-Solomon code behind it.
    path.write_bytes(b"".join(packets[at : at + 188] + bytes(16) for at in range(0, len(packets), 188)))

    source = probe_file(path)

    assert (source.container, len(source.audio)) == ("mpegts", 1)
    assert encode_video(path, tmp_path, source=source)[0].duration_s == pytest.approx(2, abs=0.1)


def joined_ivf(*paths: Path) -> bytes:
    """Return the frames of several IVF files under the first one's header, with running times."""
    files = [path.read_bytes() for path in paths]
    header = struct.unpack("<H", files[0][6:8])[0]
    joined, count = bytearray(files[0][:header]), 0
    for data in files:
        at = header
        while at < len(data):
            size = struct.unpack("<I", data[at : at + 4])[0]
            joined += struct.pack("<IQ", size, count) + data[at + 12 : at + 12 + size]
            at, count = at + 12 + size, count + 1
    struct.pack_into("<I", joined, 24, count)
    return bytes(joined)


def with_pixel_crop(data: bytes, *, rows: int) -> bytes:
    """Return the Matroska file with its video cropped by ``rows`` above and below."""
    file = bytearray(data)
    crop = (
        bytes.fromhex("54bb82") + struct.pack(">H", rows) + bytes.fromhex("54aa82") + struct.pack(">H", rows)
    )
    (segment,) = (one for one in elements(file, 0, len(file)) if one[0] == b"\x18\x53\x80\x67")
    children = list(elements(file, segment[2], segment[3]))
    tracks = next(one for one in children if one[0] == b"\x16\x54\xae\x6b")
    track = next(one for one in elements(file, tracks[2], tracks[3]) if one[0] == b"\xae")
    video = next(one for one in elements(file, track[2], track[3]) if one[0] == b"\xe0")
    for identifier, start, begin, end in children:
        # The seek head and the cues name positions that move: they become padding.
        if identifier in {b"\x11\x4d\x9b\x74", b"\x1c\x53\xbb\x6b"}:
            length = end - start
            file[start:end] = b"\xec\x01" + (length - 9).to_bytes(7, "big") + bytes(length - 9)
            assert begin > start
    for identifier, start, begin, end in (segment, tracks, track, video):
        width = begin - start - len(identifier)
        file[begin - width : begin] = (1 << (7 * width) | end - begin + len(crop)).to_bytes(width, "big")
    file[video[3] : video[3]] = crop
    return bytes(file)


def elements(data: bytearray, at: int, end: int) -> list[tuple[bytes, int, int, int]]:
    """Return identifier, start, and first and last byte of the content of each EBML element."""
    found = []
    while at < end:
        id_length = 9 - data[at].bit_length()
        size_at = at + id_length
        size_length = 9 - data[size_at].bit_length()
        size = int.from_bytes(data[size_at : size_at + size_length], "big") & (1 << 7 * size_length) - 1
        begin = size_at + size_length
        found.append((bytes(data[at:size_at]), at, begin, begin + size))
        at = begin + size
    return found
