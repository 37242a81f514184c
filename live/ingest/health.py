"""How well a signal arrives, as its streamer reads it: figures of the last seconds and a verdict.

Pure: it is told what came and when, and asked for a report.  Verdict and advice
are codes; the pages have the sentences.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from live.ingest.frames import Frame
from live.ingest.source import LONGEST_COPIED_GOP_S, rung_bitrate_bps

WINDOW_S = 10.0
# Real pictures are bought with bits; below this share of our own ladder's they smear.
_POOR_SHARE = 0.25
_QUIET_S = 3.0
_LATE_S = 1.5
_SLOW = 0.9
_BACKLOG_S = 1.0
_JUDGED_AFTER_S = 3.0
_MOST_FRAMES = 4096

# Worst first: the first that applies is the verdict.
CODES = (
    "encoder_failing",  # our FFmpeg dies again and again
    "no_signal",  # connected, but nothing comes
    "catching_up",  # our side is behind, and has dropped pictures
    "unstable",  # the signal comes slower than it plays, or in gulps
    "keyframes_too_far",
    "low_bitrate",
    "b_frames",  # they add delay, and no more
)
GOOD = "good"
_HARMLESS = frozenset({"b_frames"})


@dataclass(frozen=True, slots=True)
class Health:
    """What ``GET live/{username}/health/`` answers."""

    bitrate_bps: int
    fps: float
    width_px: int
    height_px: int
    keyframe_interval_s: float | None
    dropped_frames: int
    verdict: str
    advice: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"advice": list(self.advice)}


@dataclass(frozen=True, slots=True)
class _Seen:
    arrived_at: float
    timestamp_ms: int
    size_bytes: int
    is_picture: bool


class Monitor:
    """Watches one publisher; ``backlog_s`` and ``is_failing`` are set by whoever feeds the encoder."""

    def __init__(self) -> None:
        self.dropped_frames = 0
        self.backlog_s = 0.0
        self.is_failing = False
        self.width_px = self.height_px = 0
        self._seen: deque[_Seen] = deque(maxlen=_MOST_FRAMES)
        self._drops: deque[float] = deque(maxlen=_MOST_FRAMES)
        self._keyframes_ms: deque[int] = deque(maxlen=2)
        self._has_b_frames = False
        self._first_at: float | None = None

    def note(self, frame: Frame) -> None:
        self._first_at = self._first_at or frame.arrived_at
        self._seen.append(_Seen(frame.arrived_at, frame.timestamp_ms, len(frame.payload), frame.is_picture))
        if frame.is_keyframe:
            self._keyframes_ms.append(frame.timestamp_ms)
        self._has_b_frames = self._has_b_frames or frame.composition_ms > 0

    def note_dropped(self, count: int, now: float) -> None:
        self.dropped_frames += count
        self._drops.append(now)

    def report(self, now: float) -> Health:
        while self._seen and self._seen[0].arrived_at < now - WINDOW_S:
            self._seen.popleft()
        while self._drops and self._drops[0] < now - WINDOW_S:
            self._drops.popleft()
        bitrate_bps, fps = self._bitrate_bps(now), self._fps()
        advice = tuple(code for code in CODES if self._applies(code, now, bitrate_bps, fps))
        serious = [code for code in advice if code not in _HARMLESS]
        return Health(
            bitrate_bps=bitrate_bps,
            fps=fps,
            width_px=self.width_px,
            height_px=self.height_px,
            keyframe_interval_s=self._keyframe_interval_s(),
            dropped_frames=self.dropped_frames,
            verdict=serious[0] if serious else GOOD,
            advice=advice,
        )

    def _bitrate_bps(self, now: float) -> int:
        if not self._seen:
            return 0
        over_s = min(WINDOW_S, max(1.0, now - (self._first_at or now)))
        return round(sum(seen.size_bytes for seen in self._seen) * 8 / over_s)

    def _fps(self) -> float:
        times = [seen.timestamp_ms for seen in self._seen if seen.is_picture]
        span_ms = times[-1] - times[0] if len(times) > 1 else 0
        return round((len(times) - 1) * 1000 / span_ms, 1) if span_ms > 0 else 0.0

    def _keyframe_interval_s(self) -> float | None:
        """Between the last two, or since the last if that is longer already."""
        if not self._keyframes_ms:
            return None
        newest_ms = max((seen.timestamp_ms for seen in self._seen if seen.is_picture), default=0)
        since_ms = newest_ms - self._keyframes_ms[-1]
        between_ms = self._keyframes_ms[-1] - self._keyframes_ms[0]
        longest_ms = max(since_ms, between_ms)
        return round(longest_ms / 1000, 2) if len(self._keyframes_ms) > 1 or since_ms > 1000 else None

    def _applies(self, code: str, now: float, bitrate_bps: int, fps: float) -> bool:
        is_judged = self._first_at is not None and now - self._first_at >= _JUDGED_AFTER_S
        if code == "encoder_failing":
            return self.is_failing
        if code == "no_signal":
            return not self._seen or now - self._seen[-1].arrived_at > _QUIET_S
        if code == "catching_up":
            return bool(self._drops) or self.backlog_s > _BACKLOG_S
        if code == "unstable":
            return is_judged and self._is_unstable(now)
        if code == "keyframes_too_far":
            return (self._keyframe_interval_s() or 0) > LONGEST_COPIED_GOP_S
        if code == "low_bitrate":
            return is_judged and bool(self.width_px) and bitrate_bps < self._poor_bps(fps)
        return self._has_b_frames

    def _is_unstable(self, now: float) -> bool:
        arrivals = [*(seen.arrived_at for seen in self._seen), now]
        if max((later - earlier for earlier, later in pairwise(arrivals)), default=0) > _LATE_S:
            return True
        pictures = [seen for seen in self._seen if seen.is_picture]
        if len(pictures) < 2:
            return True
        played_s = (pictures[-1].timestamp_ms - pictures[0].timestamp_ms) / 1000
        took_s = pictures[-1].arrived_at - pictures[0].arrived_at
        return took_s > 1 and played_s / took_s < _SLOW

    def _poor_bps(self, fps: float) -> float:
        return _POOR_SHARE * rung_bitrate_bps(min(self.width_px, self.height_px), fps or 30)
