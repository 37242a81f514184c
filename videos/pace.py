"""The time that work takes, from measured times: arithmetic without a database.

A *unit* of work is one second of a 720p30 rung; seconds of other rungs count by their pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNIT_PX_PER_S = 1280 * 720 * 30
# Measured: a second of AAC stereo costs a fifteenth of four rungs of 1080p30.
AUDIO_UNITS = 0.26
# A copy reads and writes; nothing is decoded.
COPY_UNITS = 0.05
# Shorter measurements say more about starts of processes than about speed.
LEAST_MEASURED_S = 3.0


def units_of_rung(width_px: int, height_px: int, frame_rate: float, *, is_copied: bool) -> float:
    """Return the units of one second of a rung."""
    return COPY_UNITS if is_copied else width_px * height_px * frame_rate / UNIT_PX_PER_S


@dataclass(frozen=True, slots=True)
class Stint:
    """Measured work of one job: its units, and when it ran (s of any clock)."""

    units: float
    began_s: float
    ended_s: float


def throughput(stints: Iterable[Stint]) -> float | None:
    """Return the units that all workers together do in a second of work; None if too little is measured.

    Pauses in which no job ran do not count.
    """
    units = busy_s = 0.0
    until_s = float("-inf")
    for stint in sorted(stints, key=lambda stint: stint.began_s):
        units += stint.units
        busy_s += max(0.0, stint.ended_s - max(stint.began_s, until_s))
        until_s = max(until_s, stint.ended_s)
    return units / busy_s if units > 0 and busy_s >= LEAST_MEASURED_S else None


@dataclass(frozen=True, slots=True)
class Queued:
    """The rest of one video's work, in units, and the channel whose turn it takes."""

    video: int
    channel: int
    units: float


def units_until_end(own: Queued, queue: Sequence[Queued]) -> float:
    """Return the units that workers do until ``own`` is done.

    Channels take turns, and so do the videos of one channel.
    """
    of_channel: dict[int, float] = defaultdict(float)
    served = own.units
    for other in queue:
        if other.video == own.video:
            continue
        if other.channel == own.channel:
            served += min(other.units, own.units)
        else:
            of_channel[other.channel] += other.units
    return served + sum(min(units, served) for units in of_channel.values())


def rest_of_download(done: float, whole: float, passed_s: float) -> float | None:
    """Return the seconds until the end of a transfer; None before its speed shows."""
    if done <= 0 or whole <= 0 or passed_s < LEAST_MEASURED_S:
        return None
    return passed_s * max(0.0, whole - done) / done


def rest_of_step(duration_s: float, passed_s: float, earlier: Sequence[tuple[float, float]]) -> float | None:
    """Return the seconds that a step on a video of ``duration_s`` still takes.

    ``earlier`` are the durations and times (s) of the same step on other videos.  None if
    there are none, or if the step takes longer than they did.
    """
    if not earlier:
        return None
    # The fixed part of a step weighs on short videos, the other part on long ones.
    ordered = sorted(earlier, key=lambda one: abs(one[0] - duration_s))[:5]
    length_s, took_s = (sum(values) for values in zip(*ordered, strict=True))
    mean_s = took_s / len(ordered)
    expected_s = mean_s if duration_s * len(ordered) <= length_s else took_s * duration_s / length_s
    rest_s = expected_s - passed_s
    return rest_s if rest_s > 0 else None


def coarse(seconds: float) -> int:
    """Return the seconds in steps, so that an estimate that hardly changes is the same number."""
    step_s = 5 if seconds < 60 else 15 if seconds < 600 else 60
    return max(step_s, round(seconds / step_s) * step_s)
