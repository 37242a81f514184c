"""Tracks of an MP4 header, a ``trak`` box each: number, handler, sample entries, codec.

The functions raise BrokenBoxes for a box that is missing, or that ends too early.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from common.media.aac import esds_codec
from common.media.bits import BrokenConfiguration
from common.media.boxes import BrokenBoxes, Buffer, boxes, child

# Sizes of a sample entry before its own boxes (ISO/IEC 14496-12, 12.1.3 and 12.2.3).
_VISUAL_FIELDS, _AUDIO_FIELDS = 78, 28


def track_number(tkhd: bytes | memoryview) -> int:
    """Return the number in a version 0 or 1 ``tkhd`` (14496-12, 8.3.2)."""
    number = bytes(tkhd[20:24] if tkhd[:1] == b"\x01" else tkhd[12:16])
    if len(number) < 4:
        raise BrokenBoxes("a tkhd that ends too early")
    return int.from_bytes(number)


def handler(trak: Buffer, *, is_lenient: bool = False) -> str:
    """Return the kind of a track: ``vide``, ``soun``, … (8.4.3)."""
    return bytes(child(trak, b"mdia", b"hdlr", is_lenient=is_lenient)[8:12]).decode("latin-1")


def sample_entries(trak: Buffer, *, is_lenient: bool = False) -> Iterator[tuple[bytes, Buffer]]:
    """Yield format and payload of the sample entries of a track (8.5.2)."""
    descriptions = child(trak, b"mdia", b"minf", b"stbl", b"stsd", is_lenient=is_lenient)
    return boxes(descriptions[8:], is_lenient=is_lenient)


def entry_size_px(entry: bytes | memoryview) -> tuple[int, int]:
    """Return width and height of a visual sample entry."""
    try:
        width_px, height_px = struct.unpack_from(">HH", entry, 24)
    except struct.error as error:
        raise BrokenBoxes("a visual sample entry that ends too early") from error
    return width_px, height_px


def entry_codec(kind: bytes, entry: bytes) -> str:
    """Return the RFC 6381 name of a sample entry: of H.264 and MPEG-4 audio with its profile."""
    if kind == b"avc1":
        # Profile, constraints and level of the decoder configuration (ISO/IEC 14496-15, 5.3.3.1).
        return f"avc1.{child(entry[_VISUAL_FIELDS:], b'avcC')[1:4].hex()}"
    if kind == b"mp4a":
        try:
            return esds_codec(child(entry[_AUDIO_FIELDS:], b"esds")[4:])
        except BrokenConfiguration as error:
            raise BrokenBoxes(f"an esds with {error}") from error
    return kind.decode("latin-1")
