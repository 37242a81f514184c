"""What has arrived and is not encoded yet: bounded, so that neither side waits for the other for ever."""

from __future__ import annotations

import asyncio
from collections import deque

from live.ingest.frames import Frame

MAX_BYTES = 16 * 1024**2
MAX_SPAN_S = 8.0
MAX_FRAMES = 4096


class Inbox:
    """Frames in their order.  Too many, and all are dropped up to the next keyframe.

    Whoever watches live wants the present, and a decoder wants no gap before a
    keyframe; sequence headers are never dropped.
    """

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._is_skipping = False
        self._has_ended = False
        self._has_news = asyncio.Event()

    @property
    def span_s(self) -> float:
        """Seconds of the signal that wait."""
        oldest = next((frame for frame in self._frames if not frame.is_header), None)
        if oldest is None:
            return 0.0
        return max(0.0, (self._frames[-1].timestamp_ms - oldest.timestamp_ms) / 1000)

    def put(self, frame: Frame) -> int:
        """Take a frame; return how many pictures had to be dropped."""
        if self._has_ended:
            return 0
        dropped = self._drop() if self._is_full(frame) else 0
        if frame.is_keyframe:
            self._is_skipping = False
        if self._is_skipping and not frame.is_header:
            return dropped + frame.is_picture
        self._frames.append(frame)
        self._bytes += len(frame.payload)
        self._has_news.set()
        return dropped

    def end(self) -> None:
        """Nothing more will come; what is here is still given out."""
        self._has_ended = True
        self._has_news.set()

    async def get(self) -> Frame | None:
        """The next frame; None once it has ended and all are taken."""
        while not self._frames:
            if self._has_ended:
                return None
            self._has_news.clear()
            await self._has_news.wait()
        frame = self._frames.popleft()
        self._bytes -= len(frame.payload)
        return frame

    def _is_full(self, frame: Frame) -> bool:
        return (
            self._bytes + len(frame.payload) > MAX_BYTES
            or self.span_s > MAX_SPAN_S
            or len(self._frames) >= MAX_FRAMES
        )

    def _drop(self) -> int:
        dropped = sum(frame.is_picture for frame in self._frames)
        # Of headers, the newest of each kind counts.
        headers = {frame.kind: frame for frame in self._frames if frame.is_header}
        self._frames = deque(headers.values())
        self._bytes = sum(len(frame.payload) for frame in self._frames)
        self._is_skipping = True
        return dropped
