"""Measuring a source by its packets: when each stream starts, ends, and how often a keyframe comes.

Headers are claims.  Listing packets decodes nothing and reads at the speed of
the storage, and what it says is what a player would present.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

# Enough pictures to tell 24 from 24000/1001 with millisecond timestamps.
_KEPT_TIMES = 6000
# FFmpeg takes a larger step for a discontinuity (-dts_delta_threshold).
_JUMP_S = 10


@dataclass(slots=True)
class StreamPackets:
    """One stream's packets so far; times in seconds as the file has them, unshifted."""

    count: int = 0
    first_s: float = float("inf")
    last_s: float = float("-inf")
    end_s: float = float("-inf")
    last_key_s: float | None = None
    key_gap_s: float = 0.0
    times_s: list[float] = field(default_factory=list)
    _smoothed_s: float = 0.0

    def smooth(self, time_s: float) -> float:
        """Return ``time_s`` without the jumps of a timeline that starts anew in the middle."""
        if self.count and abs(time_s + self._smoothed_s - self.last_s) > _JUMP_S:
            self._smoothed_s = self.end_s - time_s
        return time_s + self._smoothed_s

    def add(self, time_s: float, duration_s: float, *, is_key: bool) -> None:
        """Take one packet into account."""
        self.count += 1
        self.first_s = min(self.first_s, time_s)
        self.last_s = max(self.last_s, time_s)
        self.end_s = max(self.end_s, time_s + duration_s)
        if len(self.times_s) < _KEPT_TIMES:
            self.times_s.append(time_s)
        if is_key:
            self.key_gap_s = max(self.key_gap_s, time_s - (self.last_key_s or self.first_s))
            self.last_key_s = time_s

    @property
    def presented_end_s(self) -> float:
        """Return where the last packet ends; without a duration it lasts as long as its neighbours."""
        if self.end_s > self.last_s or len(self.times_s) < 2:
            return self.end_s
        times = sorted(self.times_s)
        return self.last_s + median(after - before for before, after in pairwise(times))

    @property
    def longest_gop_s(self) -> float:
        """Return the longest way from one keyframe to the next, or to the last packet."""
        return max(self.key_gap_s, self.last_s - (self.last_key_s or self.first_s))

    @property
    def mean_rate(self) -> float:
        """Return packets a second; 0 when there are too few to tell."""
        span_s = self.last_s - self.first_s
        return (self.count - 1) / span_s if self.count > 1 and span_s > 0 else 0.0


def measure(lines: Iterable[bytes], *, smooth_jumps: bool = False) -> dict[int, StreamPackets]:
    """Read ``stream_index,pts_time,dts_time,duration_time,flags`` lines as ffprobe prints them.

    ``smooth_jumps`` is for containers whose clock may start anew in the middle.
    """
    streams: dict[int, StreamPackets] = {}
    for line in lines:
        fields = line.decode("ascii", "replace").strip().split(",")
        if len(fields) < 5 or not fields[0].isdigit():
            continue
        # D: decoded and thrown away, for it lies before an edit list's start.
        if "D" in fields[4]:
            continue
        packets = streams.setdefault(int(fields[0]), StreamPackets())
        # A packet without any timestamp follows the one before it, as FFmpeg has it.
        follows_s = packets.end_s if packets.count else 0.0
        time_s = _number(fields[1], fallback=_number(fields[2], fallback=follows_s))
        time_s = packets.smooth(time_s) if smooth_jumps else time_s
        packets.add(time_s, _number(fields[3], fallback=0.0), is_key=fields[4].startswith("K"))
    return streams


def _number(text: str, *, fallback: float) -> float:
    try:
        return float(text)
    except ValueError:
        return fallback
