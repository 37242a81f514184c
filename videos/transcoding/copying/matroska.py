"""The tracks and frames of a Matroska file (RFC 9559), from one pass over its elements.

Blocks are not read, only their headers.  Tracks with lacing, compression or encryption
have no frames of their own in the file, and are encoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from .eligibility import NotCopied
from .scanned import ScannedTrack, aac_entry, colour_box, visual_entry
from .scanning import Scan

_EBML, _SEGMENT, _CLUSTER, _INFO, _TRACKS, _CUES = (
    0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1549A966, 0x1654AE6B, 0x1C53BB6B,
)  # fmt: skip
_TIMESTAMP, _SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK, _REFERENCE = 0xE7, 0xA3, 0xA0, 0xA1, 0xFB
_TRACK_ENTRY, _VIDEO, _AUDIO, _COLOUR, _PROJECTION = 0xAE, 0xE0, 0xE1, 0x55B0, 0x7670
_SCALE = 0x2AD7B1
_NUMBER, _TYPE, _CODEC, _PRIVATE, _STEP, _DELAY, _ENCODINGS, _TRACK_SCALE = (
    0xD7, 0x83, 0x86, 0x63A2, 0x23E383, 0x56AA, 0x6D80, 0x23314F,
)  # fmt: skip
_DISPLAY_SIZE, _PIXEL_SIZE = (0x54B0, 0x54BA), (0xB0, 0xBA)
_CROPS = (0x54AA, 0x54BB, 0x54CC, 0x54DD)
_STEREO, _ALPHA = 0x53B8, 0x53C0
_MATRIX, _RANGE, _TRANSFER, _PRIMARIES = 0x55B1, 0x55B9, 0x55BA, 0x55BB
_POSES = (0x7671, 0x7673, 0x7674, 0x7675)

_KINDS = {1: "vide", 2: "soun"}
_LACED = 0x06
_KEY = 0x80
_NANOSECONDS = 1_000_000_000
_MAX_HEADER_BYTES = 4 * 1024**2
_MAX_CHILDREN = 4096
# Kind and size of an element, and the header of a block behind them.
_HEAD = 24
_MAX_GROUP_CHILDREN = 64
_LONGEST_STEP_S = 3600


@dataclass(slots=True)
class MatroskaFile:
    """The video and audio tracks of a file in the order of their entries; ``has_cues`` if it has an index."""

    tracks: list[ScannedTrack] = field(default_factory=list)
    has_cues: bool = False


@dataclass(slots=True)
class _State:
    """The values that the blocks of a file depend on; ``by_number`` has None for tracks of other kinds."""

    timescale: int = 1000
    cluster_ticks: int | None = None
    is_open: bool = False
    by_number: dict[int, ScannedTrack | None] = field(default_factory=dict)


def scan_matroska(scan: Scan) -> MatroskaFile:
    """Return the tracks of a Matroska file with all their frames.  Raises NotCopied."""
    state, has_cues, at = _State(), False, 0
    while (element := _read_element(head := scan.take(at, _HEAD), at)) is not None:
        kind, start, size = element
        if kind in {_SEGMENT, _CLUSTER}:
            # Both may be of unknown size: their children follow, and no kind occurs in both.
            if kind == _SEGMENT and state.is_open:
                raise NotCopied("tables", "a second segment")
            state.is_open, state.cluster_ticks, at = True, None, start
            continue
        if size is None or start + size > scan.size_bytes:
            break  # the end is missing, as after a crash
        if kind == _SIMPLE_BLOCK:
            _add_block(state, head[start - at :], start, start + size, is_key=None)
        elif kind == _BLOCK_GROUP:
            _add_group(scan, state, (start, start + size))
        else:
            _read_header(scan, state, kind, start, size)
            has_cues |= kind == _CUES and size > 0
        at = start + size
    return MatroskaFile([track for track in state.by_number.values() if track is not None], has_cues)


def _read_header(scan: Scan, state: _State, kind: int, start: int, size: int) -> None:
    """Read an element that is no block; most need not be read."""
    if kind == _TIMESTAMP:
        state.cluster_ticks = int.from_bytes(scan.take(start, min(size, 8)))
    elif kind == _INFO:
        state.timescale = _timescale(_header(scan, start, size))
    elif kind == _TRACKS:
        if state.by_number:
            raise NotCopied("tables", "tracks twice")
        state.by_number = _tracks(_header(scan, start, size), state.timescale)
    elif kind == _EBML and state.is_open:
        raise NotCopied("tables", "a second file")


def _read_element(head: bytes, at: int) -> tuple[int, int, int | None] | None:
    """Return kind, start of the content and size of an element that begins with ``head`` at ``at``.

    The size is None where it is unknown; the result is None at the end of the file.
    """
    if len(head) < 2:
        return None
    kind_bytes = 9 - head[0].bit_length()
    if kind_bytes > 4:
        raise NotCopied("damaged", f"no element at {at}")
    first = head[kind_bytes] if kind_bytes < len(head) else 0
    size_bytes = 9 - first.bit_length()
    if size_bytes > 8:
        raise NotCopied("damaged", f"an element without a size at {at}")
    if len(head) < kind_bytes + size_bytes:
        return None
    kind = int.from_bytes(head[:kind_bytes])
    most = (1 << 7 * size_bytes) - 1
    size = int.from_bytes(head[kind_bytes : kind_bytes + size_bytes]) & most
    return kind, at + kind_bytes + size_bytes, None if size == most else size


def _children(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of the elements in ``data``.  Raises NotCopied."""
    at = 0
    for _ in range(_MAX_CHILDREN):
        element = _read_element(data[at : at + 12], at)
        if element is None:
            return
        kind, start, size = element
        if size is None or start + size > len(data):
            raise NotCopied("damaged", "an element that is longer than its parent")
        yield kind, data[start : start + size]
        at = start + size
    raise NotCopied("damaged", f"more than {_MAX_CHILDREN} elements side by side")


def _header(scan: Scan, start: int, size: int) -> bytes:
    if size > _MAX_HEADER_BYTES:
        raise NotCopied("tables", f"a header of {size} bytes")
    return scan.take(start, size)


def _timescale(info: bytes) -> int:
    """Return the ticks of a second."""
    scale = _whole(dict(_children(info)), _SCALE, 1_000_000)
    if not scale or _NANOSECONDS % scale:
        raise NotCopied("tables", f"ticks of {scale} ns")
    return _NANOSECONDS // scale


def _tracks(data: bytes, timescale: int) -> dict[int, ScannedTrack | None]:
    """Return the tracks by their numbers, in order; None for one that is neither video nor audio."""
    found: dict[int, ScannedTrack | None] = {}
    for kind, entry in _children(data):
        if kind == _TRACK_ENTRY:
            fields = dict(_children(entry))
            number = _whole(fields, _NUMBER, 0)
            if number in found or not number:
                raise NotCopied("tables", f"track number {number}")
            found[number] = _track(fields, number, timescale)
    return found


def _track(fields: dict[int, bytes], number: int, timescale: int) -> ScannedTrack | None:
    kind = _KINDS.get(_whole(fields, _TYPE, 0))
    if kind is None:
        return None
    step_ns = _whole(fields, _STEP, 0)
    if step_ns > _LONGEST_STEP_S * _NANOSECONDS:
        raise NotCopied("times", f"frames of {step_ns} ns")
    track = ScannedTrack(
        number=number,
        kind=kind,
        timescale=timescale,
        delay_s=_whole(fields, _DELAY, 0) / _NANOSECONDS,
        claimed_rate=Fraction(_NANOSECONDS, step_ns) if step_ns and kind == "vide" else None,
    )
    codec, private = fields.get(_CODEC, b"").rstrip(b"\0"), fields.get(_PRIVATE, b"")
    is_plain = _ENCODINGS not in fields and _track_scale(fields) == 1
    if not is_plain:
        return track
    if kind == "vide" and codec == b"V_MPEG4/ISO/AVC":
        _describe_video(track, dict(_children(fields.get(_VIDEO, b""))), private)
    elif kind == "soun" and codec == b"A_AAC":
        track.entry_kind, track.entry = b"mp4a", aac_entry(private)
    return track


def _describe_video(track: ScannedTrack, video: dict[int, bytes], private: bytes) -> None:
    if any(_whole(video, kind, 0) for kind in (*_CROPS, _STEREO, _ALPHA)):
        raise NotCopied("cropped", "cropped, stereoscopic or transparent frames")
    boxes = []
    if _COLOUR in video:
        colour = dict(_children(video[_COLOUR]))
        numbers = [_whole(colour, kind, 2) for kind in (_PRIMARIES, _TRANSFER, _MATRIX)]
        if max(numbers) > 255:
            raise NotCopied("colours", str(numbers))
        boxes.append(colour_box(*numbers, is_full=_whole(colour, _RANGE, 0) == 2))
    track.entry_kind, track.entry = b"avc1", visual_entry(private, *boxes)
    stored = [_whole(video, kind, 0) for kind in _PIXEL_SIZE]
    width, height = (_whole(video, kind, own) for kind, own in zip(_DISPLAY_SIZE, stored, strict=True))
    track.size_px = (float(width), float(height))
    projection = dict(_children(video.get(_PROJECTION, b"")))
    track.is_turned = any(projection.get(kind, b"").strip(b"\0") for kind in _POSES)


def _track_scale(fields: dict[int, bytes]) -> float:
    data = fields.get(_TRACK_SCALE, b"")
    formats = {4: ">f", 8: ">d"}
    return float(struct.unpack(formats[len(data)], data)[0]) if len(data) in formats else 1.0


def _whole(fields: dict[int, bytes], kind: int, otherwise: int) -> int:
    """Return a whole number among the fields of an element, ``otherwise`` where it is missing."""
    data = fields.get(kind)
    return otherwise if data is None or len(data) > 8 else int.from_bytes(data)


def _add_group(scan: Scan, state: _State, span: tuple[int, int]) -> None:
    at, end = span
    block, is_key = None, True
    for _ in range(_MAX_GROUP_CHILDREN):
        element = _read_element(scan.take(at, 12), at) if at < end else None
        if element is None:
            break
        kind, start, size = element
        if size is None or start + size > end:
            raise NotCopied("damaged", f"a block group at {at}")
        if kind == _BLOCK:
            block = (start, start + size)
        is_key &= kind != _REFERENCE
        at = start + size
    if block is not None:
        _add_block(state, scan.take(block[0], _HEAD), *block, is_key=is_key)


def _add_block(state: _State, head: bytes, start: int, end: int, *, is_key: bool | None) -> None:
    """Add the frame of a block that begins with ``head`` (RFC 9559, 10.1).

    A simple block says itself whether it is a keyframe.
    """
    number_bytes = 9 - head[0].bit_length() if head else 9
    if number_bytes > 4 or end - start < number_bytes + 3 or state.cluster_ticks is None:
        raise NotCopied("damaged", f"a block at {start}")
    number = int.from_bytes(head[:number_bytes]) & (1 << 7 * number_bytes) - 1
    track = state.by_number.get(number)
    if track is None:
        return
    offset = int.from_bytes(head[number_bytes : number_bytes + 2], signed=True)
    flags = head[number_bytes + 2]
    if flags & _LACED:
        # Several frames in one block, which the header of the block does not separate.
        track.entry_kind = b"lace"
    if is_key is None:
        is_key = bool(flags & _KEY)
    data = start + number_bytes + 3
    track.add(data, end - data, state.cluster_ticks + offset, is_key=is_key)
