"""The reader of MP4 tracks."""

from __future__ import annotations

import struct

import pytest

from common.media.boxes import BrokenBoxes, child, write_box
from common.media.tracks import entry_codec, entry_size_px, handler, sample_entries, track_number
from common.tests.movies import avc1, mp4a, track


def test_track_has_number_handler_and_entries() -> None:
    trak = child(track(7, b"soun", mp4a(), mp4a()), b"trak")

    assert track_number(child(trak, b"tkhd")) == 7
    assert handler(trak) == "soun"
    assert [kind for kind, _entry in sample_entries(trak)] == [b"mp4a", b"mp4a"]


@pytest.mark.parametrize(
    ("tkhd", "number"),
    [
        (struct.pack(">B3xIII", 0, 1, 2, 9), 9),
        (struct.pack(">B3xQQI", 1, 1, 2, 9), 9),
        (struct.pack(">B3xII", 0, 1, 2), None),
        (struct.pack(">B3xQQ", 1, 1, 2), None),
        (b"", None),
    ],
    ids=["version 0", "version 1", "short version 0", "short version 1", "empty"],
)
def test_track_number_stands_behind_the_times_of_its_version(tkhd: bytes, number: int | None) -> None:
    if number is None:
        with pytest.raises(BrokenBoxes):
            track_number(tkhd)
    else:
        assert track_number(tkhd) == number


@pytest.mark.parametrize(
    ("box", "codec"),
    [
        (avc1(), "avc1.64001f"),
        (mp4a("1190"), "mp4a.40.2"),
        (mp4a("2b920800"), "mp4a.40.5"),
        (mp4a("f94640"), "mp4a.40.42"),  # 31, then 6 bits: xHE-AAC
        (write_box(b"av01", bytes(90)), "av01"),
    ],
)
def test_sample_entry_is_named_for_players(box: bytes, codec: str) -> None:
    kind, entry = box[4:8], box[8:]

    assert entry_codec(kind, entry) == codec


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        (b"avc1", bytes(78)),
        (b"mp4a", bytes(28)),
        (b"mp4a", bytes(28) + write_box(b"esds", bytes(4))),
        (b"mp4a", mp4a("")[8:]),
        (b"mp4a", mp4a()[8:-3]),
    ],
    ids=["no avcC", "no esds", "empty esds", "empty configuration", "cut esds"],
)
def test_sample_entry_without_its_configuration_is_broken(kind: bytes, entry: bytes) -> None:
    with pytest.raises(BrokenBoxes):
        entry_codec(kind, entry)


def test_esds_with_optional_fields_is_read() -> None:
    decoder = bytes([0x40, *bytes(12), 0x05, 2, 0x11, 0x90])
    # All three flags: another stream's id, a URL of three letters, a clock's id.
    elementary = bytes([0, 1, 0xE0, 0, 9, 3, *b"url", 0, 8, 0x04, len(decoder)]) + decoder
    # A size of four bytes, as FFmpeg writes it.
    esds = write_box(b"esds", bytes(4), bytes([0x03, 0x80, 0x80, 0x80, len(elementary)]), elementary)

    assert entry_codec(b"mp4a", bytes(28) + esds) == "mp4a.40.2"


def test_size_of_a_visual_entry_is_read() -> None:
    assert entry_size_px(avc1(640, 360)[8:]) == (640, 360)
    with pytest.raises(BrokenBoxes):
        entry_size_px(bytes(27))
