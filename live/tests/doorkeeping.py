"""Helpers for tests: an RTMP server, its admission of one key, and its recorded tags."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest

from live.ingest.server import MediaSink, Network, Publisher, PublisherRefused, RtmpServer, ServerLimits
from live.rtmp.session import REJECTED, MediaTag

SOON_S = 20  # timeout of expected events


class RecordingSink:
    """Sink that keeps its tags and its endings."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.tags: list[MediaTag] = []
        self.values: dict[str, Any] = {}
        self.endings: list[bool] = []
        self.is_closed = asyncio.Event()
        self.may_take = asyncio.Event()
        self.may_take.set()

    async def on_tag(self, tag: MediaTag) -> None:
        assert not self.endings
        await self.may_take.wait()
        self.tags.append(tag)

    async def on_metadata(self, values: dict[str, Any]) -> None:
        self.values = values

    async def on_closed(self, *, has_unpublished: bool) -> None:
        self.endings.append(has_unpublished)
        self.is_closed.set()

    async def ending(self) -> bool:
        """Wait for the end; return True if the publisher unpublished."""
        async with asyncio.timeout(SOON_S):
            await self.is_closed.wait()
        return self.endings[0]

    def of(self, kind: str) -> list[MediaTag]:
        return [tag for tag in self.tags if tag.kind == kind]


class Doorkeeper:
    """Admission that accepts the key ``good`` only."""

    def __init__(self) -> None:
        self.recorders: list[RecordingSink] = []
        self.makes: Callable[[Publisher], RecordingSink] = RecordingSink
        self.before: Callable[[Publisher], Coroutine[Any, Any, None]] | None = None

    async def admit(self, stream_key: str, publisher: Publisher) -> MediaSink:
        if stream_key != "good":
            raise PublisherRefused(REJECTED, "This stream key is invalid.")
        if self.before is not None:
            await self.before(publisher)
        recorder = self.makes(publisher)
        self.recorders.append(recorder)
        return recorder

    @property
    def recorder(self) -> RecordingSink:
        (only,) = self.recorders
        return only


@pytest.fixture
def door() -> Doorkeeper:
    return Doorkeeper()


@contextlib.asynccontextmanager
async def listening(
    door: Doorkeeper, *, balancers: Sequence[Network] = (), **limits: Any
) -> AsyncIterator[RtmpServer]:
    server = RtmpServer("127.0.0.1", 0, door, replace(ServerLimits(), **limits), balancers=balancers)
    await server.start()
    try:
        async with asyncio.timeout(3 * SOON_S):
            yield server
    finally:
        await server.close()
    assert not server._publishers
    assert all(len(recorder.endings) == 1 for recorder in door.recorders)


@pytest.fixture
async def server(door: Doorkeeper) -> AsyncIterator[RtmpServer]:
    async with listening(door) as server:
        yield server
