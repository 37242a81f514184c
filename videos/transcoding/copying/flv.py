"""The tracks and frames of an FLV file, from one pass over its tags (Adobe's specification, version 10.1)."""

from __future__ import annotations

import struct

from .eligibility import NotCopied
from .scanned import ScannedTrack, aac_entry, visual_entry
from .scanning import Scan

VIDEO, AUDIO = 9, 8
_TAG_HEAD = 11
_AVC, _AAC = 7, 10
_KEY = 1
# H.264 and AAC each have a header of their own before the data, whose second byte is its kind.
_CONFIGURATION, _DATA = 0, 1
_MAX_CONFIGURATION_BYTES = 4096


def scan_flv(scan: Scan) -> list[ScannedTrack]:
    """Return the video and the audio track of an FLV file with all their frames.  Raises NotCopied."""
    video, audio = ScannedTrack(VIDEO, "vide", 1000), ScannedTrack(AUDIO, "soun", 1000)
    last_ticks = {VIDEO: 0, AUDIO: 0}
    at = int.from_bytes(scan.take(5, 4)) + 4
    while len(head := scan.take(at, _TAG_HEAD + 5)) > _TAG_HEAD:
        kind, size = head[0], int.from_bytes(head[1:4])
        start, end = at + _TAG_HEAD, at + _TAG_HEAD + size
        if end > scan.size_bytes:
            break  # the end is missing, as after a crash
        ticks = head[7] << 24 | int.from_bytes(head[4:7])
        if kind in last_ticks and size:
            # A clock that begins again is another recording, appended to this one.
            if ticks < last_ticks[kind]:
                raise NotCopied("times", f"a tag at {ticks} behind {last_ticks[kind]}")
            last_ticks[kind] = ticks
            if kind == VIDEO:
                _add_video(scan, video, head[_TAG_HEAD:], (start, end), ticks)
            else:
                _add_audio(scan, audio, head[_TAG_HEAD:], (start, end), ticks)
        elif kind not in {VIDEO, AUDIO, 18}:
            raise NotCopied("damaged", f"a tag of kind {kind} at {at}")
        at = end + 4
    return [track for track in (video, audio) if track.sizes]


def _add_video(scan: Scan, track: ScannedTrack, head: bytes, span: tuple[int, int], ticks: int) -> None:
    start, end = span
    if head[0] & 0x8F != head[0] & 0x0F or head[0] & 0x0F != _AVC:
        raise NotCopied("codec", f"video of kind {head[0]:x}")
    if end - start <= 5:
        return  # the end of the sequence
    if head[1] == _CONFIGURATION:
        _set_entry(track, b"avc1", visual_entry(_configuration(scan, start + 5, end)))
    elif head[1] == _DATA:
        offset = struct.unpack(">i", head[2:5] + b"\0")[0] >> 8
        track.add(start + 5, end - start - 5, ticks + offset, is_key=head[0] >> 4 == _KEY)


def _add_audio(scan: Scan, track: ScannedTrack, head: bytes, span: tuple[int, int], ticks: int) -> None:
    start, end = span
    if end - start <= 2:
        return  # no data, perhaps not even a whole header
    if head[0] >> 4 == _AAC and head[1] == _CONFIGURATION:
        _set_entry(track, b"mp4a", aac_entry(_configuration(scan, start + 2, end)))
    else:
        track.add(start + 2, end - start - 2, ticks, is_key=True)


def _configuration(scan: Scan, start: int, end: int) -> bytes:
    if end - start > _MAX_CONFIGURATION_BYTES:
        raise NotCopied("parameter_sets", f"{end - start} bytes")
    return scan.take(start, end - start)


def _set_entry(track: ScannedTrack, kind: bytes, entry: bytes) -> None:
    if track.sizes and track.entry != entry:
        raise NotCopied("parameter_sets", "another configuration within the file")
    track.entry_kind, track.entry = kind, entry
