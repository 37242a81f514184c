"""Alignment of renditions: none begins a segment before all have ended the previous one.

An encoded rendition arrives some 30 ms after the copied one.  Without alignment, an
FFmpeg that dies in between would leave one rendition a segment short, and one media
sequence number would mean different times.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from live.llhls.segments import Init, Part, SegmentEnd

Made: TypeAlias = Init | Part | SegmentEnd


# Lead of one rendition over another at which FFmpeg is restarted.
MAX_WAITING_BYTES = 32 * 1024**2


class OutOfStep(Exception):
    """Error: one rendition is so far ahead that the others must have stopped."""


class Alignment:
    """Queue between the packagers of one epoch and the edge that keeps segments together."""

    def __init__(self, renditions: int, *, first_msn: int) -> None:
        self._waiting: list[deque[Made]] = [deque() for _ in range(renditions)]
        # The current segment of each rendition.
        self._msn = [first_msn] * renditions

    def add(self, rendition: int, made: list[Made]) -> list[tuple[int, Made]]:
        """Add output of one packager; return the items to send now, each with its rendition's place.

        Raises OutOfStep if more than ``MAX_WAITING_BYTES`` are waiting.
        """
        self._waiting[rendition] += made
        released: list[tuple[int, Made]] = []
        # The end of a segment in one rendition may release items of the others.
        while step := [pair for place in range(len(self._waiting)) for pair in self._release(place)]:
            released += step
        waiting = (made for queue in self._waiting for made in queue if isinstance(made, Part))
        if sum(len(part.data) for part in waiting) > MAX_WAITING_BYTES:
            raise OutOfStep
        return released

    def _release(self, rendition: int) -> list[tuple[int, Made]]:
        released = []
        waiting = self._waiting[rendition]
        while waiting and (isinstance(waiting[0], Init) or waiting[0].msn <= min(self._msn)):
            made = waiting.popleft()
            released.append((rendition, made))
            if isinstance(made, SegmentEnd):
                self._msn[rendition] = made.msn + 1
        return released
