"""Times of audio frames as FFmpeg was sent them, found again in its output.

FFmpeg copies audio, but its muxer derives the times of a fragment from declared
durations, and states the real time (``prft``) of its first track only, which is video.
Behind a step in the audio track, frames would lie up to 64 ms beside their place.
"""

from __future__ import annotations

from collections import deque

# Audio ahead of missing video is dropped, oldest first.
MAX_AHEAD_SAMPLES = 1500
# FLV counts whole milliseconds.
ROUNDING_S = 0.001


class SentAudio:
    """Queue of sent audio frames, of ``frame_s`` each, that one output of FFmpeg has not returned yet."""

    def __init__(self, frame_s: float) -> None:
        self.frame_s = frame_s
        self._due_s = 0.0
        self._waiting: deque[tuple[float, bytes]] = deque(maxlen=MAX_AHEAD_SAMPLES)

    def add(self, at_s: float, data: bytes) -> None:
        """Add a frame; one that lies beside the end of the previous frame by rounding begins there."""
        if abs(at_s - self._due_s) > ROUNDING_S:
            self._due_s = at_s
        self._waiting.append((self._due_s, data))
        self._due_s += self.frame_s

    def take(self, data: bytes) -> float | None:
        """Return the time (s) of the next frame with these bytes; None if there is none.

        The frames before it are dropped, because FFmpeg keeps the order.
        """
        place = next((place for place, (_, sent) in enumerate(self._waiting) if sent == data), None)
        if place is None:
            return None
        for _ in range(place):
            self._waiting.popleft()
        return self._waiting.popleft()[0]
