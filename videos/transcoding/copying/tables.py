"""The sample tables of a track: times, sizes, places; and their reader for MP4 (ISO/IEC 14496-12, 8.6, 8.7).

The tables are written by strangers: every count is compared with the number of samples
before a table is expanded, and every sample lies within the file.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import accumulate, chain, repeat
from operator import add

from common.media.boxes import BrokenBoxes, boxes, child
from common.media.tracks import handler, sample_entries, track_number

MAX_SAMPLES = 3_000_000
"""Twelve hours at 60 frames per second are 2.6 million."""

_MAX_EDITS = 64
_MAX_TIMESCALE = 10_000_000
_LARGEST_TIME = 2**62
_UNTURNED = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
# Sizes of a sample entry before its own boxes (12.1.3 and 12.2.3).
VISUAL_FIELDS, AUDIO_FIELDS = 78, 28


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of an edit list: its length in seconds, and the media time at which it begins.

    The media time is None for an empty edit, which delays the track.
    """

    length_s: float
    media_time: int | None
    is_normal_speed: bool


@dataclass(frozen=True, slots=True)
class FileTimes:
    """The presentation times of a track as FFmpeg reads them, where its tables have more exact ones."""

    timescale: int
    times: array[int]


@dataclass(frozen=True, slots=True)
class DeclaredTrack:
    """A track as a movie header declares it, without its samples."""

    number: int
    kind: str
    timescale: int
    entry_kind: bytes
    entry: bytes
    size_px: tuple[float, float]
    is_turned: bool
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class TrackTables(DeclaredTrack):
    """A track's samples in decoding order; times count ``timescale`` ticks, before any edit.

    ``keyframes`` are numbers of samples; None if every sample is one.  ``presented`` holds
    the presentation times, ``decoded_until`` the decoding time after each sample.
    ``clock`` holds the file's own times if ``presented`` does not.
    """

    sizes: array[int]
    places: array[int]
    presented: array[int]
    decoded_until: array[int]
    keyframes: array[int] | None
    clock: FileTimes | None = None

    @property
    def end(self) -> int:
        """Return the presentation time after the last frame, which lasts as long as its decoding takes."""
        last = max(range(len(self.presented)), key=self.presented.__getitem__)
        before = self.decoded_until[last - 1] if last else 0
        return self.presented[last] + self.decoded_until[last] - before

    def entry_box(self, kind: bytes) -> bytes | None:
        """Return the payload of a box in the sample entry, None without it."""
        fields = VISUAL_FIELDS if self.kind == "vide" else AUDIO_FIELDS
        found = (payload for name, payload in boxes(self.entry[fields:], is_lenient=True) if name == kind)
        return next(found, None)


def read_tables(moov: memoryview, number: int, *, size_bytes: int) -> TrackTables:
    """Return the tables of the track ``number`` in a movie header's content.

    Raises BrokenBoxes if they are incomplete, contradict each other or point outside of
    the file of ``size_bytes``.
    """
    try:
        trak = _trak(moov, number)
        return _read_tables(trak, _declared(moov, trak, number), size_bytes)
    except (struct.error, IndexError, OverflowError) as error:
        raise BrokenBoxes("a table that ends too early") from error


def read_declared(moov: memoryview, number: int) -> DeclaredTrack:
    """Return the track ``number`` of a movie header whose samples lie in fragments.

    Raises BrokenBoxes, also if it declares samples of its own.
    """
    try:
        trak = _trak(moov, number)
        stsz = bytes(child(trak, b"mdia", b"minf", b"stbl", b"stsz"))
        if struct.unpack_from(">I", stsz, 8)[0]:
            raise BrokenBoxes("samples outside of the fragments")
        return _declared(moov, trak, number)
    except (struct.error, IndexError, OverflowError) as error:
        raise BrokenBoxes("a header that ends too early") from error


def _trak(moov: memoryview, number: int) -> memoryview:
    for kind, trak in boxes(moov, is_lenient=True):
        if kind == b"trak" and track_number(child(trak, b"tkhd", is_lenient=True)) == number:
            return trak
    raise BrokenBoxes(f"no track {number}")


def _declared(moov: memoryview, trak: memoryview, number: int) -> DeclaredTrack:
    tkhd = bytes(child(trak, b"tkhd"))
    entries = [(kind, bytes(entry)) for kind, entry in sample_entries(trak)]
    if len(entries) != 1:
        raise BrokenBoxes(f"{len(entries)} sample entries")
    is_long = tkhd[:1] == b"\x01"
    width, height = struct.unpack_from(">II", tkhd, 88 if is_long else 76)
    return DeclaredTrack(
        number=number,
        kind=handler(trak),
        timescale=_timescale(bytes(child(trak, b"mdia", b"mdhd")[:32])),
        entry_kind=entries[0][0],
        entry=entries[0][1],
        size_px=(width / 65536, height / 65536),
        is_turned=(tkhd[52:88] if is_long else tkhd[40:76]) != _UNTURNED,
        edits=tuple(_edits(trak, _timescale(bytes(child(moov, b"mvhd")[:32])))),
    )


def _read_tables(trak: memoryview, track: DeclaredTrack, size_bytes: int) -> TrackTables:
    table = child(trak, b"mdia", b"minf", b"stbl")
    sizes = _sizes(bytes(child(table, b"stsz")), size_bytes)
    found = {kind: bytes(payload) for kind, payload in boxes(table)}
    decoded_until = _decoded_until(found.get(b"stts", b""), len(sizes))
    return TrackTables(
        **{one.name: getattr(track, one.name) for one in fields(DeclaredTrack)},
        sizes=sizes,
        places=_places(found, sizes, size_bytes),
        presented=_presented(found.get(b"ctts"), decoded_until),
        decoded_until=decoded_until,
        keyframes=_keyframes(found.get(b"stss"), len(sizes)),
    )


def _timescale(header: bytes) -> int:
    """Return the timescale of an ``mvhd`` or ``mdhd`` (8.2.2, 8.4.2)."""
    timescale: int = struct.unpack_from(">I", header, 20 if header[:1] == b"\x01" else 12)[0]
    if not 0 < timescale <= _MAX_TIMESCALE:
        raise BrokenBoxes(f"a timescale of {timescale}")
    return timescale


def _edits(trak: memoryview, movie_timescale: int) -> Iterator[Edit]:
    edit_boxes = [payload for kind, payload in boxes(trak) if kind == b"edts"]
    if not edit_boxes:
        return
    elst = bytes(child(edit_boxes[0], b"elst"))
    (count,) = struct.unpack_from(">I", elst, 4)
    if count > _MAX_EDITS:
        raise BrokenBoxes(f"{count} edits")
    layout = struct.Struct(">QqI" if elst[0] == 1 else ">IiI")
    for place in range(count):
        length, media_time, rate = layout.unpack_from(elst, 8 + place * layout.size)
        yield Edit(length / movie_timescale, media_time if media_time >= 0 else None, rate == 0x10000)


def _sizes(stsz: bytes, size_bytes: int) -> array[int]:
    size, count = struct.unpack_from(">II", stsz, 4)
    if not 0 < count <= MAX_SAMPLES:
        raise BrokenBoxes(f"{count} samples")
    sizes = array("I", [size]) * count if size else _numbers("I", stsz, 12, count)
    # Samples that share bytes would let a small file become a large one.
    if sum(sizes) > size_bytes:
        raise BrokenBoxes("samples that are larger than the file")
    return sizes


def _numbers(code: str, data: bytes, at: int, count: int) -> array[int]:
    """Return ``count`` numbers of a table, big-endian."""
    numbers = array(code)
    end = at + count * numbers.itemsize
    if len(data) < end:
        raise BrokenBoxes("a table that ends too early")
    numbers.frombytes(data[at:end])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _counted(table: bytes, code: str, samples: int) -> tuple[array[int], array[int]]:
    """Return counts and values of a table of pairs (8.6.1), whose counts must add up to ``samples``."""
    (count,) = struct.unpack_from(">I", table, 4)
    if count > samples:
        raise BrokenBoxes(f"{count} entries for {samples} samples")
    counts = _numbers("I", table, 8, 2 * count)[::2]
    values = _numbers(code, table, 8, 2 * count)[1::2]
    if sum(counts) != samples:
        raise BrokenBoxes(f"a table of {sum(counts)} samples for {samples}")
    return counts, values


def _decoded_until(stts: bytes, samples: int) -> array[int]:
    counts, steps = _counted(stts, "I", samples)
    each = chain.from_iterable(map(repeat, steps, counts))
    times = array("q", accumulate(each))
    if times[-1] > _LARGEST_TIME:
        raise BrokenBoxes("times without an end")
    return times


def _presented(ctts: bytes | None, decoded_until: array[int]) -> array[int]:
    decoded = array("q", [0]) + decoded_until[:-1]
    if ctts is None:
        return decoded
    # Version 0 is unsigned, but QuickTime writes negative numbers into it.
    counts, offsets = _counted(ctts, "i", len(decoded))
    each = chain.from_iterable(map(repeat, offsets, counts))
    return array("q", map(add, decoded, each))


def _keyframes(stss: bytes | None, samples: int) -> array[int] | None:
    if stss is None:
        return None
    (count,) = struct.unpack_from(">I", stss, 4)
    if count > samples:
        raise BrokenBoxes(f"{count} keyframes of {samples} samples")
    numbers = _numbers("I", stss, 8, count)
    if any(after <= before for before, after in zip(chain([0], numbers), numbers, strict=False)):
        raise BrokenBoxes("keyframes without order")
    if count and numbers[-1] > samples:
        raise BrokenBoxes("a keyframe behind the last sample")
    return array("I", (number - 1 for number in numbers))


def _places(found: dict[bytes, bytes], sizes: array[int], size_bytes: int) -> array[int]:
    """Return the offset of each sample in the file, from the tables of chunks (8.7.4, 8.7.5)."""
    table, code = (found[b"co64"], "Q") if b"co64" in found else (found.get(b"stco", b""), "I")
    (count,) = struct.unpack_from(">I", table, 4)
    if count > len(sizes):
        raise BrokenBoxes(f"{count} chunks of {len(sizes)} samples")
    chunks = _numbers(code, table, 8, count)
    places = array("q")
    for first, after, samples in _runs_of_chunks(found.get(b"stsc", b""), count):
        if not 0 < samples * (after - first) <= len(sizes) - len(places):
            raise BrokenBoxes("chunks with more samples than there are")
        if samples == 1:
            places.extend(array("q", chunks[first:after]))
            continue
        for start in chunks[first:after]:
            begins = accumulate(sizes[len(places) : len(places) + samples - 1], initial=start)
            places.extend(begins)
    if len(places) != len(sizes):
        raise BrokenBoxes("samples without a chunk")
    if max(map(add, places, sizes)) > size_bytes:
        raise BrokenBoxes("a sample behind the end of the file")
    return places


def _runs_of_chunks(stsc: bytes, chunks: int) -> Iterator[tuple[int, int, int]]:
    """Yield the runs of chunks that hold equally many samples: first, after the last, and that number."""
    (count,) = struct.unpack_from(">I", stsc, 4)
    if count > chunks:
        raise BrokenBoxes(f"{count} runs of {chunks} chunks")
    table = _numbers("I", stsc, 8, 3 * count)
    firsts, samples = table[::3], table[1::3]
    if not count or firsts[0] != 1 or set(table[2::3]) != {1}:
        raise BrokenBoxes("chunks without a description")
    for first, after, held in zip(firsts, chain(firsts[1:], [chunks + 1]), samples, strict=True):
        if after <= first:
            raise BrokenBoxes("runs of chunks without order")
        yield first - 1, after - 1, held
