"""The samples of a fragmented MP4 (ISO/IEC 14496-12, 8.8), from one pass over its ``moof`` boxes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

from common.media.boxes import BrokenBoxes, box_header, child, children
from common.media.fragments import NOT_SYNC

from .eligibility import NotCopied
from .scanned import ScannedTrack
from .scanning import Scan
from .tables import Edit, read_declared

_MAX_MOOF_BYTES = 8 * 1024**2
_BOX_HEAD = 16
# Fragments hold seconds; some recorders write a minute.
_MAX_RUN_SAMPLES = 100_000


@dataclass(frozen=True, slots=True)
class _Defaults:
    """The duration, size and flags of samples whose run has none."""

    duration: int = 0
    size: int = 0
    flags: int = 0


def scan_fragments(scan: Scan, moov: memoryview, numbers: Sequence[int]) -> list[ScannedTrack]:
    """Return the tracks ``numbers`` of a fragmented MP4 with all their samples.

    Raises NotCopied, or BrokenBoxes, struct.error, IndexError and OverflowError for damaged boxes.
    """
    defaults = _trex(moov)
    tracks = {number: _track(moov, number) for number in numbers}
    at = 0
    while (header := box_header(scan.take(at, _BOX_HEAD))) is not None:
        kind, header_size, size = header
        if not header_size <= size:
            break  # runs to the end of the file, or is damaged, which the samples' places tell
        if kind == b"moof":
            if size > _MAX_MOOF_BYTES:
                raise NotCopied("tables", f"a moof of {size} bytes")
            _read_moof(scan, scan.take(at, size)[header_size:], at, tracks, defaults)
        at += size
    return [_rebased(track) for track in tracks.values()]


def _track(moov: memoryview, number: int) -> ScannedTrack:
    declared = read_declared(moov, number)
    return ScannedTrack(
        number=number,
        kind=declared.kind,
        timescale=declared.timescale,
        entry_kind=declared.entry_kind,
        entry=declared.entry,
        size_px=declared.size_px,
        is_turned=declared.is_turned,
        edits=declared.edits,
        has_rounded_times=False,
    )


def _trex(moov: memoryview) -> dict[int, _Defaults]:
    found = {}
    for payload in children(child(moov, b"mvex", is_lenient=True), b"trex"):
        number, _, *values = struct.unpack_from(">5I", payload, 4)
        found[number] = _Defaults(*values)
    return found


def _read_moof(
    scan: Scan, moof: bytes, at: int, tracks: dict[int, ScannedTrack], defaults: dict[int, _Defaults]
) -> None:
    """Add the samples of a fragment that begins at ``at``."""
    # Without a base of its own, each track continues behind the data of the one before.
    follows = at
    for traf in children(moof, b"traf"):
        tfhd = child(traf, b"tfhd")
        flags, number = struct.unpack_from(">II", tfhd)
        place, base = 8, at if flags & 0x20000 else follows
        if flags & 0x1:
            (base,) = struct.unpack_from(">Q", tfhd, place)
            place += 8
        place += 4 if flags & 0x2 else 0
        own = defaults.get(number, _Defaults())
        values = [own.duration, own.size, own.flags]
        for position, flag in enumerate((0x8, 0x10, 0x20)):
            if flags & flag:
                (values[position],) = struct.unpack_from(">I", tfhd, place)
                place += 4
        track = tracks.get(number)
        if track is None:
            continue
        time, follows = _base_time(traf, track), base
        for trun in children(traf, b"trun"):
            scan.check_time()
            time, follows = _read_run(trun, track, _Defaults(*values), base, follows, time, scan.size_bytes)


def _base_time(traf: bytes, track: ScannedTrack) -> int:
    """Return the decoding time of a fragment's first sample; without one it continues the track."""
    for tfdt in children(traf, b"tfdt"):
        time: int = struct.unpack_from(">Q" if tfdt[0] else ">I", tfdt, 4)[0]
        return time
    return track.decoded[-1] + track.last_step if track.decoded else 0


def _read_run(
    trun: bytes,
    track: ScannedTrack,
    defaults: _Defaults,
    base: int,
    follows: int,
    time: int,
    size_bytes: int,
) -> tuple[int, int]:
    """Add the samples of a run; return the time and the place behind them."""
    flags, count = struct.unpack_from(">II", trun)
    present = [bool(flags & flag) for flag in (0x100, 0x200, 0x400, 0x800)]
    # Samples without fields of their own take no bytes, so that any number could be declared.
    if count > _MAX_RUN_SAMPLES or len(trun) < 8 + 4 * sum(present) * count:
        raise BrokenBoxes(f"a run of {count} samples")
    at, place = 8, follows
    if flags & 0x1:
        place = base + struct.unpack_from(">i", trun, at)[0]
        at += 4
    first_flags = None
    if flags & 0x4:
        (first_flags,) = struct.unpack_from(">I", trun, at)
        at += 4
    # Offsets of version 0 are unsigned, but QuickTime writes negative numbers into them.
    row_format = f">{_row_format(present)}"
    data = trun[at : at + 4 * sum(present) * count]
    rows = struct.iter_unpack(row_format, data) if any(present) else repeat((), count)
    for index, row in enumerate(rows):
        own = iter(row)
        duration = next(own) if present[0] else defaults.duration
        size = next(own) if present[1] else defaults.size
        sample_flags = next(own) if present[2] else defaults.flags
        offset = next(own) if present[3] else 0
        if index == 0 and first_flags is not None:
            sample_flags = first_flags
        if not 0 <= place <= size_bytes - size:
            raise BrokenBoxes("a sample outside of the file")
        track.add(place, size, time + offset, is_key=not sample_flags & NOT_SYNC)
        track.decoded.append(time)
        track.last_step = duration
        time, place = time + duration, place + size
    return time, place


def _row_format(present: Sequence[bool]) -> str:
    return "".join(code for code, is_present in zip("IIIi", present, strict=True) if is_present)


def _rebased(track: ScannedTrack) -> ScannedTrack:
    """Return an audio track whose media times begin at 0, as those of a table do."""
    first = track.decoded[0] if track.decoded else 0
    if first and track.kind == "soun" and not track.edits:
        for times in (track.shown, track.decoded):
            times[:] = type(times)("q", (time - first for time in times))
        track.edits = (
            Edit(first / track.timescale, None, is_normal_speed=True),
            Edit(0.0, 0, is_normal_speed=True),
        )
    return track
