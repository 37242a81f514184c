"""Fragmented MP4: a reader for arriving bytes and a writer of parts (ISO/IEC 14496-12).

The reader yields samples, because parts are cut between samples and not at
FFmpeg's flushes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from videos.transcoding.descriptors import audio_codec

# A keyframe of 2160p at 50 Mb/s takes about 1 MB; our outputs stay far below this bound.
MAX_BOX_BYTES = 32 * 1024**2

# A fragment holds a few frames; a run of empty samples could declare any number.
MAX_RUN_SAMPLES = 10_000

NOT_SYNC = 0x0001_0000
"""The sample flag of a picture that needs others."""


class BrokenBoxes(ValueError):
    """Error: the bytes are not the fragmented MP4 that FFmpeg was asked for."""


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
    """Reader of a stream that arrives in pieces of any size; it yields the movie, then the samples."""

    def __init__(self, *, max_box_bytes: int = MAX_BOX_BYTES) -> None:
        self._max_box_bytes = max_box_bytes
        self._buffer = bytearray()
        self._head = b""
        self._tracks: dict[int, Track] = {}
        self._moof: bytes | None = None

    def feed(self, data: bytes) -> Iterator[Movie | Sample]:
        """Yield the movie and the samples that ``data`` completes.  Raises BrokenBoxes."""
        self._buffer += data
        while (size := self._size_of_next()) is not None and size <= len(self._buffer):
            box = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield from self._box(box)

    def _size_of_next(self) -> int | None:
        """Return the size of the first box including its header, None while the header is incomplete."""
        header = _header(self._buffer)
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
        elif name == b"moof":
            self._moof = box
        elif name == b"mdat":
            if self._moof is None:
                raise BrokenBoxes("an mdat without its moof")
            yield from read_samples(self._moof, box, self._tracks)
            self._moof = None


def read_tracks(moov: bytes) -> tuple[Track, ...]:
    """Return the tracks of a ``moov`` box.  Raises BrokenBoxes."""
    try:
        content = _content(moov)
        defaults = dict(_trex(box) for box in _find(_first(content, b"mvex"), b"trex"))
        return tuple(_track(box, defaults) for box in _find(content, b"trak"))
    except (struct.error, IndexError) as error:
        raise BrokenBoxes("a moov that ends too early") from error


def _trex(box: bytes) -> tuple[int, tuple[int, int, int]]:
    number, _description, *defaults = struct.unpack_from(">5I", box, 4)
    return number, (defaults[0], defaults[1], defaults[2])


def _track(trak: bytes, defaults: dict[int, tuple[int, int, int]]) -> Track:
    tkhd, mdia = _first(trak, b"tkhd"), _first(trak, b"mdia")
    number = struct.unpack_from(">I", tkhd, 20 if tkhd[0] else 12)[0]
    mdhd = _first(mdia, b"mdhd")
    entry_box = _first(_first(_first(mdia, b"minf"), b"stbl"), b"stsd")
    name, entry = next(_boxes(entry_box[8:]), (b"", b""))
    width_px, height_px = struct.unpack_from(">HH", entry, 24) if name == b"avc1" else (0, 0)
    return Track(
        number=number,
        kind=_first(mdia, b"hdlr")[8:12].decode("latin-1"),
        timescale=struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)[0] or 1,
        codecs=_codecs(name, entry),
        width_px=width_px,
        height_px=height_px,
        defaults=defaults.get(number, (0, 0, 0)),
    )


def _codecs(name: bytes, entry: bytes) -> str:
    if name == b"avc1":
        # Profile, constraints and level, from the decoder configuration.
        return f"avc1.{_first(entry[78:], b'avcC')[1:4].hex()}"
    if name == b"mp4a":
        return audio_codec(_first(entry[28:], b"esds")[4:])
    return name.decode("latin-1")


def read_samples(moof: bytes, mdat: bytes, tracks: dict[int, Track]) -> Iterator[Sample]:
    """Yield the samples of one fragment, track after track.  Raises BrokenBoxes."""
    try:
        for traf in _find(_content(moof), b"traf"):
            yield from _traf(traf, moof + mdat, tracks)
    except (struct.error, IndexError) as error:
        raise BrokenBoxes("a moof that ends too early") from error


def _traf(traf: bytes, fragment: bytes, tracks: dict[int, Track]) -> Iterator[Sample]:
    tfhd, tfdt = _first(traf, b"tfhd"), _first(traf, b"tfdt")
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
    for trun in _find(traf, b"trun"):
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


def _header(data: bytes | bytearray, at: int = 0) -> tuple[bytes, int, int] | None:
    """Return name, header size and total size of the box at ``at``; None if the header is incomplete."""
    if len(data) < at + 8:
        return None
    size, name = struct.unpack_from(">I4s", data, at)
    if size != 1:
        return name, 8, size
    if len(data) < at + 16:
        return None
    return name, 16, struct.unpack_from(">Q", data, at + 8)[0]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each box."""
    at = 0
    while (header := _header(data, at)) is not None:
        name, start, size = header
        if size < start or at + size > len(data):
            raise BrokenBoxes(f"{name!r} is longer than what holds it")
        yield name, data[at + start : at + size]
        at += size


def _find(data: bytes, wanted: bytes) -> Iterator[bytes]:
    return (content for name, content in _boxes(data) if name == wanted)


def _first(data: bytes, wanted: bytes) -> bytes:
    found = next(_find(data, wanted), None)
    if found is None:
        raise BrokenBoxes(f"no {wanted!r}")
    return found


def _content(box: bytes) -> bytes:
    header = _header(box)
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
    return _moof(sequence, runs, offsets) + _box(b"mdat", *data)


def _moof(sequence: int, runs: Sequence[Sequence[Sample]], offsets: Sequence[int]) -> bytes:
    trafs = (_write_traf(run, offset) for run, offset in zip(runs, offsets, strict=True))
    return _box(b"moof", _box(b"mfhd", struct.pack(">II", 0, sequence)), *trafs)


def _write_traf(run: Sequence[Sample], offset: int) -> bytes:
    samples = b"".join(
        struct.pack(">IIIi", sample.duration, len(sample.data), sample.flags, sample.composition_offset)
        for sample in run
    )
    return _box(
        b"traf",
        # Data offsets count from the moof (default-base-is-moof).
        _box(b"tfhd", struct.pack(">II", 0x020000, run[0].track)),
        _box(b"tfdt", struct.pack(">IQ", 0x01000000, run[0].decode_time)),
        # Version 1: composition offsets are signed.  Every sample has every field.
        _box(b"trun", struct.pack(">IIi", 0x01000F01, len(run), offset), samples),
    )


def _box(name: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), name) + data
