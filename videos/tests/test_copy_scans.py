"""Scans of files without a table of their frames: Matroska, FLV and fragmented MP4."""

from __future__ import annotations

import struct
import subprocess
import tracemalloc
from array import array
from itertools import pairwise
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videos.tests.clips import make_clip
from videos.tests.encoding import probe_file
from videos.transcoding.byteranges import range_reader
from videos.transcoding.copying import scanning, scans, stored_tables
from videos.transcoding.copying.eligibility import NotCopied
from videos.transcoding.copying.plan import tracks_of
from videos.transcoding.copying.scanned import ScannedTrack, tables_of
from videos.transcoding.copying.scans import ScannedSource, scan_source
from videos.transcoding.mp4 import find_moov
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

pytestmark = pytest.mark.ffmpeg

CONTAINERS = {"copiable_mkv": "matroska", "copiable_flv": "flv", "copiable_fragmented": "mov"}


def scanned(data: bytes, container: str) -> ScannedSource:
    def read(start: int, length: int) -> bytes:
        return data[start : start + length]

    moov = find_moov(read, head=b"", size_bytes=len(data)) if container == "mov" else None
    return scan_source(container, read, size_bytes=len(data), moov=moov, numbers=[1, 2])


def sizes_in(path: Path, stream: str) -> list[int]:
    """Return the sizes of a stream's packets, as FFmpeg reads them."""
    command = [ffprobe_path(), "-v", "error", "-select_streams", stream, "-show_entries", "packet=size"]
    found = subprocess.run([*command, "-of", "csv=p=0", str(path)], capture_output=True, check=True).stdout
    return [int(line.strip(b",")) for line in found.split()]


@pytest.mark.parametrize("kind", CONTAINERS)
def test_scan_finds_the_frames_that_ffmpeg_reads(kind: str, clips: Path) -> None:
    path = make_clip(kind, clips, seconds=6)

    found = scanned(path.read_bytes(), CONTAINERS[kind])

    assert [list(track.sizes) for track in found.video] == [sizes_in(path, "v")]
    assert [list(track.sizes) for track in found.audio] == [sizes_in(path, "a")]


@pytest.mark.parametrize("kind", CONTAINERS)
def test_stored_tables_are_read_back_without_loss(kind: str, clips: Path) -> None:
    found = scanned(make_clip(kind, clips, seconds=6).read_bytes(), CONTAINERS[kind])
    tables = [*found.video, *found.audio]

    assert stored_tables.load(stored_tables.dump(tables)) == tables


@pytest.mark.parametrize("kept", [0, 3, 30, 900])
def test_stored_tables_that_end_early_are_refused(kept: int, clips: Path) -> None:
    data = stored_tables.dump(scanned(make_clip("copiable_flv", clips, seconds=6).read_bytes(), "flv").video)

    with pytest.raises(NotCopied, match="tables"):
        stored_tables.load(data[:kept])


def test_source_is_scanned_again_where_its_tables_are_lost(clips: Path) -> None:
    path = make_clip("copiable_mkv", clips, seconds=6)
    source = probe_file(path)
    assert source.copied is not None

    again = tracks_of(source, range_reader(str(path)))

    assert again.bounds_s == list(source.copied.bounds_s)


@pytest.mark.parametrize("kind", ["copiable_mkv", "copiable_flv"])
def test_recording_that_broke_off_is_copied_up_to_its_end(kind: str, clips: Path, tmp_path: Path) -> None:
    data = make_clip(kind, clips, seconds=9).read_bytes()
    path = tmp_path / f"cut{Path(kind).suffix}"
    path.write_bytes(data[: len(data) * 3 // 4])

    source = probe_file(path)

    assert source.copied is not None
    assert 5 < source.duration_s < 8


def test_recordings_that_were_appended_to_one_file_are_encoded(clips: Path, tmp_path: Path) -> None:
    data = make_clip("copiable_flv", clips, seconds=6).read_bytes()
    path = tmp_path / "two.flv"
    path.write_bytes(data + data[13:])

    assert probe_file(path).copy_refusal == "times"


def test_matroska_without_an_index_is_decoded_in_one_chunk(tmp_path: Path, clips: Path) -> None:
    whole = make_clip("copiable_mkv", clips, seconds=6)
    path = tmp_path / "live.mkv"
    command = [ffmpeg_path(), "-v", "error", "-i", str(whole), "-c", "copy", "-live", "1", str(path)]
    subprocess.run(command, check=True)

    source = probe_file(path)

    assert source.copied is not None
    assert not source.is_seekable


def test_blocks_with_lacing_are_encoded_beside_the_copy(clips: Path, tmp_path: Path) -> None:
    data = bytearray(make_clip("copiable_mkv", clips, seconds=6).read_bytes())
    found = scanned(bytes(data), "matroska")
    data[found.audio[0].places[5] - 1] |= 0x06
    path = tmp_path / "laced.mkv"
    path.write_bytes(data)

    again = scanned(path.read_bytes(), "matroska")

    assert again.video == found.video
    assert again.audio[0].entry_kind == b"lace"


def test_file_that_cannot_be_scanned_in_time_is_encoded(clips: Path) -> None:
    path = make_clip("copiable_mkv", clips, seconds=6)

    with mock.patch.object(scanning, "MAX_SCAN_S", 0.0):
        assert probe_file(path).copy_refusal == "scan"
    with mock.patch.object(scanning, "MAX_SCAN_BYTES", 1000):
        assert probe_file(path).copy_refusal == "scan"


def in_time() -> None:
    """Stand for a check of a scan that has time left."""


def out_of_time() -> None:
    raise NotCopied("scan", "too long")


def track_with(times: list[int], **fields: object) -> ScannedTrack:
    track = ScannedTrack(1, "vide", 1000, **fields)  # type: ignore[arg-type]
    for place, time in enumerate(times):
        track.add(place, 1, time, is_key=place == 0)
    return track


@pytest.mark.parametrize(("numerator", "denominator"), [(24000, 1001), (30, 1), (60000, 1001), (25, 1)])
def test_times_rounded_to_milliseconds_become_equal_steps(numerator: int, denominator: int) -> None:
    count = 20 * 60 * numerator // denominator
    times = [83 + round(place * 1000 * denominator / numerator) for place in range(count)]

    tables = tables_of(track_with(times), 0.0, in_time)

    steps = {after - before for before, after in pairwise(tables.presented)}
    assert [step * numerator for step in steps] == [tables.timescale * denominator]
    assert tables.edits[0].length_s == pytest.approx(0.083, abs=0.001)


def test_times_of_a_variable_rate_are_kept() -> None:
    times = [0, 17, 50, 51, 90, 170, 171, 250, 333, 334, 500]

    tables = tables_of(track_with(times), 0.0, in_time)

    assert (tables.timescale, list(tables.presented)) == (1000, times)


def test_frames_left_out_on_a_grid_keep_their_places() -> None:
    times = [round(place * 1000 / 30) for place in range(300) if place % 7 not in {2, 3}]

    tables = tables_of(track_with(times), 0.0, in_time)

    steps = {after - before for before, after in pairwise(tables.presented)}
    assert steps == {tables.timescale // 30, tables.timescale // 10}


def test_audio_tag_without_a_whole_header_is_skipped(clips: Path) -> None:
    data = make_clip("copiable_flv", clips, seconds=2).read_bytes()
    # At the last time of the file: a clock that goes back is refused for that.
    tag = b"\x08" + (1).to_bytes(3) + (3000).to_bytes(3) + bytes(4) + b"\xaf"

    assert scanned(data + tag, "flv") == scanned(data, "flv")


def test_tables_of_many_frames_take_little_memory() -> None:
    count = 100_000
    track = track_with([round(place * 1000 / 30) for place in range(count)])
    tracemalloc.start()
    try:
        tables = tables_of(track, 0.0, in_time)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(tables.presented) == count
    # One list of whole numbers, as sorting makes it, and the arrays themselves.
    assert peak_bytes < 80 * count


def test_rate_is_tried_on_all_frames_only_if_it_fits_the_first() -> None:
    # No rate fits the first frames of this one, so that there is nothing that takes time.
    variable = [place * 40 + place % 3 * 7 for place in range(10_000)]
    assert tables_of(track_with(variable), 0.0, out_of_time).timescale == 1000

    # Each of several rates fits all frames of this one but the last.
    hostile = [*range(0, 10_000_000, 1000), 10_000_335]
    with pytest.raises(NotCopied, match="scan"):
        tables_of(track_with(hostile), 0.0, out_of_time)
    assert tables_of(track_with(hostile), 0.0, in_time).timescale == 1000


def test_track_with_too_many_frames_a_second_is_refused_before_its_tables_are_made() -> None:
    with (
        mock.patch.object(scans, "tables_of", side_effect=AssertionError),
        pytest.raises(NotCopied, match="frame_rate"),
    ):
        scanned(matroska_with(list(range(0, 1000, 2))), "matroska")


def element(kind: int, content: bytes) -> bytes:
    return kind.to_bytes((kind.bit_length() + 7) // 8) + (len(content) | 1 << 28).to_bytes(4) + content


def matroska_with(cluster_times: list[int], step_ns: int = 40_000_000) -> bytes:
    """Return a Matroska file of one video track with a frame in each cluster."""
    track = element(0xD7, b"\1") + element(0x83, b"\1") + element(0x23E383, step_ns.to_bytes(8))
    track += element(0x86, b"V_MPEG4/ISO/AVC") + element(0x63A2, bytes(8))
    clusters = [
        element(0x1F43B675, element(0xE7, time.to_bytes(8)) + element(0xA3, b"\x81\0\0\x80frame"))
        for time in cluster_times
    ]
    segment = element(0x1654AE6B, element(0xAE, track)) + b"".join(clusters)
    return element(0x1A45DFA3, b"") + element(0x18538067, segment)


def test_times_beyond_the_numbers_of_tables_are_refused() -> None:
    grid = list(range(0, 4000, 40))
    assert len(scanned(matroska_with(grid), "matroska").video[0].sizes) == 100

    for latest in (2**59, 2**60 - 8, 2**64 - 8):
        with pytest.raises(NotCopied, match="tables"):
            scanned(matroska_with([*grid, latest]), "matroska")
    # The largest that is read goes through every table.
    largest = scanned(matroska_with([*grid, 4_000_000_000_000 - 40]), "matroska")
    assert stored_tables.load(stored_tables.dump(largest.video)) == largest.video


def test_claimed_step_beyond_the_numbers_of_tables_is_refused() -> None:
    with pytest.raises(NotCopied, match="times"):
        scanned(matroska_with([0, 17, 50, 51], step_ns=2**64 - 1), "matroska")


@pytest.mark.parametrize("error", [struct.error, IndexError, OverflowError, ZeroDivisionError, ValueError])
@pytest.mark.parametrize("step", ["scan_flv", "tables_of"])
def test_unexpected_value_in_a_file_is_a_refusal(step: str, error: type[Exception], clips: Path) -> None:
    data = make_clip("copiable_flv", clips, seconds=2).read_bytes()

    with mock.patch.object(scans, step, side_effect=error("value")), pytest.raises(NotCopied, match="tables"):
        scanned(data, "flv")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_file_is_refused_or_read_within_its_bytes(clips: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(CONTAINERS)))
    whole = bytearray(make_clip(kind, clips, seconds=2).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        # The structure lies at the beginning of the file and of each fragment, cluster and tag.
        at = data.draw(st.one_of(st.integers(0, 1500), st.integers(0, len(whole) - 5)))
        value = data.draw(st.sampled_from([0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF, 0x1F43_B675, 60_000]))
        struct.pack_into(">I", whole, at, value)
    content = bytes(whole[: data.draw(st.integers(1, len(whole)))])

    try:
        found = scanned(content, CONTAINERS[kind])
    except NotCopied:
        return

    for track in (*found.video, *found.audio):
        ends = array("q", map(sum, zip(track.places, track.sizes, strict=True)))
        assert max(ends) <= len(content)
        assert sum(track.sizes) <= len(content)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=3000), st.sampled_from(["matroska", "flv"]))
def test_random_bytes_are_refused_or_hold_nothing(content: bytes, container: str) -> None:
    heads = {
        "matroska": b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff",
        "flv": b"FLV\x01\x05" + (9).to_bytes(4) + bytes(4),
    }
    try:
        found = scanned(heads[container] + content, container)
    except NotCopied:
        return

    assert all(sum(track.sizes) <= len(content) for track in (*found.video, *found.audio))
