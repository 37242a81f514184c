"""Signal health as its streamer sees it: figures of the last seconds and a verdict.

The module is pure: it receives frames with their times and returns a report.
Verdict and advice are codes; the pages have the sentences.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise, takewhile
from typing import Any

from live.ingest.frames import Frame
from live.ingest.source import rung_bitrate_bps

WINDOW_S = 10.0
# Below this share of our ladder's bitrate, real video is visibly blurred.
_POOR_SHARE = 0.25
_QUIET_S = 3.0
# A segment lasts until a keyframe: long intervals delay joining and add latency.
_FAR_APART_S = 2.5
_LATE_S = 1.5
_SLOW = 0.9
_BACKLOG_S = 1.0
_JUDGED_AFTER_S = 3.0
_MOST_FRAMES = 4096

# Worst first; the first code that applies and is not harmless becomes the verdict.
CODES = (
    "recording_lost",  # storage did not answer for so long that the recording has a gap
    "encoder_failing",  # our FFmpeg dies repeatedly
    "no_signal",  # connected, but nothing arrives
    "no_video",  # audio arrives, but no video
    "storage_full",  # the recording ended at the channel's storage limit, the broadcast goes on
    "catching_up",  # our side is behind and has dropped frames
    "unstable",  # the signal arrives slower than it plays, or in bursts
    "storage_waits",  # the recording waits for storage; nothing is lost
    "no_audio",  # video arrives, but no audio
    "keyframes_too_far",
    "low_bitrate",
    # Properties for which the best rendition is encoded instead of copied:
    "open_gops",
    "interlaced",
    "anamorphic",
    "b_frames",  # they add delay, nothing else
)
GOOD = "good"
_HARMLESS = frozenset({"open_gops", "interlaced", "anamorphic", "b_frames", "storage_waits"})


@dataclass(frozen=True, slots=True)
class Health:
    """Response of ``GET live/{username}/health/``."""

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
    is_sound: bool


class HealthMonitor:
    """Monitor of one publisher; the session sets the public attributes, which frames do not show."""

    def __init__(self) -> None:
        self.dropped_frames = 0
        self.backlog_s = 0.0
        self.is_failing = False
        self.waits_for_storage = self.has_lost_recording = self.is_storage_full = False
        self.width_px = self.height_px = 0
        self.obstacles: frozenset[str] = frozenset()  # see Source.obstacles
        self._seen: deque[_Seen] = deque(maxlen=_MOST_FRAMES)
        self._drops: deque[float] = deque(maxlen=_MOST_FRAMES)
        self._keyframes_ms: deque[int] = deque(maxlen=2)
        self._has_b_frames = False
        self._first_at: float | None = None

    def record(self, frame: Frame) -> None:
        self._first_at = self._first_at or frame.arrived_at
        is_sound = frame.kind == "audio" and not frame.is_header
        self._seen.append(
            _Seen(frame.arrived_at, frame.timestamp_ms, len(frame.payload), frame.is_picture, is_sound)
        )
        if frame.is_keyframe:
            self._keyframes_ms.append(frame.timestamp_ms)
        self._has_b_frames = self._has_b_frames or frame.composition_ms > 0

    def record_dropped(self, count: int, now: float) -> None:
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
        """Return the time between the last two keyframes, or since the last if that is longer."""
        if not self._keyframes_ms:
            return None
        newest_ms = max((seen.timestamp_ms for seen in self._seen if seen.is_picture), default=0)
        since_ms = newest_ms - self._keyframes_ms[-1]
        between_ms = self._keyframes_ms[-1] - self._keyframes_ms[0]
        longest_ms = max(since_ms, between_ms)
        return round(longest_ms / 1000, 2) if len(self._keyframes_ms) > 1 or since_ms > 1000 else None

    def _applies(self, code: str, now: float, bitrate_bps: int, fps: float) -> bool:
        is_judged = self._first_at is not None and now - self._first_at >= _JUDGED_AFTER_S
        facts = {
            "encoder_failing": self.is_failing,
            "recording_lost": self.has_lost_recording,
            "storage_full": self.is_storage_full,
            "storage_waits": self.waits_for_storage,
        }
        if code in facts or code in self.obstacles:
            return facts.get(code, True)
        if code == "no_signal":
            return not self._seen or now - self._seen[-1].arrived_at > _QUIET_S
        if code == "no_video":
            return is_judged and not any(seen.is_picture for seen in self._lately(now))
        if code == "no_audio":
            return is_judged and not any(seen.is_sound for seen in self._lately(now))
        if code == "catching_up":
            return bool(self._drops) or self.backlog_s > _BACKLOG_S
        if code == "unstable":
            return is_judged and self._is_unstable(now)
        if code == "keyframes_too_far":
            return (self._keyframe_interval_s() or 0) > _FAR_APART_S
        if code == "low_bitrate":
            if not is_judged or not self.width_px:
                return False
            usual_bps = rung_bitrate_bps(min(self.width_px, self.height_px), fps or 30)
            return bitrate_bps < _POOR_SHARE * usual_bps
        return code == "b_frames" and self._has_b_frames

    def _lately(self, now: float) -> Iterator[_Seen]:
        """Yield the newest frames, back to three seconds before the last arrival."""
        newest_at = self._seen[-1].arrived_at if self._seen else now
        return takewhile(lambda seen: seen.arrived_at >= newest_at - _QUIET_S, reversed(self._seen))

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
