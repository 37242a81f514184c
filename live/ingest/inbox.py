"""Inbox of frames that are not encoded yet: bounded, so that neither side waits forever."""

from __future__ import annotations

import asyncio
from collections import deque

from live.bounds import Budget
from live.ingest.frames import Frame

MAX_BYTES = 16 * 1024**2
# Of all publishers of one process, including frames that are probed before going on air.
MAX_TOTAL_BYTES = 256 * 1024**2
MAX_SPAN_S = 2.0
# The same limit while a broadcast or a run of FFmpeg starts, until it has caught up.
MAX_SPAN_AT_START_S = 8.0
MAX_FRAMES = 4096


class Inbox:
    """Queue of frames in order.  If it is full, all are dropped up to the next keyframe.

    Live viewers want the present, and a decoder needs no gap before a keyframe.
    Sequence headers are never dropped.  ``budget`` bounds all inboxes of a process
    together.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._skips_since: float | None = None
        self._has_ended = False
        self._has_caught_up = False
        self._has_news = asyncio.Event()

    @property
    def span_s(self) -> float:
        """Return the seconds of signal that are waiting."""
        oldest = next((frame for frame in self._frames if not frame.is_header), None)
        if oldest is None:
            return 0.0
        return max(0.0, (self._frames[-1].timestamp_ms - oldest.timestamp_ms) / 1000)

    def skips_for_s(self, now: float) -> float:
        """Return the seconds for which frames have been dropped until a keyframe, at ``now`` (Unix time)."""
        return 0.0 if self._skips_since is None else now - self._skips_since

    def put(self, frame: Frame) -> int:
        """Add a frame; return the number of video frames that were dropped."""
        if self._has_ended:
            return 0
        dropped = 0
        if self._is_full(frame):
            dropped = self._drop()
            self._skips_since = self._skips_since or frame.arrived_at
        if frame.is_keyframe:
            self._skips_since = None
        if self._skips_since is not None and not frame.is_header:
            return dropped + frame.is_picture
        if not self._budget.hold(self, self._bytes + len(frame.payload)) and not frame.is_header:
            # The other inboxes have used up the budget.
            self._skips_since = frame.arrived_at
            return dropped + frame.is_picture
        self._frames.append(frame)
        self._bytes += len(frame.payload)
        self._has_news.set()
        return dropped

    def end(self) -> None:
        """Accept no more frames; the waiting ones are still returned."""
        self._has_ended = True
        self._has_news.set()

    def begin_catching_up(self) -> None:
        """Allow the longer span until :meth:`check_caught_up`: nothing is read while FFmpeg starts."""
        self._has_caught_up = False

    def check_caught_up(self) -> None:
        """Return to ``MAX_SPAN_S`` once less than half of it waits: waiting frames delay every viewer."""
        self._has_caught_up = self._has_caught_up or self.span_s < MAX_SPAN_S / 2

    async def get(self) -> Frame | None:
        """Return the next frame, or None after the last."""
        while not self._frames:
            if self._has_ended:
                return None
            self._has_news.clear()
            await self._has_news.wait()
        frame = self._frames.popleft()
        self._bytes -= len(frame.payload)
        self._budget.hold(self, self._bytes)
        return frame

    def clear(self) -> None:
        """Drop all frames, as nobody reads them any more."""
        self._frames.clear()
        self._bytes = 0
        self._budget.release(self)

    def _is_full(self, frame: Frame) -> bool:
        max_span_s = MAX_SPAN_S if self._has_caught_up else MAX_SPAN_AT_START_S
        return (
            self._bytes + len(frame.payload) > MAX_BYTES
            or self.span_s > max_span_s
            or len(self._frames) >= MAX_FRAMES
        )

    def _drop(self) -> int:
        dropped = sum(frame.is_picture for frame in self._frames)
        # Only the newest header of each track counts.
        headers = {frame.kind: frame for frame in self._frames if frame.is_header}
        self._frames = deque(headers.values())
        self._bytes = sum(len(frame.payload) for frame in self._frames)
        self._budget.hold(self, self._bytes)
        return dropped
