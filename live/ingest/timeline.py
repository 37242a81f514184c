"""Timeline of one run of FFmpeg: it decides whether the next frame still belongs to the run.

:mod:`live.ingest.clock` has made all times grow.
"""

from __future__ import annotations

from enum import Enum, auto

from live.ingest.frames import Frame
from live.ingest.source import MIN_SEGMENT_S

# Lateness of a keyframe before the segment that it should end is too long for its
# playlist: players compare rounded durations with the target duration.
LATE_S = 0.45
# After a gap of this length, a keyframe begins a new run at its own time of day.
HOLE_S = 1.5
HOLE_PICTURES = 3
# The times of an FLV stream have 32 bits, and FFmpeg does not read across their end: after
# 24.8 days a keyframe begins a new run.
MAX_RUN_MS = 2**31 - 1
# If more arrives within a second of the encoder's clock, the clock stands still and a
# segment would never end.
MAX_PICTURES_A_SECOND = 1000
MAX_BYTES_A_SECOND = 16 * 1024**2


class TimelineVerdict(Enum):
    """Verdict on a frame, see the comment of each member."""

    GOOD = auto()
    BEGINS_ANEW = auto()  # a new run begins with this keyframe: frames are missing before it, or times end
    STANDS_STILL = auto()  # video frames arrive, but their time hardly advances
    TOO_LONG = auto()  # no keyframe arrives in time to end the segment


class Timeline:
    """Monitor of the frames of one epoch, from its first keyframe on.

    ``target_duration_s`` is given if the source's own keyframes end segments.
    """

    def __init__(self, frame_rate: float, target_duration_s: int | None) -> None:
        # Slide shows have long pauses between frames.
        self._hole_ms = 1000 * max(HOLE_S, HOLE_PICTURES / frame_rate)
        self._longest_ms = None if target_duration_s is None else 1000 * (target_duration_s + LATE_S)
        self._last_ms: int | None = None
        self._first_ms = self._segment_ms = 0
        self._second_ms = self._second_pictures = self._second_bytes = 0

    def judge(self, frame: Frame) -> TimelineVerdict:
        """Return the verdict on a media frame; frames are passed in order."""
        at_ms = frame.timestamp_ms
        if self._last_ms is None:
            self._first_ms = self._last_ms = self._segment_ms = self._second_ms = at_ms
            return TimelineVerdict.GOOD
        if not frame.is_picture:
            return TimelineVerdict.GOOD
        is_behind_hole = at_ms - self._last_ms > self._hole_ms
        if frame.is_keyframe and (is_behind_hole or at_ms - self._first_ms > MAX_RUN_MS):
            return TimelineVerdict.BEGINS_ANEW
        self._last_ms = at_ms
        if self._stands_still(frame):
            return TimelineVerdict.STANDS_STILL
        lasts_ms = at_ms - self._segment_ms
        if self._longest_ms is not None and lasts_ms > self._longest_ms:
            return TimelineVerdict.TOO_LONG
        if frame.is_keyframe and lasts_ms >= 1000 * MIN_SEGMENT_S:
            self._segment_ms = at_ms
        return TimelineVerdict.GOOD

    def _stands_still(self, frame: Frame) -> bool:
        if frame.timestamp_ms - self._second_ms >= 1000:
            self._second_ms, self._second_pictures, self._second_bytes = frame.timestamp_ms, 0, 0
        self._second_pictures += 1
        self._second_bytes += len(frame.payload)
        return self._second_pictures > MAX_PICTURES_A_SECOND or self._second_bytes > MAX_BYTES_A_SECOND
