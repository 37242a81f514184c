"""Descriptors of MPEG-4 audio in an ``esds`` box (ISO/IEC 14496-1, 7.2.6)."""

from __future__ import annotations


def audio_codec(descriptors: bytes) -> str:
    """Return the RFC 6381 name in an ``esds`` box after its version and flags, e.g. ``mp4a.40.2``.

    Raises IndexError for incomplete descriptors.
    """
    elementary = _descriptor(descriptors, 0x03)
    flags = elementary[2]
    # Optional fields: the id of another stream, a URL, the id of a clock.
    start = 3 + (2 if flags & 0x80 else 0)
    start += 1 + elementary[start] if flags & 0x40 else 0
    start += 2 if flags & 0x20 else 0
    configuration = _descriptor(elementary[start:], 0x04)
    specific = _descriptor(configuration[13:], 0x05)
    # The audio object type takes 5 bits, or 11 (ISO/IEC 14496-3, 1.6.2.1).
    kind = specific[0] >> 3
    if kind == 31:
        kind = 32 + ((specific[0] & 7) << 3 | specific[1] >> 5)
    return f"mp4a.{configuration[0]:x}.{kind}"


def _descriptor(data: bytes, tag: int) -> bytes:
    """Return the content of descriptor ``tag`` in ``data``; sizes take 7 bits of each byte."""
    at = 0
    while at < len(data):
        found, size, at = data[at], 0, at + 1
        while True:
            size, more, at = size << 7 | data[at] & 0x7F, data[at] & 0x80, at + 1
            if not more:
                break
        if found == tag:
            return data[at : at + size]
        at += size
    raise IndexError(f"no descriptor {tag}")
