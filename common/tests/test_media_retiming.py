"""Segments that move on their time line, and init segments with the parameter sets of two encoders."""

from __future__ import annotations

import struct

import pytest

from common.media.boxes import BrokenBoxes, write_box
from common.media.fragments import FragmentReader, Sample, write_fragment
from common.media.parameter_sets import AvcSets, number_of, sets_of, with_sets
from common.media.retiming import first_decode_time, moved

SAMPLES = [Sample(1, 90_000, 3000, 0, 0, b"one"), Sample(1, 93_000, 3000, 0x10000, 6000, b"two")]
# Sequence and picture sets number 0, as x264 writes them for 320x180.
SPS = bytes.fromhex("6764000dacd941419f9f011000000300100000030320f14299 60".replace(" ", ""))
PPS = bytes.fromhex("68ebe3cb22c0")


def record(sequence: list[bytes], picture: list[bytes]) -> bytes:
    sets = [b"".join(struct.pack(">H", len(one)) + one for one in each) for each in (sequence, picture)]
    head = bytes([1, 0x64, 0, 0x0D, 0xFF, 0xE0 | len(sequence)])
    return head + sets[0] + bytes([len(picture)]) + sets[1] + bytes([0xFD, 0xF8, 0xF8, 0])


def init(avcc: bytes) -> bytes:
    entry = write_box(b"avc1", bytes(78), write_box(b"avcC", avcc), write_box(b"pasp", bytes(8)))
    box = write_box(b"stsd", struct.pack(">II", 0, 1), entry)
    for kind in (b"stbl", b"minf", b"mdia", b"trak"):
        box = write_box(kind, box)
    return write_box(b"ftyp", b"iso5") + write_box(b"moov", write_box(b"mvhd", bytes(4)), box)


def with_number(parameter_set: bytes, number: int) -> bytes:
    """Return a set whose number 0 (one bit, 1) is 1 (010) instead: bits of the rest do not matter here."""
    assert number == 1
    at = 4 if parameter_set[0] & 0x1F == 7 else 1
    return parameter_set[:at] + bytes([0b010_00000 | parameter_set[at] >> 3]) + parameter_set[at + 1 :]


def test_samples_move_and_everything_else_stays() -> None:
    segment = write_fragment(7, [SAMPLES])

    later = moved(segment, 1234, sequence=9)

    assert first_decode_time(later) == 91_234
    assert len(later) == len(segment)
    assert later[20:24] == struct.pack(">I", 9)
    assert moved(later, -1234, sequence=7) == segment
    assert b"onetwo" in later


@pytest.mark.parametrize(("version", "pattern"), [(0, ">I"), (1, ">Q")])
def test_index_and_reference_times_move_along(version: int, pattern: str) -> None:
    time = struct.pack(pattern, 90_000)
    sidx = write_box(b"sidx", bytes([version, 0, 0, 0]), struct.pack(">II", 1, 90_000), time, bytes(8))
    prft = write_box(b"prft", bytes([version, 0, 0, 0]), struct.pack(">I", 1), bytes(8), time)

    later = moved(sidx + prft + write_fragment(1, [SAMPLES]), 10, sequence=1)

    assert later[20 : 20 + len(time)] == struct.pack(pattern, 90_010)
    assert later[len(sidx) + 24 : len(sidx) + 24 + len(time)] == struct.pack(pattern, 90_010)


def test_segment_never_begins_before_zero() -> None:
    with pytest.raises(BrokenBoxes, match="ticks"):
        moved(write_fragment(1, [SAMPLES]), -90_001, sequence=1)


@pytest.mark.parametrize("cut", [4, 30, 90])
def test_damaged_segment_is_refused(cut: int) -> None:
    with pytest.raises(BrokenBoxes):
        moved(write_fragment(1, [SAMPLES])[:cut], 1, sequence=1)


def test_init_segment_lists_the_sets_of_both_encoders() -> None:
    own = init(record([SPS], [PPS]))
    added = AvcSets((with_number(SPS, 1),), (with_number(PPS, 1),), 100, 13, 4)
    assert sets_of(own).free_number == 1

    both = with_sets(own, added)

    sets = sets_of(both)
    assert [number_of(one) for one in sets.sequence] == [0, 1]
    assert [number_of(one) for one in sets.picture] == [0, 1]
    assert (sets.profile, sets.level, sets.free_number) == (100, 13, 2)
    # The sizes of all boxes around the record still fit.
    assert both.endswith(write_box(b"pasp", bytes(8)))
    assert list(FragmentReader().feed(both[:12])) == []


def test_number_of_two_sets_is_refused() -> None:
    own = init(record([SPS], [PPS]))

    with pytest.raises(BrokenBoxes, match="a number of two"):
        with_sets(own, AvcSets((SPS,), (), 100, 13, 4))
