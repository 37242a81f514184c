"""Held frames: the last keyframe fills pauses of the video track while audio continues.

Audio needs a video frame at its time, or players stop and the recording loses it.
The last keyframe is repeated, because it depends on no other frame and is already
encoded.  Frames after the pause are dropped up to the next keyframe, because
the frames that they refer to are gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from live.ingest.frames import Frame

# One frame for each part keeps players going.
HOLD_STEP_MS = 200
# A pause is longer than so many usual steps, and at least LEAST_PAUSE_MS.
PAUSE_STEPS = 2.5
LEAST_PAUSE_MS = 1000
# Upper bound of the patience, which grows each time that video arrives later than its audio.
MAX_PATIENCE_MS = 5000
# Frames that arrive together were only delayed, however far apart their times are.
LEAST_PAUSE_S = 0.5
# Weight of the newest step in the moving average.
_WEIGHT = 0.3


class KeyframeRepeater:
    """Filter for the frames of one epoch that repeats the last keyframe while only audio arrives."""

    def __init__(self) -> None:
        self._keyframe: Frame | None = None
        self._last_ms = 0
        self._last_real_ms: int | None = None
        self._last_real_at = 0.0
        self._usual_step_ms = 0.0
        self._patience_ms = float(LEAST_PAUSE_MS)
        self._is_holding = False
        self._sound: Frame | None = None

    def around(self, frame: Frame) -> Iterator[Frame]:
        """Yield the keyframes that are due, and ``frame`` unless it cannot be decoded."""
        if not frame.is_picture:
            yield from self._hold(frame)
            yield frame
            return
        self._measure_step(frame)
        if frame.is_keyframe:
            self._keyframe, self._is_holding = frame, False
        elif self._is_holding:
            return
        at_ms = frame.timestamp_ms if self._last_ms < frame.timestamp_ms else self._last_ms + 1
        self._last_ms = at_ms
        yield frame if at_ms == frame.timestamp_ms else replace(frame, timestamp_ms=at_ms)

    def finish(self) -> Iterator[Frame]:
        """Yield the keyframes under the audio behind the last frame, after the publisher has ended."""
        if self._keyframe and self._sound and self._sound.timestamp_ms - self._last_ms > LEAST_PAUSE_MS:
            yield from self._repeat(self._keyframe, self._sound)

    def _measure_step(self, frame: Frame) -> None:
        if self._last_real_ms is None:
            # Nothing is held before the first frame, which keeps its time.
            self._last_ms = frame.timestamp_ms - 1
        else:
            step_ms = frame.timestamp_ms - self._last_real_ms
            self._usual_step_ms += _WEIGHT * (step_ms - self._usual_step_ms)
            late_ms = max(0, self._last_ms - frame.timestamp_ms)
            self._patience_ms = max(self._patience_ms, min(MAX_PATIENCE_MS, 2 * late_ms))
        self._last_real_ms, self._last_real_at = frame.timestamp_ms, frame.arrived_at

    def _hold(self, sound: Frame) -> Iterator[Frame]:
        self._sound = sound
        if self._keyframe is None:
            return
        patience_ms = max(self._patience_ms, PAUSE_STEPS * self._usual_step_ms)
        is_quiet = sound.arrived_at - self._last_real_at >= LEAST_PAUSE_S
        if is_quiet and sound.timestamp_ms - self._last_ms > patience_ms:
            self._is_holding = True
        if self._is_holding:
            yield from self._repeat(self._keyframe, sound)

    def _repeat(self, keyframe: Frame, sound: Frame) -> Iterator[Frame]:
        while self._last_ms + HOLD_STEP_MS <= sound.timestamp_ms:
            self._last_ms += HOLD_STEP_MS
            yield replace(keyframe, timestamp_ms=self._last_ms, arrived_at=sound.arrived_at)
