"""Base of the WebSockets of pages: counts, progress, removed content."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from common.sparse_log import SparseLog

_sparse = SparseLog(logging.getLogger(__name__))

# A page that gets nothing for three times as long reconnects.
LIFE_EVERY_S = 10.0
# A client that takes nothing for so long is gone, or makes us keep messages that it never reads.
SEND_WITHIN_S = 10.0


class PageConsumer(AsyncJsonWebsocketConsumer):
    """Consumer with heartbeats and a timeout for each message; it skips unknown messages."""

    _life: asyncio.Task[None] | None = None
    _is_stuck = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        running = asyncio.current_task()

        async def send_in_time(message: Any) -> None:
            try:
                async with asyncio.timeout(SEND_WITHIN_S):
                    await send(message)
            except TimeoutError:
                self._is_stuck = True
                if running:
                    running.cancel()

        try:
            await super().__call__(scope, receive, send_in_time)
        except asyncio.CancelledError:
            if not self._is_stuck:
                raise
        finally:
            if self._life:
                self._life.cancel()

    async def accept(self, *args: Any, **kwargs: Any) -> None:
        await super().accept(*args, **kwargs)
        self._life = asyncio.create_task(self._show_life())

    async def _show_life(self) -> None:
        while not self._is_stuck:
            await asyncio.sleep(LIFE_EVERY_S)
            with suppress(OSError, RuntimeError):  # the socket closes at this moment
                await self.send_json({"type": "alive"})

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle a message; log and skip a type that only another version knows."""
        kind = str(message.get("type", ""))
        if kind.startswith("_") or not hasattr(self, kind.replace(".", "_")):
            _sparse.warning("Message of an unknown kind skipped", kind=kind[:100])
            return
        await super().dispatch(message)
