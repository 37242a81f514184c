"""Tables of scanned tracks as bytes, so that a file is scanned once and not by every worker."""

from __future__ import annotations

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import asdict, fields

from .eligibility import NotCopied
from .tables import MAX_SAMPLES, DeclaredTrack, Edit, FileTimes, TrackTables

_MAGIC = b"ztbl1\n"
_MAX_STORED_TRACKS = 32
_ARRAYS = (("sizes", "I"), ("places", "q"), ("presented", "q"), ("decoded_until", "q"))


def dump(tracks: Sequence[TrackTables]) -> bytes:
    """Return tables as bytes; ``load`` reads them back without loss."""
    heads, body = [], bytearray()
    for track in tracks:
        arrays = [getattr(track, name) for name, _ in _ARRAYS]
        arrays += [] if track.keyframes is None else [track.keyframes]
        arrays += [track.clock.times] if track.clock else []
        head = {one.name: getattr(track, one.name) for one in fields(DeclaredTrack)}
        heads.append(
            head
            | {
                "entry_kind": track.entry_kind.hex(),
                "entry": track.entry.hex(),
                "edits": [asdict(edit) for edit in track.edits],
                "count": len(track.sizes),
                "keyframes": None if track.keyframes is None else len(track.keyframes),
                "clock": track.clock.timescale if track.clock else None,
            }
        )
        for one in arrays:
            body += _bytes_of(one)
    header = json.dumps(heads).encode()
    # Times and places grow in small steps, which even the fastest level halves.
    return _MAGIC + struct.pack(">I", len(header)) + header + zlib.compress(bytes(body), 1)


def load(data: bytes) -> list[TrackTables]:
    """Return the tables that ``dump`` wrote.  Raises NotCopied if they are incomplete."""
    try:
        if not data.startswith(_MAGIC):
            raise NotCopied("tables", "stored by another version")
        (length,) = struct.unpack_from(">I", data, len(_MAGIC))
        start = len(_MAGIC) + 4
        heads = json.loads(data[start : start + length])
        return _read(heads[:_MAX_STORED_TRACKS], _inflated(data[start + length :]))
    except (struct.error, ValueError, KeyError, TypeError, zlib.error) as error:
        raise NotCopied("tables", str(error)) from error


def _read(heads: list[dict[str, object]], body: memoryview) -> list[TrackTables]:
    at, found = 0, []

    def numbers(code: str, count: object) -> array[int]:
        nonlocal at
        one: array[int] = array(code)
        end = at + int(str(count)) * one.itemsize
        if end > len(body):
            raise ValueError("arrays that end too early")
        one.frombytes(body[at:end])
        if sys.byteorder == "big":
            one.byteswap()
        at = end
        return one

    for head in heads:
        count, keyframes, clock = (head.pop(name) for name in ("count", "keyframes", "clock"))
        arrays = {name: numbers(code, count) for name, code in _ARRAYS}
        declared = {
            **head,
            "entry_kind": bytes.fromhex(str(head["entry_kind"])),
            "entry": bytes.fromhex(str(head["entry"])),
            "size_px": tuple(head["size_px"]),  # type: ignore[arg-type]
            "edits": tuple(Edit(**edit) for edit in head["edits"]),  # type: ignore[attr-defined]
        }
        keys = None if keyframes is None else numbers("I", keyframes)
        times = None if clock is None else FileTimes(int(str(clock)), numbers("q", count))
        found.append(TrackTables(**declared, **arrays, keyframes=keys, clock=times))  # type: ignore[arg-type]
    return found


def _bytes_of(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _inflated(data: bytes) -> memoryview:
    """Return the arrays of at most ``_MAX_STORED_TRACKS`` tracks."""
    most = _MAX_STORED_TRACKS * MAX_SAMPLES * 8
    return memoryview(zlib.decompressobj().decompress(data, most))
