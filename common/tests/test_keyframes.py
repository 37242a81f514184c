"""Tests of the reader of first frames, on boxes drawn here."""

from __future__ import annotations

import struct

import pytest

from common.media.boxes import BrokenBoxes, write_box
from common.media.keyframes import VideoTrack, byte_stream, first_frame, video_track

TRACK = VideoTrack(number=1, default_size=0, nal_length_bytes=4, parameter_sets=b"\0\0\0\1sps")


def init_segment(avcc: bytes, codec: bytes = b"avc1") -> bytes:
    entry = write_box(codec, bytes(78), write_box(b"avcC", avcc))
    described = write_box(b"stsd", bytes(8), entry)
    media = write_box(
        b"mdia",
        write_box(b"hdlr", bytes(8), b"vide"),
        write_box(b"minf", write_box(b"stbl", described)),
    )
    header = write_box(b"tkhd", bytes(12), struct.pack(">I", 3))
    defaults = write_box(b"mvex", write_box(b"trex", struct.pack(">6I", 0, 3, 1, 40, 77, 0)))
    return write_box(b"ftyp") + write_box(b"moov", write_box(b"trak", header, media), defaults)


def segment(*, run_flags: int = 0x201, sizes: tuple[int, ...] = (5, 6), track: int = 1) -> bytes:
    def moof(offset: int) -> bytes:
        listed = b"".join(struct.pack(">I", size) for size in sizes) if run_flags & 0x200 else b""
        run = write_box(b"trun", struct.pack(">IIi", run_flags, len(sizes), offset), listed)
        return write_box(b"moof", write_box(b"traf", write_box(b"tfhd", struct.pack(">II", 0, track)), run))

    header = moof(0)
    return write_box(b"styp", b"msdh") + moof(len(header) + 8) + write_box(b"mdat", b"first", b"second")


def test_track_holds_parameter_sets_and_defaults() -> None:
    avcc = bytes([1, 100, 0, 31, 0xFF, 0xE1, 0, 2, 0x67, 9, 1, 0, 1, 0x68])

    assert video_track(init_segment(avcc)) == VideoTrack(3, 77, 4, b"\0\0\0\1\x67\x09\0\0\0\1\x68")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        write_box(b"moov"),
        init_segment(b"\1\2"),
        init_segment(bytes(8), codec=b"hvc1"),
        init_segment(bytes([1, 0, 0, 0, 3, 1, 0])),
    ],
)
def test_broken_init_segment_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenBoxes):
        video_track(data)


def test_first_frame_lies_behind_the_boxes_before_it() -> None:
    data = segment()
    place = first_frame(data, TRACK)

    assert place is not None
    assert data[place.start : place.end] == b"first"
    assert data[place.moof_start + 4 : place.moof_start + 8] == b"moof"


def test_beginning_without_a_whole_moof_has_no_first_frame() -> None:
    data = segment()

    assert [first_frame(data[:length], TRACK) for length in (0, 8, 20, 60)] == [None] * 4


def test_default_size_applies_without_a_size_in_the_run() -> None:
    place = first_frame(segment(run_flags=0x1), VideoTrack(1, 4, 4, b""))

    assert place is not None
    assert place.end - place.start == 4


@pytest.mark.parametrize("damaged", [segment(track=2), segment(run_flags=0x200), segment(sizes=())])
def test_segment_without_a_first_frame_is_refused(damaged: bytes) -> None:
    with pytest.raises(BrokenBoxes):
        first_frame(damaged, TRACK)


def test_keyframe_becomes_a_byte_stream() -> None:
    sample = b"\0\0\0\2ab\0\0\0\1c"

    assert byte_stream(sample, TRACK) == b"\0\0\0\1sps\0\0\0\1ab\0\0\0\1c"
    with pytest.raises(BrokenBoxes):
        byte_stream(sample[:-1], TRACK)
