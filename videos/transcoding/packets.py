"""Measurement of a source by its packets: the start and end of each stream, and the distance of keyframes.

Headers may be wrong.  Listing packets decodes nothing, reads at the speed of the
storage, and gives the times that a player would present.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from .restarts import Restarts

KEPT_TIMES = 6000
"""Enough frames to tell 24 from 24000/1001 with millisecond timestamps."""

# A stretch of this many frames has a rate of its own.
_STRETCH = 300
# FFmpeg takes a larger step for a discontinuity (-dts_delta_threshold).
_JUMP_S = 10


@dataclass(slots=True)
class StreamPackets:
    """The packets of one stream so far; times in seconds as in the file, unshifted.

    ``times_s`` are the times of the first packets, ``busiest_s`` those of the densest
    stretch anywhere.
    """

    count: int = 0
    first_s: float = float("inf")
    last_s: float = float("-inf")
    end_s: float = float("-inf")
    last_key_s: float | None = None
    key_gap_s: float = 0.0
    times_s: list[float] = field(default_factory=list)
    busiest_s: list[float] = field(default_factory=list)
    _stretch_s: list[float] = field(default_factory=list)
    _smoothed_s: float = 0.0

    def smooth(self, time_s: float) -> float:
        """Return ``time_s`` without the jumps of a clock that restarts in the middle."""
        if self.count and abs(time_s + self._smoothed_s - self.last_s) > _JUMP_S:
            self._smoothed_s = self.end_s - time_s
        return time_s + self._smoothed_s

    def add(self, time_s: float, duration_s: float, *, is_key: bool) -> None:
        """Count one packet."""
        self.count += 1
        self.first_s = min(self.first_s, time_s)
        self.last_s = max(self.last_s, time_s)
        self.end_s = max(self.end_s, time_s + duration_s)
        if len(self.times_s) < KEPT_TIMES:
            self.times_s.append(time_s)
        self._stretch_s.append(time_s)
        if len(self._stretch_s) == _STRETCH:
            if not self.busiest_s or _span_s(self._stretch_s) < _span_s(self.busiest_s):
                self.busiest_s = self._stretch_s
            self._stretch_s = []
        if is_key:
            self.key_gap_s = max(self.key_gap_s, time_s - (self.last_key_s or self.first_s))
            self.last_key_s = time_s

    @property
    def presented_end_s(self) -> float:
        """Return the end of the last packet; without a duration it lasts the median step."""
        if self.end_s > self.last_s or len(self.times_s) < 2:
            return self.end_s
        times = sorted(self.times_s)
        return self.last_s + median(after - before for before, after in pairwise(times))

    @property
    def longest_gop_s(self) -> float:
        """Return the longest time from one keyframe to the next, or to the last packet."""
        return max(self.key_gap_s, self.last_s - (self.last_key_s or self.first_s))

    @property
    def mean_rate(self) -> float:
        """Return packets per second; 0 if there are too few to tell."""
        span_s = self.last_s - self.first_s
        return (self.count - 1) / span_s if self.count > 1 and span_s > 0 else 0.0


def measure(
    lines: Iterable[bytes], *, smooth_jumps: bool = False, restarts: Restarts | None = None
) -> dict[int, StreamPackets]:
    """Return each stream's packets, by index, from ffprobe's CSV lines.

    The columns are ``stream_index,pts_time,dts_time,duration_time,flags``.
    ``smooth_jumps`` is for containers in which FFmpeg handles a restart of the clock.
    ``restarts`` records the restarts that FFmpeg does not handle.
    """
    streams: dict[int, StreamPackets] = {}
    for line in lines:
        fields = line.decode("ascii", "replace").strip().split(",")
        if len(fields) < 5 or not fields[0].isdigit():
            continue
        # D: decoded and discarded, because it lies before the start of an edit list.
        if "D" in fields[4]:
            continue
        packets = streams.setdefault(int(fields[0]), StreamPackets())
        # A packet without any timestamp follows the previous one, as in FFmpeg.
        follows_s = packets.end_s if packets.count else 0.0
        time_s = _number(fields[1], fallback=_number(fields[2], fallback=follows_s))
        time_s = packets.smooth(time_s) if smooth_jumps else time_s
        if restarts:
            dts_s = _number(fields[2], fallback=time_s)
            time_s += restarts.shift_s(
                int(fields[0]), dts_s, (one.presented_end_s for one in streams.values())
            )
        packets.add(time_s, _number(fields[3], fallback=0.0), is_key=fields[4].startswith("K"))
    return streams


def _span_s(times_s: list[float]) -> float:
    return max(times_s) - min(times_s)


def _number(text: str, *, fallback: float) -> float:
    try:
        return float(text)
    except ValueError:
        return fallback
