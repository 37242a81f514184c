"""The index of a complete rendition's keyframes: the bytes that each segment's first frame takes.

Players that read I-frame playlists (RFC 8216, 4.3.3.6) get stills from it while their
viewer scrubs.  A player fetches the fragment's description and the frame itself, so a
place begins with the ``moof``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil

from common.media.boxes import BrokenBoxes
from common.media.keyframes import FirstFrame, VideoTrack, first_frame, video_track
from videos.models import Video
from videos.publishing import MAX_INIT_BYTES, Placed, read_object

NAME = "keyframes.json"
# Four seconds of 60 frames are described in 4 kB; a copied segment may be twice as long.
HEAD_BYTES = 16 * 1024
MAX_HEAD_BYTES = 256 * 1024
# A recording's only rendition may be its source, with keyframes of a megabyte.
MAX_KEYFRAME_BYTES = 8 * 1024**2
# Twelve hours of segments of four seconds are 10,800 places of at most 20 bytes.
MAX_INDEX_BYTES = 1024**2
READ_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class KeyframeIndex:
    """The first frame of each segment of a rendition, in order, and the track that decodes it."""

    places: tuple[FirstFrame, ...]
    tracks: tuple[VideoTrack, ...]

    def peak_bps(self, placed: Sequence[Placed]) -> int:
        """Return the bitrate of the keyframes alone: the highest of any segment (RFC 8216, 4.3.4.3)."""
        sizes = (place.end - place.moof_start for place in self.places)
        lengths = ((size * 8, segment.duration_s) for size, segment in zip(sizes, placed, strict=True))
        return max((ceil(bits / length_s) for bits, length_s in lengths if length_s > 0), default=0)

    def to_json(self) -> str:
        return json.dumps([[place.moof_start, place.end] for place in self.places], separators=(",", ":"))


def read(video: Video, placed: Sequence[Placed]) -> KeyframeIndex:
    """Read the index of stored segments.  Raises BrokenBoxes, or an error of storage."""
    tracks = {
        name: video_track(read_object(video, name, MAX_INIT_BYTES))
        for name in dict.fromkeys(segment.init_name for segment in placed)
    }
    of_segments = [tracks[segment.init_name] for segment in placed]
    places: list[FirstFrame] = []
    with ThreadPoolExecutor(max_workers=READ_AT_ONCE) as pool:
        # In batches, so that an error ends the reading.
        for start in range(0, len(placed), READ_AT_ONCE):
            batch = slice(start, start + READ_AT_ONCE)
            found = pool.map(
                lambda segment, track: _place(video, segment.name, track), placed[batch], of_segments[batch]
            )
            places += found
    return KeyframeIndex(tuple(places), tuple(of_segments))


def ranges(text: str) -> list[tuple[int, int]]:
    """Return the length and the offset in bytes of each place of a stored index."""
    return [(end - start, start) for start, end in json.loads(text)]


def _place(video: Video, name: str, track: VideoTrack) -> FirstFrame:
    for most in (HEAD_BYTES, MAX_HEAD_BYTES):
        if place := first_frame(read_object(video, name, most), track):
            if place.end - place.start > MAX_KEYFRAME_BYTES:
                raise BrokenBoxes(f"a keyframe of {place.end - place.start} bytes")
            return place
    raise BrokenBoxes("no fragment")
