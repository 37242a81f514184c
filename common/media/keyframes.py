"""The first frame of fragmented MP4 segments with H.264 (ISO/IEC 14496-12 and -15).

Every segment of ours opens with a keyframe, so the beginning of a segment is enough to
show a still of its first moment.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from common.media.boxes import BrokenBoxes, box_header, child, children
from common.media.tracks import handler, sample_entries, track_number

_VISUAL_FIELDS = 78
_START_CODE = b"\0\0\0\1"
# A parameter set or a slice of a frame; our encoders write a few of each.
_MOST_UNITS = 4096


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """The video track of an init segment; ``parameter_sets`` are its SPS and PPS as a byte stream."""

    number: int
    default_size: int
    nal_length_bytes: int
    parameter_sets: bytes


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """Place of a segment's first video frame, in bytes, and the start of the ``moof`` that describes it."""

    moof_start: int
    start: int
    end: int


def video_track(init_segment: bytes) -> VideoTrack:
    """Return the H.264 track of an init segment.  Raises BrokenBoxes without one."""
    try:
        moov = child(init_segment, b"moov")
        sizes = {}
        for trex in children(child(moov, b"mvex"), b"trex"):
            number, _description, _duration, size = struct.unpack_from(">4I", trex, 4)
            sizes[number] = size
        for trak in children(moov, b"trak"):
            if handler(trak) == "vide":
                kind, entry = next(sample_entries(trak), (b"", b""))
                if kind != b"avc1":
                    raise BrokenBoxes(f"a video track of {kind!r}")
                number = track_number(child(trak, b"tkhd"))
                avcc = child(entry[_VISUAL_FIELDS:], b"avcC")
                return VideoTrack(number, sizes.get(number, 0), (avcc[4] & 3) + 1, _parameter_sets(avcc))
    except (struct.error, IndexError) as error:
        raise BrokenBoxes("an init segment that ends too early") from error
    raise BrokenBoxes("no video track")


def _parameter_sets(avcc: bytes) -> bytes:
    """Return the parameter sets of a decoder configuration with start codes (14496-15, 5.3.3.1)."""
    found, at = [], 5
    for mask in (0x1F, 0xFF):
        count, at = avcc[at] & mask, at + 1
        for _ in range(count):
            (size,) = struct.unpack_from(">H", avcc, at)
            found.append(avcc[at + 2 : at + 2 + size])
            at += 2 + size
    return b"".join(_START_CODE + unit for unit in found)


def first_frame(head: bytes, track: VideoTrack) -> FirstFrame | None:
    """Return the place of the first frame in a segment; None if ``head`` ends before its ``moof`` does.

    ``head`` is the beginning of the segment.  Raises BrokenBoxes for a segment without a
    frame of the track.
    """
    at = 0
    while header := box_header(head, at):
        kind, start, size = header
        if size < start:
            raise BrokenBoxes(f"{kind!r} is shorter than its header")
        if kind == b"moof":
            moof = head[at + start : at + size]
            return _first_of(moof, at, track) if len(moof) == size - start else None
        at += size
    return None


def _first_of(moof: bytes, moof_start: int, track: VideoTrack) -> FirstFrame:
    try:
        for traf in children(moof, b"traf"):
            flags, number = struct.unpack_from(">II", child(traf, b"tfhd"))
            if number == track.number and not flags & 0x1:
                offset, size = _first_sample(traf, flags, track.default_size)
                return FirstFrame(moof_start, moof_start + offset, moof_start + offset + size)
    except struct.error as error:
        raise BrokenBoxes("a moof that ends too early") from error
    raise BrokenBoxes("a fragment without video")


def _first_sample(traf: bytes, flags: int, default_size: int) -> tuple[int, int]:
    """Return offset from the ``moof`` and size of a track fragment's first sample (14496-12, 8.8)."""
    tfhd, trun = child(traf, b"tfhd"), child(traf, b"trun")
    if flags & 0x10:
        at = 8 + (4 if flags & 0x2 else 0) + (4 if flags & 0x8 else 0)
        (default_size,) = struct.unpack_from(">I", tfhd, at)
    run_flags, count, offset = struct.unpack_from(">IIi", trun)
    if not run_flags & 0x1 or not count or offset < 0:
        raise BrokenBoxes("a run of samples without a place")
    at = 12 + (4 if run_flags & 0x4 else 0) + (4 if run_flags & 0x100 else 0)
    size = struct.unpack_from(">I", trun, at)[0] if run_flags & 0x200 else default_size
    return offset, size


def byte_stream(sample: bytes, track: VideoTrack) -> bytes:
    """Return a keyframe with its parameter sets as a byte stream (ITU-T H.264, annex B).

    Raises BrokenBoxes for a frame that is cut.
    """
    units, at = [], 0
    for _ in range(_MOST_UNITS):
        if at >= len(sample):
            break
        size = int.from_bytes(sample[at : at + track.nal_length_bytes])
        unit = sample[at + track.nal_length_bytes : at + track.nal_length_bytes + size]
        if not size or len(unit) < size:
            raise BrokenBoxes("a frame that is cut")
        units.append(_START_CODE + unit)
        at += track.nal_length_bytes + size
    return track.parameter_sets + b"".join(units)
