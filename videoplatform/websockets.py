"""uvicorn's WebSocket protocol with limits on the memory of one connection (option ``--ws``).

uvicorn stops reading while the application processes a frame, but it parses everything from
one read (up to 256 KiB, 37,000 empty frames), collects fragments without a limit on their
number, and answers each ping into an unlimited buffer.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

# Frames queued for the application; pages send a few in a minute.
MAX_QUEUED_FRAMES = 256
MAX_FRAGMENTS = 64
# Unread output, such as pongs, of a client that sends pings.
MAX_UNREAD_BYTES_OF_PINGS = 64 * 1024
# Output that is still unread this long after the application's end is discarded.
CLOSE_WITHIN_S = 10.0


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket connection that is aborted if it exceeds a limit."""

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MAX_FRAGMENTS:
            self.transport.abort()
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        if self.transport.get_write_buffer_size() > MAX_UNREAD_BYTES_OF_PINGS:
            self.transport.abort()
            return
        super().handle_ping()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self.loop.call_later(CLOSE_WITHIN_S, self.transport.abort)

    def send_receive_event_to_app(self) -> None:
        if self.queue.qsize() >= MAX_QUEUED_FRAMES:
            self.transport.abort()
            return
        super().send_receive_event_to_app()
