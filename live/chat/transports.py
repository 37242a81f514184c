"""How frames reach one client: a socket's transport where we can reach it, else ASGI's ``send``.

The hub never waits for a client.  It writes into the server's own buffer and
asks how full that is; a frame is encoded once for all.  uvicorn and daphne give
away their protocol as the owner of ``send``; behind anything that wraps it, a
task for each client sends from a bounded queue.
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


class Frame:
    """Text for many clients, as it travels and as ASGI wants it."""

    __slots__ = ("text", "wire")

    def __init__(self, text: str) -> None:
        self.text = text
        self.wire = encode(text.encode())


def encode(payload: bytes) -> bytes:
    """A server's WebSocket text frame: whole, without a mask, not compressed (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", _FINAL_TEXT, size) + payload
    if size < 65_536:
        return struct.pack("!BBH", _FINAL_TEXT, 126, size) + payload
    return struct.pack("!BBQ", _FINAL_TEXT, 127, size) + payload


class Sink(Protocol):
    """One client's end of a room.  Nothing here waits."""

    def write(self, frame: Frame) -> None: ...

    def buffered(self) -> int:
        """Bytes that the client has not taken from us."""

    def close(self, code: int) -> None:
        """Say goodbye, as politely as the client reads."""

    def abort(self, code: int) -> None:
        """End it at once: a polite close would wait behind what is not read."""


def sink_for(send: Send) -> Sink:
    """The shortest way to whoever is at the other end of ``send``."""
    owner = getattr(send, "__self__", None)
    if isinstance(owner, UvicornProtocol):
        return UvicornSink(owner, send)
    if isinstance(send, functools.partial) and send.args and isinstance(send.args[0], DaphneProtocol):
        return DaphneSink(send.args[0])
    return AsgiSink(send)


class UvicornSink:
    """Frames go into asyncio's transport; between two of uvicorn's own, as it writes whole frames only."""

    def __init__(self, protocol: UvicornProtocol, send: Send) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._send = send
        self._closing: asyncio.Task[None] | None = None

    def write(self, frame: Frame) -> None:
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
            pass  # it was closed already

    def abort(self, code: int) -> None:
        self._transport.abort()


class DaphneSink:
    """The same into Twisted's transport, which has no bound of its own: ours is the only one."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._transport = protocol.transport

    def write(self, frame: Frame) -> None:
        if self._protocol.state == DaphneProtocol.STATE_OPEN:
            self._transport.write(frame.wire)

    def buffered(self) -> int:
        # Twisted tells nobody how much waits; it only calls a producer, and the
        # HTTP channel that this connection began with is registered as that.
        held: int = len(self._transport.dataBuffer) - self._transport.offset + self._transport._tempDataLen
        return held

    def close(self, code: int) -> None:
        if self._protocol.state == DaphneProtocol.STATE_OPEN:
            self._protocol.serverClose(code=code)

    def abort(self, code: int) -> None:
        self._transport.abortConnection()


class AsgiSink:
    """Any ASGI server: one task sends what is queued.  What ``send`` has taken is no longer seen."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: deque[dict[str, Any]] = deque()
        self._buffered = 0
        self._is_closed = False
        self._sending: asyncio.Task[None] | None = None

    def write(self, frame: Frame) -> None:
        if not self._is_closed:
            self._buffered += len(frame.text)
            self._put({"type": "websocket.send", "text": frame.text})

    def buffered(self) -> int:
        return self._buffered

    def close(self, code: int) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._put({"type": "websocket.close", "code": code})

    def abort(self, code: int) -> None:
        self._queue.clear()
        if self._sending:
            self._sending.cancel()
            self._sending = None
        self.close(code)

    def _put(self, message: dict[str, Any]) -> None:
        self._queue.append(message)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        while self._queue:
            message = self._queue.popleft()
            try:
                await self._send(message)
            except OSError:
                self._queue.clear()  # they are gone
            self._buffered -= len(message.get("text", ""))
