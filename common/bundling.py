"""Bundled calls: one after many events, and another one after events that come during a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


class BundledCalls:
    """Calls of ``act`` in the running event loop, one at a time, each ``pause_s`` after its first event."""

    def __init__(self, act: Callable[[], Awaitable[None]], pause_s: float) -> None:
        self._act = act
        self._pause_s = pause_s
        self._is_due = False
        self._running: asyncio.Task[None] | None = None

    def request(self) -> None:
        """Have ``act`` called after this event, also if a call is running now."""
        self._is_due = True
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._is_due:
            await asyncio.sleep(self._pause_s)
            # Before the call: it may have read the state that the next event changes.
            self._is_due = False
            await self._act()

    async def aclose(self) -> None:
        """Cancel the call that runs or is due."""
        if self._running:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
