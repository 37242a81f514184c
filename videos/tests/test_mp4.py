"""The header of an MP4 file as its maker declares it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.boxes import write_box
from common.tests.movies import avc1, mp4a, track
from videos.transcoding import mp4
from videos.transcoding.codecs import codec_string
from videos.transcoding.errors import EncodeFailed
from videos.transcoding.mp4 import Header

FTYP = write_box(b"ftyp", b"isom")
MDAT = write_box(b"mdat", bytes(100))


def mvhd(timescale: int, duration: int) -> bytes:
    return write_box(b"mvhd", struct.pack(">5I", 0, 0, 0, timescale, duration), bytes(12))


def long_mvhd(timescale: int, duration: int) -> bytes:
    return write_box(b"mvhd", struct.pack(">B3xQQIQ", 1, 0, 0, timescale, duration))


def header_of(data: bytes, *, head_bytes: int = 0) -> Header | None:
    """Return the header of a file of which the first ``head_bytes`` are at hand."""
    return mp4.read_header(
        lambda start, length: data[start : start + length], head=data[:head_bytes], size_bytes=len(data)
    )


def header_of_moov(*content: bytes) -> Header:
    header = header_of(write_box(b"moov", *content))
    assert header is not None
    return header


def test_header_declares_duration_sizes_and_tracks() -> None:
    sound = track(2, b"soun", mp4a())

    assert header_of_moov(mvhd(1000, 2500), track(1, b"vide", avc1(640, 360)), sound) == Header(
        duration_s=2.5, sizes_px=[(640, 360)], track_ids=[1, 2]
    )


@pytest.mark.parametrize("head_bytes", [0, 20, 10_000])
def test_header_behind_the_media_is_found(head_bytes: int) -> None:
    data = FTYP + MDAT + write_box(b"moov", mvhd(10, 30))

    assert header_of(data, head_bytes=head_bytes) == Header(duration_s=3.0)


def test_bytes_of_the_head_are_not_fetched_again() -> None:
    data = FTYP + write_box(b"moov", mvhd(10, 30)) + MDAT
    fetched: list[int] = []

    def read(start: int, length: int) -> bytes:
        fetched.append(start)
        return data[start : start + length]

    assert mp4.read_header(read, head=data[:80], size_bytes=len(data)) == Header(duration_s=3.0)
    assert fetched == []


@pytest.mark.parametrize(
    ("box", "duration_s"),
    [
        (mvhd(1000, 1500), 1.5),
        (long_mvhd(1000, 2**33), 2**33 / 1000),
        (mvhd(0, 1500), None),
        (mvhd(1000, 0), None),
        (mvhd(1000, 0xFFFF_FFFF), None),
        (long_mvhd(1000, 0xFFFF_FFFF_FFFF_FFFF), None),
        (write_box(b"mvhd", bytes(20)), None),
    ],
    ids=["short", "long", "no timescale", "zero", "unknown", "unknown, long", "cut"],
)
def test_duration_is_known_or_none(box: bytes, duration_s: float | None) -> None:
    assert header_of_moov(box).duration_s == duration_s


def test_mvex_means_fragments() -> None:
    assert header_of_moov(track(1)).is_fragmented is False
    assert header_of_moov(track(1), write_box(b"mvex")).is_fragmented is True


@pytest.mark.parametrize("kind", [b"encv", b"enca", b"drms", b"drmi"])
def test_protected_entry_is_found_behind_a_plain_one(kind: bytes) -> None:
    assert header_of_moov(track(1, b"vide", avc1(), avc1(kind=kind))).is_protected is True
    assert header_of_moov(track(1, b"vide", avc1())).is_protected is False


def test_every_size_of_a_track_counts_and_damaged_entries_are_skipped() -> None:
    entries = (avc1(64, 48), write_box(b"avc1", bytes(10)), avc1(9000, 9000))

    assert header_of_moov(track(1, b"vide", *entries)).sizes_px == [(64, 48), (9000, 9000)]


def test_damaged_track_leaves_the_others_readable() -> None:
    damaged = write_box(b"trak", write_box(b"tkhd", bytes(3)), write_box(b"mdia", b"junk"))

    assert header_of_moov(damaged, track(5)).track_ids == [5]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FTYP,
        FTYP + MDAT[:50],
        b"\0\0\0\x04moov",
        FTYP * 1001 + write_box(b"moov", mvhd(10, 30)),
        struct.pack(">I4sQ", 1, b"moov", 2**40),
    ],
    ids=["empty", "no moov", "cut before it", "shorter than its header", "too many boxes", "cut at once"],
)
def test_file_without_a_readable_header_declares_nothing(data: bytes) -> None:
    assert header_of(data) in (None, Header())


def test_header_larger_than_the_bound_is_not_read() -> None:
    size = 65 * 1024**2

    def read(start: int, length: int) -> bytes:
        assert length <= 16
        return (struct.pack(">I4s", size, b"moov") + bytes(8))[start : start + length]

    assert mp4.read_header(read, head=b"", size_bytes=size) is None


def test_header_that_is_cut_or_runs_to_the_end_is_read_as_far_as_it_goes() -> None:
    whole = write_box(b"moov", mvhd(10, 30), track(1))
    endless = bytes(4) + whole[4:]

    assert header_of(FTYP + whole[:-80]) == Header(duration_s=3.0, track_ids=[1])
    assert header_of(FTYP + endless) == Header(duration_s=3.0, track_ids=[1], sizes_px=[(1280, 720)])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_none(data: bytes) -> None:
    header_of(data)
    header_of_moov(data, write_box(b"trak", data))


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (FTYP + MDAT, {b"ftyp", b"mdat"}),
        (FTYP + MDAT[:-1], set()),
        (FTYP + b"x", set()),
        (FTYP + bytes(4) + b"mdat", set()),
        (FTYP + b"\0\0\0\x04mdat", set()),
        (b"", set()),
    ],
    ids=["whole", "cut", "a byte more", "without an end", "shorter than its header", "empty"],
)
def test_file_has_box_kinds_only_if_they_fill_it(data: bytes, kinds: set[bytes], tmp_path: Path) -> None:
    path = tmp_path / "0.m4s"
    path.write_bytes(data)

    assert mp4.box_kinds(path) == kinds
    assert mp4.box_kinds(tmp_path / "missing") == set()


def test_init_segment_is_named_by_its_one_track() -> None:
    assert codec_string(FTYP + write_box(b"moov", track(1))) == "avc1.64001f"
    assert codec_string(FTYP + write_box(b"moov", track(1, b"soun", mp4a()))) == "mp4a.40.2"


@pytest.mark.parametrize(
    "data",
    [
        b"not an init segment",
        FTYP,
        write_box(b"moov"),
        write_box(b"moov", track(1, b"vide", avc1(kind=b"hvc1"))),
        write_box(b"moov", track(1, b"soun", mp4a(""))),
    ],
    ids=["words", "no moov", "no track", "another codec", "no AudioSpecificConfig"],
)
def test_init_segment_of_another_shape_fails_the_encode(data: bytes) -> None:
    with pytest.raises(EncodeFailed):
        codec_string(data)
