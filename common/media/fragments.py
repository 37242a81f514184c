"""Fragmented MP4: a reader for arriving bytes and a writer of parts (ISO/IEC 14496-12).

The reader yields samples, because parts are cut between samples and not at
FFmpeg's flushes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from common.media.boxes import BrokenBoxes, box_header, child, children, write_box
from common.media.tracks import entry_codec, entry_size_px, handler, sample_entries, track_number

# A keyframe of 2160p at 50 Mb/s takes about 1 MB; our outputs stay far below this bound.
MAX_BOX_BYTES = 32 * 1024**2

# A fragment holds a few frames; a run of empty samples could declare any number.
MAX_RUN_SAMPLES = 10_000

NOT_SYNC = 0x0001_0000
"""The sample flag of a picture that needs others."""


@dataclass(frozen=True, slots=True)
class Track:
    """Track of the ``moov``; ``kind`` is the handler: ``vide``, ``soun``, …

    ``codecs`` is its part of the playlist's ``CODECS`` (RFC 6381).  The defaults
    (duration, size, flags) apply to samples whose fragment has no values of its own.
    """

    number: int
    kind: str
    timescale: int
    codecs: str
    width_px: int = 0
    height_px: int = 0
    defaults: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Movie:
    """Tracks of a stream, and the bytes that declare them, which become the init segment."""

    tracks: tuple[Track, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """Video or audio frame; times count in the track's timescale."""

    track: int
    decode_time: int
    duration: int
    flags: int
    composition_offset: int
    data: bytes

    @property
    def is_sync(self) -> bool:
        return not self.flags & NOT_SYNC

    @property
    def end(self) -> int:
        return self.decode_time + self.duration


class FragmentReader:
    """Reader of a stream that arrives in pieces of any size; it yields the movie, then the samples.

    A producer reference time (``prft``) before a fragment is the presentation time of its
    first sample, and outranks the ``tfdt``: FFmpeg sums up durations there.
    """

    def __init__(self, *, max_box_bytes: int = MAX_BOX_BYTES) -> None:
        self._max_box_bytes = max_box_bytes
        self._buffer = bytearray()
        self._head = b""
        self._tracks: dict[int, Track] = {}
        self._moof: bytes | None = None
        self._shown: dict[int, int] = {}  # presentation time of each track's next fragment

    def feed(self, data: bytes) -> Iterator[Movie | Sample]:
        """Yield the movie and the samples that ``data`` completes.  Raises BrokenBoxes."""
        self._buffer += data
        while (size := self._size_of_next()) is not None and size <= len(self._buffer):
            box = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield from self._box(box)

    def _size_of_next(self) -> int | None:
        """Return the size of the first box including its header, None while the header is incomplete."""
        header = box_header(self._buffer)
        if header is None:
            return None
        _name, start, size = header
        if not start <= size <= self._max_box_bytes:
            raise BrokenBoxes(f"a box of {size} bytes")
        return size

    def _box(self, box: bytes) -> Iterator[Movie | Sample]:
        name = box[4:8]
        if name == b"ftyp":
            self._head = box
        elif name == b"moov":
            tracks = read_tracks(box)
            self._tracks = {track.number: track for track in tracks}
            yield Movie(tracks, self._head + box)
        elif name == b"prft":
            self._shown |= [_reference_time(box)]
        elif name == b"moof":
            self._moof = box
        elif name == b"mdat":
            if self._moof is None:
                raise BrokenBoxes("an mdat without its moof")
            yield from read_samples(self._moof, box, self._tracks, self._shown)
            self._moof, self._shown = None, {}


def read_tracks(moov: bytes) -> tuple[Track, ...]:
    """Return the tracks of a ``moov`` box.  Raises BrokenBoxes."""
    try:
        content = _content(moov)
        defaults = dict(_trex(box) for box in children(child(content, b"mvex"), b"trex"))
        return tuple(_track(box, defaults) for box in children(content, b"trak"))
    except (struct.error, IndexError) as error:
        raise BrokenBoxes("a moov that ends too early") from error


def _trex(box: bytes) -> tuple[int, tuple[int, int, int]]:
    number, _description, *defaults = struct.unpack_from(">5I", box, 4)
    return number, (defaults[0], defaults[1], defaults[2])


def _track(trak: bytes, defaults: dict[int, tuple[int, int, int]]) -> Track:
    number = track_number(child(trak, b"tkhd"))
    mdhd = child(trak, b"mdia", b"mdhd")
    name, entry = next(sample_entries(trak), (b"", b""))
    width_px, height_px = entry_size_px(entry) if name == b"avc1" else (0, 0)
    return Track(
        number=number,
        kind=handler(trak),
        timescale=struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)[0] or 1,
        codecs=entry_codec(name, entry),
        width_px=width_px,
        height_px=height_px,
        defaults=defaults.get(number, (0, 0, 0)),
    )


def _reference_time(prft: bytes) -> tuple[int, int]:
    """Return track and media time of a producer reference time (8.16.5).  Raises BrokenBoxes."""
    try:
        version_and_flags, track = struct.unpack_from(">II", _content(prft))
        return track, struct.unpack_from(">Q" if version_and_flags >> 24 else ">I", _content(prft), 16)[0]
    except struct.error as error:
        raise BrokenBoxes("a prft that ends too early") from error


def read_samples(
    moof: bytes, mdat: bytes, tracks: dict[int, Track], shown: Mapping[int, int] | None = None
) -> Iterator[Sample]:
    """Yield the samples of one fragment, track after track.  Raises BrokenBoxes.

    ``shown`` holds the presentation time of the first sample of some tracks.
    """
    try:
        for traf in children(_content(moof), b"traf"):
            shift = None
            for sample in _traf(traf, moof + mdat, tracks):
                if shift is None:
                    at = sample.decode_time + sample.composition_offset
                    shift = (shown or {}).get(sample.track, at) - at
                yield replace(sample, decode_time=sample.decode_time + shift)
    except (struct.error, IndexError) as error:
        raise BrokenBoxes("a moof that ends too early") from error


def _traf(traf: bytes, fragment: bytes, tracks: dict[int, Track]) -> Iterator[Sample]:
    tfhd, tfdt = child(traf, b"tfhd"), child(traf, b"tfdt")
    flags, number = struct.unpack_from(">II", tfhd)
    track = tracks.get(number)
    if track is None or flags & 0x1:
        raise BrokenBoxes("a fragment of an unknown track, or one that is read from elsewhere")
    # A field is present if its flag is set; skip the sample description's index.
    at = 8 + (4 if flags & 0x2 else 0)
    defaults = list(track.defaults)
    for place, flag in enumerate((0x8, 0x10, 0x20)):
        if flags & flag:
            defaults[place] = struct.unpack_from(">I", tfhd, at)[0]
            at += 4
    time = struct.unpack_from(">Q" if tfdt[0] else ">I", tfdt, 4)[0]
    for trun in children(traf, b"trun"):
        for sample in _trun(trun, fragment, number, time, defaults):
            time = sample.end
            yield sample


def _trun(trun: bytes, fragment: bytes, track: int, time: int, defaults: list[int]) -> Iterator[Sample]:
    flags, count, offset = struct.unpack_from(">IIi", trun)
    if not flags & 0x1 or count > MAX_RUN_SAMPLES:
        raise BrokenBoxes("a run of samples without a place, or without an end")
    at = 12
    first_flags = None
    if flags & 0x4:
        first_flags, at = struct.unpack_from(">I", trun, at)[0], at + 4
    signed = bool(trun[0])
    for index in range(count):
        values = list(defaults)
        for place, flag in enumerate((0x100, 0x200, 0x400)):
            if flags & flag:
                values[place], at = struct.unpack_from(">I", trun, at)[0], at + 4
        composition_offset = 0
        if flags & 0x800:
            composition_offset = struct.unpack_from(">i" if signed else ">I", trun, at)[0]
            at += 4
        duration, size, sample_flags = values
        if index == 0 and first_flags is not None:
            sample_flags = first_flags
        data = fragment[offset : offset + size]
        if offset < 0 or len(data) != size:
            raise BrokenBoxes("a sample outside of its fragment")
        yield Sample(track, time, duration, sample_flags, composition_offset, data)
        time, offset = time + duration, offset + size


def _content(box: bytes) -> bytes:
    header = box_header(box)
    return box[header[1] :] if header else b""


def write_fragment(sequence: int, runs: Sequence[Sequence[Sample]]) -> bytes:
    """Return ``moof`` and ``mdat`` with one run of samples for each track; empty runs are omitted."""
    runs = [run for run in runs if run]
    # The offset of each run's data depends on the size of the moof, which no offset changes.
    size = len(_moof(sequence, runs, [0] * len(runs)))
    offsets, at = [], size + 8
    for run in runs:
        offsets.append(at)
        at += sum(len(sample.data) for sample in run)
    data = (sample.data for run in runs for sample in run)
    return _moof(sequence, runs, offsets) + write_box(b"mdat", *data)


def _moof(sequence: int, runs: Sequence[Sequence[Sample]], offsets: Sequence[int]) -> bytes:
    trafs = (_write_traf(run, offset) for run, offset in zip(runs, offsets, strict=True))
    return write_box(b"moof", write_box(b"mfhd", struct.pack(">II", 0, sequence)), *trafs)


def _write_traf(run: Sequence[Sample], offset: int) -> bytes:
    samples = b"".join(
        struct.pack(">IIIi", sample.duration, len(sample.data), sample.flags, sample.composition_offset)
        for sample in run
    )
    return write_box(
        b"traf",
        # Data offsets count from the moof (default-base-is-moof).
        write_box(b"tfhd", struct.pack(">II", 0x020000, run[0].track)),
        write_box(b"tfdt", struct.pack(">IQ", 0x01000000, run[0].decode_time)),
        # Version 1: composition offsets are signed.  Every sample has every field.
        write_box(b"trun", struct.pack(">IIi", 0x01000F01, len(run), offset), samples),
    )
