"""Watched time of a video by the reports of its player, without Django.

A player reports its position every ``REPORT_EVERY_S`` seconds of playing.  Time between two
reports is watched if the clock passed and the position came over seconds of the video that it
had not come over before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

REPORT_EVERY_S = 10
REPORT_SLACK_S = 5
FASTEST_PLAYBACK = 4
POSITION_SLACK_S = 1.0
MAX_SECONDS_SEEN = 600  # of one session


@dataclass(frozen=True, slots=True)
class WatchTime:
    """The watched time of a session of a player at its last report."""

    reported_at: float
    position_s: float
    clocked_s: float = 0.0
    unclocked_s: float = 0.0
    seen: Sequence[int] = ()
    """The seconds of the video that earned time."""
    is_counted: bool = False

    @property
    def total_s(self) -> float:
        return self.clocked_s + self.unclocked_s

    def before_first_report(self) -> WatchTime:
        """Return the time that a first report stands for: a player may send it after ten seconds."""
        seen = _seconds(self.position_s - REPORT_EVERY_S, self.position_s)
        return replace(self, unclocked_s=float(len(seen)), seen=[*seen])

    def reported(self, position_s: float, now: float) -> WatchTime:
        """Return the state after a report: time passed, and seconds of the video not seen before."""
        passed_s = min(max(now - self.reported_at, 0.0), REPORT_EVERY_S + REPORT_SLACK_S)
        moved_s = position_s - self.position_s
        if 0 < moved_s <= FASTEST_PLAYBACK * passed_s + POSITION_SLACK_S:
            span = _seconds(self.position_s, position_s)
        elif moved_s:  # after a seek, the position where it went is not known
            span = _seconds(position_s - passed_s, position_s)
        else:
            span = range(0)
        new = set(span).difference(self.seen) if len(self.seen) < MAX_SECONDS_SEEN else set()
        return replace(
            self,
            reported_at=now,
            position_s=position_s,
            clocked_s=self.clocked_s + min(passed_s, len(new)),
            seen=[*self.seen, *new],
        )


def _seconds(start_s: float, end_s: float) -> range:
    """Return the whole seconds of a video from ``start_s`` to before ``end_s``."""
    return range(int(max(start_s, 0.0)), int(end_s))
