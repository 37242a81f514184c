"""Tests that WebSocket connections that exceed a memory limit are aborted."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from videoplatform.websockets import MAX_FRAGMENTS, MAX_QUEUED_FRAMES, BoundedWebSocket

TEXT, CONTINUATION, PING = 0x1, 0x0, 0x9


def frame(opcode: int, payload: bytes = b"", *, is_last: bool = True) -> bytes:
    """Return a client's frame, masked with zeros (RFC 6455, 5.2)."""
    return struct.pack("!BB", (0x80 if is_last else 0) | opcode, 0x80 | len(payload)) + bytes(4) + payload


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Accept the socket, and answer only ``echo``."""
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        if message.get("text") == "echo":
            await send({"type": "websocket.send", "text": "heard"})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(application, port=0, lifespan="off", log_level="error", ws=BoundedWebSocket)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        yield reader, writer
    finally:
        writer.transport.abort()
        server.should_exit = server.force_exit = True
        await server.shutdown()


async def is_cut_off(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(10):
        try:
            return not await reader.read(-1) or True
        except ConnectionError:
            return True


async def test_regular_connection_is_served() -> None:
    async with connected() as (reader, writer):
        writer.write(frame(TEXT, b"ec", is_last=False) + frame(PING, b"p") + frame(CONTINUATION, b"ho"))

        assert await reader.readexactly(3) == b"\x8a\x01p"
        assert await reader.readexactly(7) == b"\x81\x05heard"


@pytest.mark.parametrize(
    "sent",
    [
        frame(TEXT) * (2 * MAX_QUEUED_FRAMES),
        frame(TEXT, is_last=False) + frame(CONTINUATION, is_last=False) * (2 * MAX_FRAGMENTS),
    ],
    ids=["frames", "fragments"],
)
async def test_connection_with_too_many_queued_frames_is_aborted(sent: bytes) -> None:
    async with connected() as (reader, writer):
        writer.write(sent)

        assert await is_cut_off(reader)


async def test_connection_that_pings_without_reading_is_aborted() -> None:
    async with connected() as (reader, writer):
        flood = frame(PING, os.urandom(125)) * 1000
        with pytest.raises(ConnectionError):  # noqa: PT012 -- any of the writes may be the one that fails
            async with asyncio.timeout(30):
                while True:
                    writer.write(flood)
                    await writer.drain()
        assert reader is not None
