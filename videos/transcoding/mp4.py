"""A small reader of MP4 boxes (ISO/IEC 14496-12), for header values that FFmpeg does not report.

It reads the *declared* values: sizes, durations, track numbers and protection.  Every
loop is bounded and nothing recurses.  It raises no error for damage: an unreadable
header is left to FFmpeg.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .byteranges import RangeReader

_MAX_TOP_LEVEL_BOXES = 1000
_MAX_BOXES = 4096
_MAX_MOOV_BYTES = 64 * 1024**2
_BOX_HEADER = 16
_ENDLESS = 2**63
_UNKNOWN_DURATIONS = frozenset({0, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF})
_PROTECTED = frozenset({b"encv", b"enca", b"drms", b"drmi"})


@dataclass(slots=True)
class Header:
    """The values in ``moov``: duration in seconds, fragmentation, protection, sizes, track numbers."""

    duration_s: float | None = None
    is_fragmented: bool = False
    is_protected: bool = False
    sizes_px: list[tuple[int, int]] = field(default_factory=list)
    track_ids: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    payload: memoryview


def box_kinds(path: Path) -> frozenset[bytes]:
    """Return the kinds of the boxes that fill a file exactly; empty if the file is missing or cut."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return frozenset()
    with file:
        size_bytes = path.stat().st_size
        kinds: set[bytes] = set()
        start = 0
        for _ in range(_MAX_TOP_LEVEL_BOXES):
            if start == size_bytes:
                return frozenset(kinds)
            file.seek(start)
            kind, header_length, length = _box_header(file.read(_BOX_HEADER), room=_ENDLESS)
            if length < header_length or start + length > size_bytes:
                break
            kinds.add(kind)
            start += length
    return frozenset()


def read_header(read: RangeReader, *, head: bytes, size_bytes: int) -> Header | None:
    """Return the values that the file's ``moov`` declares, or None if none is found.

    ``read`` is called only for bytes that ``head``, the file's beginning, does not hold.
    """

    def bytes_at(start: int, length: int) -> bytes:
        return head[start : start + length] if start + length <= len(head) else read(start, length)

    start = 0
    for _ in range(_MAX_TOP_LEVEL_BOXES):
        kind, header_length, length = _box_header(bytes_at(start, 16), room=size_bytes - start)
        if length < header_length:
            return None
        if kind == b"moov":
            if length > _MAX_MOOV_BYTES:
                return None
            return _read_moov(memoryview(bytes_at(start, length))[header_length:])
        start += length
    return None


def _box_header(data: bytes, *, room: int) -> tuple[bytes, int, int]:
    """Return kind, header length and whole length; a length of 0 means that there is no box here."""
    if len(data) < 8 or room < 8:
        return b"", 8, 0
    length, kind, header_length = int.from_bytes(data[:4]), data[4:8], 8
    if length == 1 and len(data) >= 16:
        length, header_length = int.from_bytes(data[8:16]), 16
    # 0: the box runs to the end of its container (14496-12, 4.2).
    return kind, header_length, min(length or room, room)


def _boxes(data: memoryview) -> Iterator[_Box]:
    """Yield the boxes that lie side by side in ``data``."""
    for _ in range(_MAX_BOXES):
        kind, header_length, length = _box_header(bytes(data[:16]), room=len(data))
        if length < header_length:
            return
        yield _Box(kind, data[header_length:length])
        data = data[length:]


def _descend(data: memoryview, *path: bytes) -> memoryview | None:
    """Return the payload of the first box at the end of ``path``; None without one."""
    for kind in path:
        found = next((box.payload for box in _boxes(data) if box.kind == kind), None)
        if found is None:
            return None
        data = found
    return data


def _read_moov(moov: memoryview) -> Header:
    header = Header()
    for box in _boxes(moov):
        if box.kind == b"mvhd":
            header.duration_s = _duration_s(bytes(box.payload[:32]))
        elif box.kind == b"mvex":
            header.is_fragmented = True
        elif box.kind == b"trak":
            _read_track(box.payload, header)
    return header


def _duration_s(mvhd: bytes) -> float | None:
    """Return the duration in a version 0 or 1 ``mvhd`` (14496-12, 8.2.2); None if it is unknown."""
    if len(mvhd) < 32:
        return None
    is_long = mvhd[0] == 1
    timescale = int.from_bytes(mvhd[20:24] if is_long else mvhd[12:16])
    duration = int.from_bytes(mvhd[24:32] if is_long else mvhd[16:20])
    return None if not timescale or duration in _UNKNOWN_DURATIONS else duration / timescale


def _track_id(tkhd: bytes) -> int:
    """Return the track number in a version 0 or 1 ``tkhd`` (14496-12, 8.3.2)."""
    return int.from_bytes(tkhd[20:24] if tkhd[:1] == b"\x01" else tkhd[12:16])


def _read_track(trak: memoryview, header: Header) -> None:
    header.track_ids += [_track_id(bytes(box.payload[:24])) for box in _boxes(trak) if box.kind == b"tkhd"]
    handler = _descend(trak, b"mdia", b"hdlr")
    sample_descriptions = _descend(trak, b"mdia", b"minf", b"stbl", b"stsd")
    if sample_descriptions is None or handler is None:
        return
    for entry in _boxes(sample_descriptions[8:]):
        if entry.kind in _PROTECTED:
            header.is_protected = True
        # VisualSampleEntry: width and height at 24 and 26 (14496-12, 12.1.3).
        if bytes(handler[8:12]) == b"vide" and len(entry.payload) >= 28:
            size = bytes(entry.payload[24:28])
            header.sizes_px.append((int.from_bytes(size[:2]), int.from_bytes(size[2:])))
