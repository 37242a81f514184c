"""The header of an MP4 file (ISO/IEC 14496-12): values that FFmpeg does not report.

They are the *declared* values: sizes, durations, track numbers and protection.  Damage
raises no error: an unreadable header is left to FFmpeg.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from common.media.boxes import BrokenBoxes, boxes, places
from common.media.tracks import entry_size_px, handler, sample_entries, track_number

from .byteranges import RangeReader

_MAX_TOP_LEVEL_BOXES = 1000
_MAX_MOOV_BYTES = 64 * 1024**2
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


def box_kinds(path: Path) -> frozenset[bytes]:
    """Return the kinds of the boxes that fill a file exactly; empty if the file is missing or cut."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return frozenset()
    with file:
        size_bytes = path.stat().st_size

        def bytes_at(start: int, length: int) -> bytes:
            file.seek(start)
            return file.read(length)

        found = list(places(bytes_at, size_bytes, most=_MAX_TOP_LEVEL_BOXES))
    is_whole = bool(found) and found[-1].start + found[-1].size == size_bytes
    return frozenset(place.kind for place in found) if is_whole else frozenset()


def find_moov(read: RangeReader, *, head: bytes, size_bytes: int) -> memoryview | None:
    """Return the content of the file's ``moov``, up to the end of the file; None if there is none to read.

    ``read`` is called only for bytes that ``head``, the file's beginning, does not hold.
    """

    def bytes_at(start: int, length: int) -> bytes:
        return head[start : start + length] if start + length <= len(head) else read(start, length)

    for place in places(bytes_at, size_bytes, most=_MAX_TOP_LEVEL_BOXES):
        if place.kind == b"moov":
            room = size_bytes - place.start
            length = min(place.size or room, room)
            if length > _MAX_MOOV_BYTES:
                return None
            return memoryview(bytes_at(place.start, length))[place.header_size :]
    return None


def read_header(read: RangeReader, *, head: bytes, size_bytes: int) -> Header | None:
    """Return the values that the file's ``moov`` declares, or None if none is found."""
    moov = find_moov(read, head=head, size_bytes=size_bytes)
    return None if moov is None else declared(moov)


def declared(moov: memoryview) -> Header:
    """Return the values that the content of a ``moov`` declares."""
    header = Header()
    for kind, payload in boxes(moov, is_lenient=True):
        if kind == b"mvhd":
            header.duration_s = _duration_s(bytes(payload[:32]))
        elif kind == b"mvex":
            header.is_fragmented = True
        elif kind == b"trak":
            _read_track(payload, header)
    return header


def _duration_s(mvhd: bytes) -> float | None:
    """Return the duration in a version 0 or 1 ``mvhd`` (14496-12, 8.2.2); None if it is unknown."""
    if len(mvhd) < 32:
        return None
    is_long = mvhd[0] == 1
    timescale = int.from_bytes(mvhd[20:24] if is_long else mvhd[12:16])
    duration = int.from_bytes(mvhd[24:32] if is_long else mvhd[16:20])
    return None if not timescale or duration in _UNKNOWN_DURATIONS else duration / timescale


def _read_track(trak: memoryview, header: Header) -> None:
    for kind, payload in boxes(trak, is_lenient=True):
        if kind == b"tkhd":
            with suppress(BrokenBoxes):
                header.track_ids.append(track_number(payload))
    try:
        is_video = handler(trak, is_lenient=True) == "vide"
        entries = sample_entries(trak, is_lenient=True)
    except BrokenBoxes:
        return
    for kind, entry in entries:
        header.is_protected |= kind in _PROTECTED
        if is_video:
            with suppress(BrokenBoxes):
                header.sizes_px.append(entry_size_px(entry))
