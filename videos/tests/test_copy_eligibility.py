"""Refusals to copy a source, each with its reason, and the copies that are made."""

from __future__ import annotations

import struct
import subprocess
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.media.boxes import places
from videos import copying
from videos.tests.clips import make_clip
from videos.tests.encoding import probe_file
from videos.transcoding.copying.eligibility import NotCopied
from videos.transcoding.copying.plan import plan_copy
from videos.transcoding.copying.segments import SampleSpan, fetch, held_bytes
from videos.transcoding.copying.tables import read_tables
from videos.transcoding.tools import ffmpeg_path

pytestmark = pytest.mark.ffmpeg

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
BT709 = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")


def drawn(path: Path, *options: str, seconds: float = 6, sound_s: float = 6) -> Path:
    """Draw a clip of 25 frames per second with ``options`` of its encoder."""
    command = [
        ffmpeg_path(), "-v", "error", "-nostdin", "-y",
        "-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={seconds}",
        "-f", "lavfi", "-i", f"sine=sample_rate=48000:duration={sound_s}",
        *options, "-c:a", "aac", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("copiable", ""),
        ("copiable_vfr", ""),
        ("copiable_silent", ""),
        ("landscape", "colours"),
        ("portrait", "turned"),
        ("interlaced", "interlaced"),
        ("anamorphic", "anamorphic"),
        ("hdr", "codec"),
        ("copiable_mkv", ""),
        ("copiable_vfr_mkv", ""),
        ("copiable_flv", ""),
        ("copiable_fragmented", ""),
        ("fragmented", "colours"),
        ("b_frames", "colours"),
        ("webm", "codec"),
        ("ts", "container"),
        ("audio_only", "container"),
    ],
)
def test_source_is_copied_or_refused_with_its_reason(kind: str, reason: str, clips: Path) -> None:
    source = probe_file(make_clip(kind, clips, seconds=6))

    assert (source.copied is None, source.copy_refusal) == (bool(reason), reason)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-x264-params", "open-gop=1:keyint=25:min-keyint=25:bframes=3:scenecut=0"), "open_gops"),
        (("-g", "1000", "-sc_threshold", "0"), "long_gops"),
        (("-pix_fmt", "yuv422p", "-profile:v", "high422"), "profile"),
        (("-color_range", "pc"), "colours"),
    ],
)
def test_stream_that_players_could_not_join_or_show_is_encoded(
    options: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    path = drawn(tmp_path / "clip.mp4", *X264, *BT709, *options, seconds=10, sound_s=10)

    assert probe_file(path).copy_refusal == reason


def test_source_whose_beginning_is_cut_off_by_an_edit_list_is_encoded(tmp_path: Path) -> None:
    whole = drawn(tmp_path / "whole.mp4", *X264, *BT709, "-g", "50")
    cut = tmp_path / "cut.mp4"
    subprocess.run(
        [ffmpeg_path(), "-v", "error", "-ss", "2.7", "-i", str(whole), "-c", "copy", str(cut)], check=True
    )

    assert probe_file(cut).copy_refusal == "edited"


def test_source_whose_sound_goes_on_is_encoded(tmp_path: Path) -> None:
    path = drawn(tmp_path / "clip.mp4", *X264, *BT709, "-g", "50", seconds=4, sound_s=6)

    assert probe_file(path).copy_refusal == "short"


def test_source_whose_frames_begin_after_its_sound_is_encoded(tmp_path: Path) -> None:
    whole = drawn(tmp_path / "whole.mp4", *X264, *BT709, "-g", "50")
    late = tmp_path / "late.mp4"
    command = [
        ffmpeg_path(), "-v", "error", "-itsoffset", "1", "-i", str(whole), "-i", str(whole),
        "-map", "0:v", "-map", "1:a", "-c", "copy", str(late),
    ]  # fmt: skip
    subprocess.run(command, check=True)

    assert probe_file(late).copy_refusal == "late"


def test_sound_that_ends_early_is_encoded_beside_the_copy(tmp_path: Path) -> None:
    source = probe_file(drawn(tmp_path / "clip.mp4", *X264, *BT709, "-g", "50", sound_s=4))

    assert source.copied is not None
    assert source.copied.audio == (False,)


def moov_of(data: bytes) -> tuple[int, int]:
    """Return the place of the content of ``moov``."""
    read = lambda start, length: data[start : start + length]  # noqa: E731
    place = next(place for place in places(read, len(data), most=100) if place.kind == b"moov")
    return place.start + place.header_size, place.start + place.size


def with_keyframe_moved(data: bytes, position: int) -> bytes:
    """Return a file whose table names the frame behind a keyframe instead of it."""
    at = data.index(b"stss") + 12 + 4 * position
    (number,) = struct.unpack_from(">I", data, at)
    return data[:at] + struct.pack(">I", number + 1) + data[at + 4 :]


def with_two_tracks_of_sound(path: Path, *, second_at_s: float = 0, seconds: float = 6) -> Path:
    """Draw a clip with an English track and a French one, which begins at ``second_at_s``."""
    command = [
        ffmpeg_path(), "-v", "error", "-nostdin", "-y",
        "-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={seconds}",
        "-f", "lavfi", "-i", f"sine=sample_rate=48000:duration={seconds}",
        "-itsoffset", str(second_at_s),
        "-f", "lavfi", "-i", f"sine=sample_rate=48000:duration={seconds - second_at_s}",
        "-map", "0", "-map", "1", "-map", "2", *X264, *BT709, "-g", "50", "-c:a", "aac",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


def test_track_that_does_not_decode_is_left_out_of_the_copy(tmp_path: Path) -> None:
    path = with_two_tracks_of_sound(tmp_path / "clip.mp4")
    data = bytearray(path.read_bytes())
    start, end = moov_of(bytes(data))
    tables = read_tables(memoryview(bytes(data[start:end])), 2, size_bytes=len(data))
    for place, size in zip(tables.places, tables.sizes, strict=True):
        data[place : place + size] = b"\xff" * size
    path.write_bytes(data)

    source = probe_file(path)

    assert source.copied is not None
    assert [track.language for track in source.audio] == ["fra"]
    assert (source.copied.audio_tracks, source.copied.audio) == ((3,), (True,))


def test_track_that_begins_late_is_encoded_beside_the_copy(tmp_path: Path) -> None:
    source = probe_file(with_two_tracks_of_sound(tmp_path / "clip.mp4", second_at_s=66, seconds=70))

    assert source.copied is not None
    assert [track.language for track in source.audio] == ["eng", "fra"]
    assert source.copied.audio == (True, False)
    assert source.audio[1].start_s == pytest.approx(66, abs=0.05)


def test_segment_of_sound_counts_the_bytes_read_between_its_blocks(clips: Path) -> None:
    data = make_clip("copiable", clips, seconds=6).read_bytes()
    start, end = moov_of(data)
    tables = read_tables(memoryview(data[start:end]), 2, size_bytes=len(data))
    span = SampleSpan(0, 101)
    blocks = replace(tables, places=array("Q", (200_000 * index for index in range(len(tables.sizes)))))

    longest = 200_000 * 100 + tables.sizes[100]
    assert held_bytes(blocks, span) == longest
    with mock.patch.object(copying, "MAX_SEGMENT_BYTES", 3 * longest):
        assert copying._at_once(blocks, [span]) == 3
    with (
        mock.patch.object(copying, "MAX_SEGMENT_BYTES", longest - 1),
        pytest.raises(NotCopied, match="large"),
    ):
        copying._at_once(blocks, [span])


@pytest.mark.parametrize("position", [0, 2])
def test_keyframe_table_that_lies_is_found_out(position: int, clips: Path, tmp_path: Path) -> None:
    data = make_clip("copiable_silent", clips, seconds=10, rate="30").read_bytes()
    path = tmp_path / "liar.mp4"
    path.write_bytes(with_keyframe_moved(data, position))

    assert probe_file(path).copy_refusal in {"no_keyframes", "open_gops"}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (b"stsz", lambda size: size + 100_000_000),
        (b"stco", lambda place: place + 50_000_000),
        (b"stts", lambda count: count + 1),
        (b"stsc", lambda chunk: chunk + 5),
    ],
)
def test_table_that_contradicts_the_file_is_refused(
    kind: bytes, change: Callable[[int], int], clips: Path
) -> None:
    data = bytearray(make_clip("copiable_silent", clips, seconds=6).read_bytes())
    at = data.index(kind) + (16 if kind == b"stsz" else 12)
    (value,) = struct.unpack_from(">I", data, at)
    struct.pack_into(">I", data, at, change(value))
    start, end = moov_of(bytes(data))

    with pytest.raises(NotCopied, match="tables"):
        plan_copy(memoryview(bytes(data))[start:end], 1, [], size_bytes=len(data))


@pytest.mark.parametrize("kept", [4, 12, 30, 200])
def test_header_that_ends_early_is_refused(kept: int, clips: Path) -> None:
    data = make_clip("copiable_silent", clips, seconds=6).read_bytes()
    start, _ = moov_of(data)

    with pytest.raises(NotCopied, match="tables"):
        plan_copy(memoryview(data)[start : start + kept], 1, [], size_bytes=len(data))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_header_is_refused_or_read_within_the_file(clips: Path, data: st.DataObject) -> None:
    whole = bytearray(make_clip("copiable", clips, seconds=6).read_bytes())
    start, end = moov_of(bytes(whole))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(start, end - 4))
        struct.pack_into(
            ">I", whole, at, data.draw(st.sampled_from([0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF, 60_000]))
        )
    content = bytes(whole)
    try:
        tracks = plan_copy(memoryview(content)[start:end], 1, [2], size_bytes=len(content))
    except NotCopied:
        return
    span = SampleSpan(0, len(tracks.video.tables.sizes))
    (frames,) = fetch([(tracks.video.tables, span)], lambda at, length: content[at : at + length])
    assert sum(map(len, frames)) <= len(content)
