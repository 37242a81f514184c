"""Chat sockets for tests, on the consumer itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from accounts.models import User
from live.chat import tickets
from live.models import Stream
from live.routing import websocket_urlpatterns

PATIENCE_S = 10
application = URLRouter(websocket_urlpatterns)

Frames = dict[str, Any]


class Socket:
    """Client of a chat socket; ``events`` holds all events received in ticks."""

    def __init__(self, communicator: Any) -> None:
        self.communicator = communicator
        self.events: list[Frames] = []

    async def frame(self) -> Frames:
        frame: Frames = await self.communicator.receive_json_from(PATIENCE_S)
        self.events += frame.get("events", [])
        return frame

    async def post(self, text: str, nonce: str = "n") -> None:
        await self.send({"type": "say", "text": text, "nonce": nonce})

    async def send(self, frame: object) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        await self.communicator.send_input({"type": "websocket.receive", "text": text})

    async def until(self, is_it: Callable[[Frames], bool]) -> Frames:
        """Return the next event for which ``is_it``; the others stay in ``events``."""
        seen = len(self.events)
        while True:
            for event in self.events[seen:]:
                if is_it(event):
                    return event
            seen = len(self.events)
            frame = await self.frame()
            assert frame["type"] == "tick", frame

    async def hears(self, text: str) -> Frames:
        return await self.until(lambda event: event.get("text") == text)

    async def hears_type(self, kind: str) -> Frames:
        return await self.until(lambda event: event["type"] == kind)

    async def error(self) -> Frames:
        """Return the next error frame, skipping ticks."""
        while (frame := await self.frame())["type"] != "error":
            pass
        return frame

    async def close_code(self) -> int:
        """Read until the server closes; return the close code."""
        while (output := await self.communicator.receive_output(PATIENCE_S))["type"] != "websocket.close":
            pass
        code: int = output["code"]
        return code


def path_of(stream: Stream, ticket: str = "") -> str:
    return f"/ws/live/{stream.username}/chat/" + (f"?ticket={ticket}" if ticket else "")


@sync_to_async
def ticket_for(stream: Stream, user: User) -> str:
    return tickets.issue(stream, user)[0]


@asynccontextmanager
async def joined(path: str, headers: list[tuple[bytes, bytes]] | None = None) -> AsyncIterator[Socket]:
    communicator = WebsocketCommunicator(application, path, headers)
    is_open, _ = await communicator.connect(PATIENCE_S)
    assert is_open
    try:
        yield Socket(communicator)
    finally:
        # After a close, the consumer has already ended.
        await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(asyncio.shield(communicator.future), PATIENCE_S)


@asynccontextmanager
async def chatting(stream: Stream, user: User | None = None) -> AsyncIterator[Socket]:
    """Yield a socket, after reading its ``hello``."""
    ticket = await ticket_for(stream, user) if user else ""
    async with joined(path_of(stream, ticket)) as socket:
        assert (await socket.frame())["type"] == "hello"
        yield socket


async def close_code_of(path: str) -> int:
    async with joined(path) as socket:
        return await socket.close_code()
