"""Parameter sets of several encoders in one init segment of H.264 (ISO/IEC 14496-15, 5.3.3.1).

A slice names its picture parameter set, and this one its sequence parameter set, by numbers.
Segments of different encoders play with one init segment if the numbers differ and the
decoder configuration lists all sets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from common.media.avc import read_configuration
from common.media.bits import BitReader, BrokenConfiguration
from common.media.boxes import MAX_BOXES, BrokenBoxes, box_header

# Boxes around a decoder configuration, and the bytes of each before its own boxes.
_PATH = ((b"moov", 0), (b"trak", 0), (b"mdia", 0), (b"minf", 0), (b"stbl", 0), (b"stsd", 8), (b"avc1", 78))
MAX_NUMBER = 31
"""The highest number of a sequence parameter set, and of sets in a configuration (table 7-1)."""


@dataclass(frozen=True, slots=True)
class AvcSets:
    """The parameter sets of an init segment.

    ``profile`` and ``level`` are those that it declares; ``nal_length_bytes`` the size of
    the length before each NAL unit.
    """

    sequence: tuple[bytes, ...]
    picture: tuple[bytes, ...]
    profile: int
    level: int
    nal_length_bytes: int

    @property
    def free_number(self) -> int | None:
        """Return a number that none of the sets has, or None."""
        used = {number_of(one) for one in (*self.sequence, *self.picture)}
        return next((number for number in range(1, MAX_NUMBER + 1) if number not in used), None)


def sets_of(init: bytes) -> AvcSets:
    """Return the parameter sets of an init segment with one track of H.264.  Raises BrokenBoxes."""
    start, end = _configuration(init)[-1]
    record = init[start:end]
    try:
        found = read_configuration(record)
    except BrokenConfiguration as error:
        raise BrokenBoxes(str(error)) from error
    return AvcSets(found.sequence_sets, found.picture_sets, record[1], record[3], found.nal_length_bytes)


def number_of(parameter_set: bytes) -> int:
    """Return the number of a sequence or picture parameter set with its NAL header.  Raises BrokenBoxes."""
    # A sequence set begins with profile, constraints and level (H.264, 7.3.2.1).
    start = 4 if parameter_set[:1] and parameter_set[0] & 0x1F == 7 else 1
    try:
        return BitReader(parameter_set[start : start + 8]).golomb()
    except BrokenConfiguration as error:
        raise BrokenBoxes("a parameter set without a number") from error


def with_sets(init: bytes, added: AvcSets) -> bytes:
    """Return an init segment that also lists the parameter sets ``added``.

    Profile and level stay as declared.  Raises BrokenBoxes if a number is taken.
    """
    own = sets_of(init)
    taken = {number_of(one) for one in own.sequence}, {number_of(one) for one in own.picture}
    for sets, numbers in zip((added.sequence, added.picture), taken, strict=True):
        if numbers & {number_of(one) for one in sets}:
            raise BrokenBoxes("a number of two parameter sets")
    places = _configuration(init)
    start, end = places[-1]
    record = init[start:end]
    sequence, picture = (*own.sequence, *added.sequence), (*own.picture, *added.picture)
    if len(sequence) > MAX_NUMBER:
        raise BrokenBoxes("too many parameter sets")
    # High profiles repeat chroma format and bit depths behind the sets.
    head = 6 + sum(2 + len(one) for one in own.sequence) + 1 + sum(2 + len(one) for one in own.picture)
    merged = b"".join(
        [
            record[:5],
            bytes([0xE0 | len(sequence)]),
            *(struct.pack(">H", len(one)) + one for one in sequence),
            bytes([len(picture)]),
            *(struct.pack(">H", len(one)) + one for one in picture),
            record[head:],
        ]
    )
    data = bytearray(init)
    data[start:end] = merged
    for payload, _ in places:
        # The 32-bit size stands at the beginning of each box around the record.
        at = payload - 8
        struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + len(merged) - len(record))
    return bytes(data)


def _configuration(init: bytes) -> list[tuple[int, int]]:
    """Return payload and end of the boxes around the decoder configuration, and of itself as the last."""
    places, start, end = [], 0, len(init)
    for wanted, skipped in (*_PATH, (b"avcC", 0)):
        found = next(((at, stop) for kind, at, stop in _boxes(init, start, end) if kind == wanted), None)
        if found is None:
            raise BrokenBoxes(f"no {wanted!r}")
        places.append(found)
        start, end = found[0] + skipped, found[1]
    return places


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    at = start
    for _ in range(MAX_BOXES):
        header = box_header(data, at) if at < end else None
        if header is None:
            return
        kind, header_size, size = header
        if header_size != 8 or size < 8 or at + size > end:
            raise BrokenBoxes(f"{kind!r} does not fit")
        yield kind, at + 8, at + size
        at += size
