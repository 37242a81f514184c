"""Renditions abreast: none begins a segment before all have ended the one before.

An encoded rendition comes some 30 ms after the copied one.  Without this, an
FFmpeg that dies in between would leave one rendition a segment short, and media
sequence numbers that mean different times.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from live.llhls.segments import Init, Part, SegmentEnd

Made: TypeAlias = Init | Part | SegmentEnd


class Alignment:
    """Passes on what the packagers of one epoch make, in an order that keeps segments together."""

    def __init__(self, renditions: int, *, first_msn: int) -> None:
        self._waiting: list[deque[Made]] = [deque() for _ in range(renditions)]
        # The segment that each rendition is in.
        self._msn = [first_msn] * renditions

    def add(self, rendition: int, made: list[Made]) -> list[tuple[int, Made]]:
        """Take what one packager made; return what may go out now, each with its rendition's place."""
        self._waiting[rendition] += made
        released: list[tuple[int, Made]] = []
        # The end of a segment in one rendition may be what the others wait for.
        while step := [pair for place in range(len(self._waiting)) for pair in self._release(place)]:
            released += step
        return released

    def _release(self, rendition: int) -> list[tuple[int, Made]]:
        released = []
        waiting = self._waiting[rendition]
        while waiting and self._is_due(waiting[0]):
            made = waiting.popleft()
            released.append((rendition, made))
            if isinstance(made, SegmentEnd):
                self._msn[rendition] = made.msn + 1
        return released

    def _is_due(self, made: Made) -> bool:
        return isinstance(made, Init) or made.msn <= min(self._msn)
