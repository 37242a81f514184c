"""Fragmented MP4 segments moved on their time line, without a look at their samples (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from common.media.boxes import MAX_BOXES, BrokenBoxes, box_header


def moved(segment: bytes, shift: int, *, sequence: int) -> bytes:
    """Return a segment of one track whose times are ``shift`` ticks later, or earlier if it is negative.

    Decoding times, index and producer reference times move.  ``sequence`` is the number of its
    first fragment.  Raises BrokenBoxes for a segment that cannot be read,
    holds several tracks or would begin before 0.
    """
    data = bytearray(segment)
    try:
        fragments = 0
        for kind, start, end in _places(data, 0, len(data)):
            if kind == b"moof":
                _move_fragment(data, start, end, shift, sequence + fragments)
                fragments += 1
            elif kind == b"sidx":
                _move(data, start + 12, shift, is_long=data[start] == 1)
            elif kind == b"prft":
                _move(data, start + 16, shift, is_long=data[start] == 1)
    except (struct.error, IndexError) as error:
        raise BrokenBoxes("a segment that ends too early") from error
    if not fragments:
        raise BrokenBoxes("no fragment")
    return bytes(data)


def first_decode_time(segment: bytes) -> int:
    """Return the decoding time of a segment's first sample, in ticks.  Raises BrokenBoxes."""
    for kind, start, end in _places(segment, 0, len(segment)):
        if kind == b"moof":
            for inner, traf, traf_end in _places(segment, start, end):
                if inner == b"traf":
                    for name, at, _ in _places(segment, traf, traf_end):
                        if name == b"tfdt":
                            return _time(segment, at + 4, is_long=segment[at] == 1)
    raise BrokenBoxes("no fragment")


def _move_fragment(data: bytearray, start: int, end: int, shift: int, sequence: int) -> None:
    tracks = 0
    for kind, at, stop in _places(data, start, end):
        if kind == b"mfhd":
            struct.pack_into(">I", data, at + 4, sequence)
        elif kind == b"traf":
            tracks += 1
            for inner, place, _ in _places(data, at, stop):
                if inner == b"tfdt":
                    _move(data, place + 4, shift, is_long=data[place] == 1)
    if tracks != 1:
        raise BrokenBoxes(f"a fragment of {tracks} tracks")


def _move(data: bytearray, at: int, shift: int, *, is_long: bool) -> None:
    time = _time(data, at, is_long=is_long) + shift
    if not 0 <= time < 1 << (64 if is_long else 32):
        raise BrokenBoxes(f"a time of {time} ticks")
    struct.pack_into(">Q" if is_long else ">I", data, at, time)


def _time(data: bytes | bytearray, at: int, *, is_long: bool) -> int:
    return int(struct.unpack_from(">Q" if is_long else ">I", data, at)[0])


def _places(data: bytes | bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start of the payload and end of the boxes between two places."""
    at = start
    for _ in range(MAX_BOXES):
        header = box_header(data, at) if at < end else None
        if header is None:
            return
        kind, header_size, size = header
        size = size or end - at
        if size < header_size or at + size > end:
            raise BrokenBoxes(f"{kind!r} does not fit")
        yield kind, at + header_size, at + size
        at += size
