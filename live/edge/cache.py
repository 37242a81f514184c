"""Cache of media that an origin has fetched, and the sharing of one call by concurrent requests."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MAX_CACHED_BYTES = 64 * 1024**2


class SingleFlight(Generic[T]):
    """Single-flight calls: concurrent requests for one key share one call."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[T]] = {}

    async def run(self, key: str, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of ``do``, or of a call for the same key that is already running."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(do())
            task.add_done_callback(lambda done: self._landed(key, done))
        # A cancelled caller must not cancel the call for the others.
        return await asyncio.shield(task)

    def _landed(self, key: str, task: asyncio.Task[T]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # Mark the exception as retrieved: all callers may be gone.


class SegmentCache:
    """LRU cache of fetched bytes, bounded by ``max_bytes``."""

    def __init__(self, *, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._fetching: SingleFlight[bytes | None] = SingleFlight()

    async def get(self, key: str, fetch: Callable[[], Coroutine[Any, Any, bytes | None]]) -> bytes | None:
        """Return the cached bytes for ``key``, or the result of ``fetch``; None is not cached."""
        if (held := self._held.get(key)) is not None:
            self._held.move_to_end(key)
            return held
        return await self._fetching.run(key, lambda: self._fetch(key, fetch))

    async def _fetch(self, key: str, fetch: Callable[[], Coroutine[Any, Any, bytes | None]]) -> bytes | None:
        data = await fetch()
        if data is not None:
            self._hold(key, data)
        return data

    def _hold(self, key: str, data: bytes) -> None:
        self._held[key] = data
        self._size_bytes += len(data)
        while self._size_bytes > self._max_bytes:
            _key, oldest = self._held.popitem(last=False)
            self._size_bytes -= len(oldest)
