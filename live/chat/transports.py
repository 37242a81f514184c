"""Transports of frames to one client: the socket's own if accessible, else ASGI's ``send``.

The hub never waits for a client.  It writes into the server's buffer and checks
its fill level; a frame is encoded once for all clients.  uvicorn and daphne
expose their protocol as the owner of ``send``; if ``send`` is wrapped, one task
per client sends from a queue.
"""

from __future__ import annotations

import asyncio
import functools
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from daphne.ws_protocol import WebSocketProtocol as DaphneProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol as UvicornProtocol

Send = Callable[[dict[str, Any]], Awaitable[None]]

CLOSE_TIMEOUT_S = 5
_FINAL_TEXT = 0x81


class WebSocketFrame:
    """Text frame for many clients, as WebSocket bytes and as ASGI text."""

    __slots__ = ("text", "wire")

    def __init__(self, text: str) -> None:
        self.text = text
        self.wire = encode(text.encode())


def encode(payload: bytes) -> bytes:
    """Return a server's WebSocket text frame: unfragmented, unmasked, uncompressed (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", _FINAL_TEXT, size) + payload
    if size < 65_536:
        return struct.pack("!BBH", _FINAL_TEXT, 126, size) + payload
    return struct.pack("!BBQ", _FINAL_TEXT, 127, size) + payload


class SocketSink(Protocol):
    """Output to one client.  No method waits."""

    def write(self, frame: WebSocketFrame) -> None: ...

    def buffered(self) -> int:
        """Return the number of bytes that the client has not taken yet."""

    def close(self, code: int) -> None:
        """Close the socket with ``code`` after the buffered frames."""

    def abort(self, code: int) -> None:
        """Close the socket at once: an orderly close would wait behind unread frames."""


def sink_for(send: Send) -> SocketSink:
    """Return the most direct sink for the client behind ``send``."""
    owner = getattr(send, "__self__", None)
    if isinstance(owner, UvicornProtocol):
        return UvicornSink(owner, send)
    if isinstance(send, functools.partial) and send.args and isinstance(send.args[0], DaphneProtocol):
        return DaphneSink(send.args[0])
    return AsgiSink(send)


class UvicornSink:
    """Sink into asyncio's transport; safe beside uvicorn's own writes, which are whole frames."""

    def __init__(self, protocol: UvicornProtocol, send: Send) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._send = send
        self._closing: asyncio.Task[None] | None = None

    def write(self, frame: WebSocketFrame) -> None:
        if not (self._protocol.close_sent or self._transport.is_closing()):
            self._transport.write(frame.wire)

    def buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    def close(self, code: int) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code))

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._send({"type": "websocket.close", "code": code})
        except (TimeoutError, OSError):
            self._transport.abort()
        except RuntimeError:
            pass  # already closed

    def abort(self, code: int) -> None:
        self._transport.abort()


class DaphneSink:
    """Sink into Twisted's transport, which has no bound of its own; the room's bound is the only one."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._transport = protocol.transport

    def write(self, frame: WebSocketFrame) -> None:
        if self._protocol.state == DaphneProtocol.STATE_OPEN:
            self._transport.write(frame.wire)

    def buffered(self) -> int:
        # Twisted has no API for the buffer's size; it only calls a producer, and the
        # HTTP channel of the handshake is already registered as the producer.
        held: int = len(self._transport.dataBuffer) - self._transport.offset + self._transport._tempDataLen
        return held

    def close(self, code: int) -> None:
        if self._protocol.state == DaphneProtocol.STATE_OPEN:
            self._protocol.serverClose(code=code)

    def abort(self, code: int) -> None:
        self._transport.abortConnection()


class AsgiSink:
    """Sink for any ASGI server: one task sends the queue.  Bytes inside ``send`` are not counted."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: deque[tuple[dict[str, Any], int]] = deque()
        self._buffered = 0
        self._is_closed = False
        self._sending: asyncio.Task[None] | None = None

    def write(self, frame: WebSocketFrame) -> None:
        if not self._is_closed:
            self._buffered += len(frame.wire)
            self._put({"type": "websocket.send", "text": frame.text}, len(frame.wire))

    def buffered(self) -> int:
        return self._buffered

    def close(self, code: int) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._put({"type": "websocket.close", "code": code}, 0)

    def abort(self, code: int) -> None:
        self._queue.clear()
        if self._sending:
            self._sending.cancel()
            self._sending = None
        self.close(code)

    def _put(self, message: dict[str, Any], size_bytes: int) -> None:
        self._queue.append((message, size_bytes))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        while self._queue:
            message, size_bytes = self._queue.popleft()
            try:
                await self._send(message)
            except OSError:
                self._queue.clear()  # the client has disconnected
            self._buffered -= size_bytes
