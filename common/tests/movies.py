"""MP4 headers for tests, box by box."""

from __future__ import annotations

import struct

from common.media.boxes import write_box


def avc1(width_px: int = 1280, height_px: int = 720, kind: bytes = b"avc1") -> bytes:
    """Return a sample entry of H.264: High profile, level 3.1."""
    size = struct.pack(">HH", width_px, height_px)
    return write_box(kind, bytes(24), size, bytes(50), write_box(b"avcC", bytes([1, 0x64, 0, 0x1F, 0xFF])))


def mp4a(configuration: str = "1190", object_type: int = 0x40, kind: bytes = b"mp4a") -> bytes:
    """Return a sample entry of MPEG-4 audio with its AudioSpecificConfig in hexadecimal."""
    specific = bytes.fromhex(configuration)
    decoder = bytes([object_type, *bytes(12), 0x05, len(specific)]) + specific
    elementary = bytes([0, 1, 0, 0x04, len(decoder)]) + decoder
    esds = write_box(b"esds", bytes(4), bytes([0x03, len(elementary)]), elementary)
    return write_box(kind, bytes(28), esds)


def track(number: int, kind: bytes = b"vide", *entries: bytes) -> bytes:
    """Return a ``trak`` box with a timescale of 16,000; its entries are ``avc1()`` if none is given."""
    descriptions = write_box(b"stsd", bytes(8), *(entries or (avc1(),)))
    return write_box(
        b"trak",
        write_box(b"tkhd", struct.pack(">6I", 0, 0, 0, number, 0, 0)),
        write_box(
            b"mdia",
            write_box(b"mdhd", struct.pack(">5I", 0, 0, 0, 16000, 0)),
            write_box(b"hdlr", struct.pack(">II4s", 0, 0, kind)),
            write_box(b"minf", write_box(b"stbl", descriptions)),
        ),
    )
