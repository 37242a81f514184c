"""Random damage to files; the same seed does the same damage.

Half of the mutators know nothing of formats.  The others find the numbers that a
parser believes (sizes, counts and lengths) by the names beside them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

# A file may grow by at most this much, so that the tests do not fill the disk.
_MOST_ADDED_BYTES = 65_536
# Headers stand at either end of a file, and most errors of parsers happen there.
_HEADER_BYTES = 2048


@dataclass(frozen=True, slots=True)
class _Field:
    """A number that parsers believe: ``width`` bytes, ``offset`` behind the end of its marker."""

    known_by: re.Pattern[bytes]
    offset: int
    width: int
    order: Literal["big", "little", "text"] = "big"


def _any(names: str) -> re.Pattern[bytes]:
    return re.compile("|".join(names.split()).encode())


def _hex(*codes: str) -> re.Pattern[bytes]:
    return re.compile(b"|".join(re.escape(bytes.fromhex(code)) for code in codes), re.DOTALL)


_FIELDS = (
    # MP4: a box's size stands before its name, the number of its entries behind version and flags.
    _Field(_any("ftyp moov mvhd trak tkhd mdia mdhd hdlr minf stbl stsd udta meta mdat"), -8, 4),
    _Field(_any("stts ctts stsc stsz stco co64 stss elst mvex trex moof traf tfhd trun tfdt"), -8, 4),
    _Field(_any("avc1 hvc1 hev1 mp4v mp4a avcC hvcC esds"), -8, 4),
    _Field(_any("stsd stts ctts stsc stco co64 stss elst trun tfhd"), 4, 4),
    _Field(_any("stsz"), 8, 4),
    # A header's time scale and duration, a frame's width and height.
    _Field(_any("mvhd mdhd tkhd"), 12, 4),
    _Field(_any("mvhd mdhd tkhd"), 16, 4),
    _Field(_any("avc1 hvc1 hev1 mp4v vp09 av01"), 24, 2),
    _Field(_any("avc1 hvc1 hev1 mp4v vp09 av01"), 26, 2),
    # Matroska: the length of an element; its first byte gives the width of the length.
    _Field(_hex("1a45dfa3", "18538067", "1549a966", "1654ae6b", "1f43b675", "1c53bb6b", "114d9b74"), 0, 1),
    _Field(_hex("18538067", "1654ae6b", "1f43b675"), 0, 8),
    _Field(_hex("2ad7b1", "4489", "ae", "a3", "a0", "e0", "e1", "b0", "ba", "63a2"), 0, 1),
    # RIFF counts from the small end.
    _Field(_any("RIFF LIST JUNK avih strh strf idx1 00dc 01wb"), 0, 4, "little"),
    _Field(_any("avih strh strf"), 20, 4, "little"),
    # Ogg: position and serial number, number of segments.
    _Field(_any("OggS"), 2, 8, "little"),
    _Field(_any("OggS"), 22, 1),
    # FLV: the size of an audio, video or script tag.
    _Field(_hex("00000008", "00000009", "00000012"), 0, 3),
    # MPEG: a transport packet's flags and the length of its adaptation field, a PES packet's length.
    _Field(_any("\x47"), 2, 1),
    _Field(_any("\x47"), 3, 2),
    _Field(_hex("000001e0", "000001c0", "000001bd"), 0, 2),
    # H.264: profile, level and the rest of a parameter set.
    _Field(_hex("0000000167", "00000167", "0168"), 0, 4),
    # Text: a number of some digits.
    _Field(re.compile(rb"(?<!\d)(?=\d{3})"), 0, 3, "text"),
)

Mutator = Callable[[bytearray, random.Random, bytes], None]


def mutate(data: bytes, seed: int, *, other: bytes = b"") -> bytes:
    """Return ``data`` damaged one to three times; ``other`` is a file to splice in."""
    chance = random.Random(seed)
    mutated = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice(_MUTATORS)(mutated, chance, other)
    return bytes(mutated)


def _flip_bits(data: bytearray, chance: random.Random, _other: bytes) -> None:
    if data:
        for _ in range(chance.choice((1, 4, 32, 256))):
            data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random, _other: bytes) -> None:
    start, end = _range(data, chance)
    data[start:end] = chance.randbytes(end - start)


def _fill(data: bytearray, chance: random.Random, _other: bytes) -> None:
    start, end = _range(data, chance)
    data[start:end] = chance.choice((b"\0", b"\xff")) * (end - start)


def _insert_run(data: bytearray, chance: random.Random, _other: bytes) -> None:
    at = _place(data, chance)
    data[at:at] = chance.choice((b"\0", b"\xff")) * chance.choice((1, 4, 188, 4096, _MOST_ADDED_BYTES))


def _truncate(data: bytearray, chance: random.Random, _other: bytes) -> None:
    del data[_place(data, chance) :]


def _remove(data: bytearray, chance: random.Random, _other: bytes) -> None:
    start, end = _range(data, chance)
    del data[start:end]


def _duplicate(data: bytearray, chance: random.Random, _other: bytes) -> None:
    start, end = _range(data, chance)
    data[end:end] = data[start : min(end, start + _MOST_ADDED_BYTES)]


def _swap(data: bytearray, chance: random.Random, _other: bytes) -> None:
    (one, one_end), (two, two_end) = sorted((_range(data, chance), _range(data, chance)))
    if one_end <= two:
        data[one:two_end] = data[two:two_end] + data[one_end:two] + data[one:one_end]


def _splice(data: bytearray, chance: random.Random, other: bytes) -> None:
    """Continue with the other file, or put a piece of it into the middle."""
    start, end = _range(bytearray(other), chance)
    at = _place(data, chance)
    if chance.random() < 0.5:
        data[at:] = other[start:]
    else:
        data[at:at] = other[start : min(end, start + _MOST_ADDED_BYTES)]


def _lie(data: bytearray, chance: random.Random, _other: bytes) -> None:
    """Overwrite numbers that a parser believes with numbers that break parsers."""
    fields = [field for field in _FIELDS if field.known_by.search(data)]
    for _ in range(chance.choice((1, 1, 2, 8)) if fields else 0):
        field = chance.choice(fields)
        places = [match.end() + field.offset for match in field.known_by.finditer(data)]
        at = chance.choice(places) if places else -1
        if 0 <= at <= len(data) - field.width:
            data[at : at + field.width] = _number(bytes(data[at : at + field.width]), field, chance)


_MUTATORS: tuple[Mutator, ...] = (
    _flip_bits, _flip_bits, _overwrite, _fill, _insert_run, _truncate, _remove, _duplicate, _swap, _splice,
    _lie, _lie, _lie, _lie, _lie, _lie,
)  # fmt: skip


def _number(before: bytes, field: _Field, chance: random.Random) -> bytes:
    """Return another number for ``field``: zeros, ones, the sign's edge, nearly right, or random."""
    if field.order == "text":
        return chance.choice((b"000", b"999", b"-1 ", b"0x0", chance.randbytes(3)))
    most = 256**field.width - 1
    value = int.from_bytes(before, field.order)
    edges = (0, 1, most, most // 2, most // 2 + 1)
    near = (value + 1, value - 1, value * 2, value // 2)
    chosen: int = chance.choice((*edges, *near, chance.randint(0, most))) & most
    return chosen.to_bytes(field.width, field.order)


def _place(data: bytearray, chance: random.Random) -> int:
    """Return a position in ``data``, as often near one of its ends as anywhere."""
    anywhere = chance.randrange(max(1, len(data)))
    near = chance.randrange(max(1, min(len(data), _HEADER_BYTES)))
    return chance.choice((anywhere, anywhere, near, max(0, len(data) - 1 - near)))


def _range(data: bytearray, chance: random.Random) -> tuple[int, int]:
    """Return the ends of a stretch; short ones are as likely as long ones."""
    start = _place(data, chance)
    length = 2 ** chance.uniform(0, len(data).bit_length())
    return start, min(len(data), start + int(length))
