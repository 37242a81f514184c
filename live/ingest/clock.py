"""Clock of one publisher: it maps the timestamps of all frames to one timeline.

Encoders restart their clock, wrap it, send one frame with a wild time, or count
audio and video from different moments.  A frame keeps its time if that follows from
the frames before it.  Otherwise it is moved: alone, if it lies a little behind the
previous frame, or together with all later frames.  The module is pure, and the first
one to see a frame, so no later stage meets times that go back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from live.ingest.frames import Frame

# A frame that lies this little behind the previous one is moved alone.
STEP_BACK_MS = 500
# A longer step is accepted only if the other track or the wall clock agrees.
STEP_MS = 5000
AGREES_MS = 1500
# Tracks that are further apart for so long count from different moments.
APART_MS = 5000
APART_FOR_S = 3.0
# So many frames without progress: their clock stands still.
STUCK_FRAMES = 30
USUAL_STEP_MS = 33
MAX_USUAL_STEP_MS = 500
# RTMP counts milliseconds in 32 bits.
_WRAP_MS = 2**32


@dataclass(slots=True)
class _Track:
    """State of one track: ``raw_ms`` is the encoder's time, unwrapped, ``last_ms`` ours.

    ``offset_before_ms`` applied until the last jump: after a single wild time, the
    clock jumps back.
    """

    raw_ms: int
    last_ms: int
    offset_ms: int
    arrived_at: float
    offset_before_ms: int = 0
    step_ms: int = USUAL_STEP_MS
    stuck: int = 0

    def move_to(self, offset_ms: int) -> None:
        if offset_ms != self.offset_ms:
            self.offset_before_ms, self.offset_ms = self.offset_ms, offset_ms


class Clock:
    """Clock that places frames in order of arrival; times within one track always grow."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._apart_since: float | None = None

    def place(self, frame: Frame) -> Frame:
        """Return ``frame`` with its time on our timeline; a header gets the time of the newest frame."""
        if frame.is_header:
            times = [track.last_ms for track in self._tracks.values()]
            return replace(frame, timestamp_ms=max(times, default=frame.timestamp_ms))
        track = self._tracks.get(frame.kind)
        other = next((track for kind, track in self._tracks.items() if kind != frame.kind), None)
        raw_ms = _unwrapped(frame.timestamp_ms, track or other)
        if track is None:
            at_ms = _first_time(raw_ms, other)
            self._tracks[frame.kind] = _Track(raw_ms, at_ms, at_ms - raw_ms, frame.arrived_at)
            return replace(frame, timestamp_ms=at_ms)
        track.stuck = track.stuck + 1 if raw_ms == track.raw_ms else 0
        at_ms = _next_time(raw_ms, track, other, frame.arrived_at)
        if self._is_far_behind(at_ms, other, frame.arrived_at) and other:
            at_ms = other.last_ms
        if at_ms <= track.last_ms:
            at_ms = track.last_ms + (track.step_ms if track.stuck > STUCK_FRAMES else 1)
        else:
            track.move_to(at_ms - raw_ms)
            if not track.stuck and at_ms - track.last_ms <= MAX_USUAL_STEP_MS:
                track.step_ms = at_ms - track.last_ms
        track.raw_ms, track.last_ms, track.arrived_at = raw_ms, at_ms, frame.arrived_at
        return replace(frame, timestamp_ms=at_ms)

    def _is_far_behind(self, at_ms: int, other: _Track | None, now: float) -> bool:
        """Return whether a track has lain behind the other for seconds while frames of both arrive."""
        if other is None or now - other.arrived_at > APART_FOR_S:
            self._apart_since = None
            return False
        apart_ms = other.last_ms - at_ms
        if apart_ms <= APART_MS:
            if apart_ms >= -APART_MS:
                self._apart_since = None
            return False
        self._apart_since = now if self._apart_since is None else self._apart_since
        return now - self._apart_since >= APART_FOR_S


def _unwrapped(time_ms: int, before: _Track | None) -> int:
    """Return a 32-bit time, unwrapped to the value nearest to the previous frame."""
    if before is None:
        return time_ms
    half = _WRAP_MS // 2
    return before.raw_ms + (time_ms - before.raw_ms + half) % _WRAP_MS - half


def _first_time(raw_ms: int, other: _Track | None) -> int:
    """Return the time of the first frame of a track: its own, or that of the other track."""
    if other is None or abs(raw_ms + other.offset_ms - other.last_ms) <= APART_MS:
        return raw_ms + (other.offset_ms if other else 0)
    return other.last_ms


def _next_time(raw_ms: int, track: _Track, other: _Track | None, now: float) -> int:
    """Return a frame's time by its track's clock, by the other track's, or just after the previous frame."""
    own_ms, expected_ms = raw_ms + track.offset_ms, track.last_ms + track.step_ms
    if abs(own_ms - expected_ms) <= STEP_BACK_MS:
        return own_ms
    offsets = [track.offset_ms, track.offset_before_ms, *([other.offset_ms] if other else [])]
    times = [raw_ms + offset_ms for offset_ms in offsets]
    following = [at_ms for at_ms in times if _follows(at_ms, track, other, now)]
    return min(following, key=lambda at_ms: abs(at_ms - expected_ms), default=expected_ms)


def _follows(at_ms: int, track: _Track, other: _Track | None, now: float) -> bool:
    step_ms = at_ms - track.last_ms
    if -STEP_BACK_MS <= step_ms <= STEP_MS:
        return True
    if step_ms < 0:
        return False
    is_beside_other = other is not None and abs(at_ms - other.last_ms) <= AGREES_MS
    return is_beside_other or step_ms <= (now - track.arrived_at) * 1250 + AGREES_MS
