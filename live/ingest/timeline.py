"""The clock of one run of FFmpeg: whether what comes next still belongs to it."""

from __future__ import annotations

from enum import Enum, auto

from live.ingest.frames import Frame
from live.ingest.source import MIN_SEGMENT_S

# What a keyframe may be late, before the segment that it should end is too long for
# its playlist: a target duration is compared with durations rounded to whole seconds.
LATE_S = 0.45
JUMP_S = 1.5
JUMP_PICTURES = 3
SOUND_APART_S = 5.0


class Verdict(Enum):
    GOOD = auto()
    UNUSABLE = auto()  # leave it out
    JUMPED = auto()  # its time does not follow: a new timeline begins
    TOO_LONG = auto()  # no keyframe comes in time for the segment to end


class Timeline:
    """Follows the frames of one epoch from its first keyframe on.

    ``target_duration_s`` is given where the source's own keyframes end segments.
    """

    def __init__(self, frame_rate: float, target_duration_s: int | None) -> None:
        # Slide shows have their pictures far apart.
        self._jump_ms = 1000 * max(JUMP_S, JUMP_PICTURES / frame_rate)
        self._longest_ms = None if target_duration_s is None else 1000 * (target_duration_s + LATE_S)
        self._last_ms: int | None = None
        self._segment_ms = 0

    def judge(self, frame: Frame) -> Verdict:
        """Say what a frame that carries media means, in the order in which they come."""
        at_ms = frame.timestamp_ms
        if self._last_ms is None:
            self._last_ms = self._segment_ms = at_ms
            return Verdict.GOOD
        if not frame.is_picture:
            is_near = abs(at_ms - self._last_ms) <= 1000 * SOUND_APART_S
            return Verdict.GOOD if is_near else Verdict.UNUSABLE
        if not 0 <= at_ms - self._last_ms <= self._jump_ms:
            return Verdict.JUMPED
        self._last_ms = at_ms
        lasts_ms = at_ms - self._segment_ms
        if self._longest_ms is not None and lasts_ms > self._longest_ms:
            return Verdict.TOO_LONG
        if frame.is_keyframe and lasts_ms >= 1000 * MIN_SEGMENT_S:
            self._segment_ms = at_ms
        return Verdict.GOOD
