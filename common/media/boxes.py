"""MP4 boxes (ISO/IEC 14496-12, 4.2): a reader for bytes and files, and a writer.

Every loop is bounded and nothing recurses.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

# Boxes that lie side by side in one container; our outputs and most uploads have a dozen.
MAX_BOXES = 4096

_HEADER = struct.Struct(">I4s")

Buffer = TypeVar("Buffer", bytes, memoryview)


class BrokenBoxes(ValueError):
    """Error: the bytes are not the boxes that were expected."""


def box_header(data: bytes | bytearray | memoryview, at: int = 0) -> tuple[bytes, int, int] | None:
    """Return kind, header size and total size of the box at ``at``; None if the header is incomplete.

    A total size of 0 means that the box runs to the end of its container.
    """
    if len(data) < at + 8:
        return None
    size, kind = _HEADER.unpack_from(data, at)
    if size != 1:
        return kind, 8, size
    if len(data) < at + 16:
        return None
    return kind, 16, struct.unpack_from(">Q", data, at + 8)[0]


def boxes(data: Buffer, *, is_lenient: bool = False) -> Iterator[tuple[bytes, Buffer]]:
    """Yield kind and payload of the boxes that lie side by side in ``data``.

    Raises BrokenBoxes for a box that does not fit or tells no size.  A lenient reader cuts the last one off
    at the end of ``data``, and ends before a box that cannot be read.
    """
    at = 0
    end = len(data)
    for _ in range(MAX_BOXES):
        header = box_header(data, at)
        if header is None:
            return
        kind, start, size = header
        if not start <= size <= end - at:
            if not is_lenient:
                if not size:
                    raise BrokenBoxes(f"{kind!r} runs to the end of its container")
                misfit = "shorter than its header" if size < start else "longer than its container"
                raise BrokenBoxes(f"{kind!r} is {misfit}")
            if 0 < size < start:
                return
            size = end - at
        yield kind, data[at + start : at + size]
        at += size
    if not is_lenient and box_header(data, at):
        raise BrokenBoxes(f"more than {MAX_BOXES} boxes side by side")


def children(data: Buffer, wanted: bytes) -> Iterator[Buffer]:
    """Yield the payloads of the boxes of one kind.  Raises BrokenBoxes."""
    return (payload for kind, payload in boxes(data) if kind == wanted)


def child(data: Buffer, *path: bytes, is_lenient: bool = False) -> Buffer:
    """Return the payload of the first box at the end of ``path``.  Raises BrokenBoxes without one."""
    for wanted in path:
        for kind, payload in boxes(data, is_lenient=is_lenient):
            if kind == wanted:
                data = payload
                break
        else:
            raise BrokenBoxes(f"no {wanted!r}")
    return data


@dataclass(frozen=True, slots=True)
class BoxPlace:
    """Place of a box in a file; ``size`` is the declared one, 0 for a box that runs to the end."""

    kind: bytes
    start: int
    header_size: int
    size: int


def places(read: Callable[[int, int], bytes], size_bytes: int, *, most: int) -> Iterator[BoxPlace]:
    """Yield the places of a file's first ``most`` boxes, up to one that is damaged or runs to the end.

    ``read(start, length)`` returns bytes of the file, which has ``size_bytes``.
    """
    start = 0
    for _ in range(most):
        header = box_header(read(start, 16)) if start < size_bytes else None
        if header is None:
            return
        kind, header_size, size = header
        if 0 < size < header_size:
            return
        yield BoxPlace(kind, start, header_size, size)
        if not size:
            return
        start += size


def write_box(kind: bytes, *content: bytes) -> bytes:
    """Return a box of less than 4 GiB."""
    data = b"".join(content)
    return _HEADER.pack(8 + len(data), kind) + data
