"""Peak and average bitrates of a rendition's segments (RFC 8216, 4.1 and 4.3.4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

# The peak is the highest bitrate of consecutive segments that together last between
# these multiples of the target duration: the last segment alone may be a single frame.
_SHORTEST, _LONGEST = 0.5, 1.5


@dataclass(frozen=True, slots=True)
class Bitrate:
    """Bits per second of a media playlist: ``BANDWIDTH`` and ``AVERAGE-BANDWIDTH`` are sums of these."""

    peak_bps: int
    average_bps: int


def measured(sizes_bytes: Sequence[int], durations_s: Sequence[float], target_duration_s: float) -> Bitrate:
    """Return the bitrate of segments with these sizes and durations, in order.

    Raises ValueError if their total duration is zero.
    """
    total_s = sum(durations_s)
    if total_s <= 0:
        raise ValueError("segments that last no time have no bitrate")
    average = sum(sizes_bytes) * 8 / total_s
    peak = max(_windows(sizes_bytes, durations_s, target_duration_s), default=average)
    return Bitrate(ceil(max(peak, average)), ceil(average))


def _windows(sizes_bytes: Sequence[int], durations_s: Sequence[float], target_s: float) -> list[float]:
    """Return the bitrates (bps) of all runs of segments with a duration between the bounds."""
    found = []
    for start in range(len(sizes_bytes)):
        size_bytes, length_s = 0, 0.0
        for number in range(start, len(sizes_bytes)):
            size_bytes += sizes_bytes[number]
            length_s += durations_s[number]
            if length_s > _LONGEST * target_s:
                break
            if length_s >= _SHORTEST * target_s:
                found.append(size_bytes * 8 / length_s)
    return found
