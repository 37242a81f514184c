"""The reader and the writer of MP4 boxes."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media import boxes as mp4
from common.media.boxes import BoxPlace, BrokenBoxes, box_header, boxes, child, children, places, write_box

FREE = b"\0\0\0\x0cfreeabcd"
WIDE = struct.pack(">I4sQ", 1, b"mdat", 18) + b"xy"
ENDLESS = b"\0\0\0\0mdatrest"


def placed(data: bytes, *, most: int = 10) -> list[BoxPlace]:
    return list(places(lambda start, length: data[start : start + length], len(data), most=most))


def test_written_box_has_size_kind_and_content() -> None:
    assert write_box(b"free", b"ab", b"cd") == FREE


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (FREE, (b"free", 8, 12)),
        (WIDE, (b"mdat", 16, 18)),
        (ENDLESS, (b"mdat", 8, 0)),
        (FREE[:7], None),
        (WIDE[:15], None),
        (b"", None),
    ],
)
def test_box_header_is_read_if_it_is_complete(data: bytes, header: tuple[bytes, int, int] | None) -> None:
    assert box_header(data) == header
    assert box_header(b"before" + data, 6) == header


def test_boxes_side_by_side_are_read_in_order() -> None:
    assert list(boxes(FREE + WIDE + FREE)) == [(b"free", b"abcd"), (b"mdat", b"xy"), (b"free", b"abcd")]


def test_payload_of_a_memoryview_is_no_copy() -> None:
    data = bytearray(FREE)
    ((_kind, payload),) = boxes(memoryview(data))
    data[8] = 0x58

    assert bytes(payload) == b"Xbcd"


@pytest.mark.parametrize(
    ("last", "kept", "message"),
    [
        (b"\0\0\0\x20freecut", [(b"free", b"cut")], "is longer than its container"),
        (ENDLESS, [(b"mdat", b"rest")], "runs to the end"),
        (b"\0\0\0\x07free", [], "is shorter than its header"),
        (struct.pack(">I4sQ", 1, b"mdat", 15), [], "is shorter than its header"),
    ],
    ids=["too long", "to the end", "shorter than its header", "shorter than its long header"],
)
def test_last_box_that_does_not_fit_is_refused_or_cut(
    last: bytes, kept: list[tuple[bytes, bytes]], message: str
) -> None:
    with pytest.raises(BrokenBoxes, match=message):
        list(boxes(FREE + last))

    assert list(boxes(FREE + last, is_lenient=True)) == [(b"free", b"abcd"), *kept]


def test_rest_shorter_than_a_header_is_ignored() -> None:
    assert list(boxes(FREE + b"\0\0\0\x08fre")) == [(b"free", b"abcd")]


def test_number_of_boxes_is_bounded() -> None:
    data = write_box(b"free") * (mp4.MAX_BOXES + 1)

    with pytest.raises(BrokenBoxes, match="more than"):
        list(boxes(data))
    assert len(list(boxes(data, is_lenient=True))) == mp4.MAX_BOXES


def test_most_boxes_and_a_rest_without_a_header_are_read() -> None:
    data = write_box(b"free") * mp4.MAX_BOXES

    assert len(list(boxes(data))) == len(list(boxes(data + b"\0\0\0\x08fre"))) == mp4.MAX_BOXES


def test_child_is_the_first_box_at_the_end_of_its_path() -> None:
    data = write_box(b"moov", FREE, write_box(b"trak", write_box(b"tkhd", b"1"))) + write_box(b"moov", b"")

    assert child(data, b"moov", b"trak", b"tkhd") == b"1"
    assert child(data) == data
    for path in ([b"trak"], [b"moov", b"mdia"]):
        with pytest.raises(BrokenBoxes, match=repr(path[-1])):
            child(data, *path)


def test_child_before_the_damage_is_found_leniently_or_strictly() -> None:
    cut = write_box(b"tkhd", b"1") + b"\0\0\0\x20freecut"

    assert child(cut, b"tkhd") == b"1"
    assert child(cut, b"free", is_lenient=True) == b"cut"
    with pytest.raises(BrokenBoxes):
        child(cut, b"free")


def test_children_are_all_boxes_of_a_kind() -> None:
    assert list(children(FREE + WIDE + write_box(b"free", b"2"), b"free")) == [b"abcd", b"2"]


def test_places_in_a_file_are_declared_sizes() -> None:
    assert placed(FREE + WIDE + FREE[:9]) == [
        BoxPlace(b"free", 0, 8, 12),
        BoxPlace(b"mdat", 12, 16, 18),
        BoxPlace(b"free", 30, 8, 12),
    ]


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (b"", []),
        (FREE + ENDLESS + FREE, [12, 0]),
        (FREE + b"\0\0\0\x07free" + FREE, [12]),
        (b"\0\0\0\x40free" + FREE, [64]),
        (FREE + b"\0\0\0\x0cfre", [12]),
    ],
    ids=["empty", "to the end", "shorter than its header", "behind the end", "half a header"],
)
def test_places_end_at_damage_and_at_the_end_of_the_file(data: bytes, sizes: list[int]) -> None:
    assert [place.size for place in placed(data)] == sizes


def test_number_of_places_is_bounded() -> None:
    assert len(placed(FREE * 9, most=4)) == 4


@given(st.binary(max_size=200))
def test_any_bytes_are_boxes_or_broken(data: bytes) -> None:
    found = list(boxes(data, is_lenient=True))

    assert sum(8 + len(payload) for _kind, payload in found) <= len(data)
    with contextlib.suppress(BrokenBoxes):
        assert list(boxes(data)) == found
