"""Fake broadcasts for tests, and servers that serve them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socket import socket
from urllib.parse import urlsplit

import httpx
import uvicorn
from django.conf import settings
from redis.asyncio import Redis

from live.edge.origin import EdgeOrigin
from live.edge.writer import EdgeWriter
from live.llhls.segments import Init, Part, SegmentEnd, Shape
from live.redis_connections import new_writer_client

SHAPE = Shape(part_target_s=0.2, target_duration_s=1)
RENDITIONS = ["r0", "r1"]
PARTS = 5  # a segment
MULTIVARIANT = "multivariant.m3u8"
# Held while segment 0 is the last one.
NEXT_PART = "r0.m3u8?_HLS_msn=1&_HLS_part=0"
NOTHING_PUBLISHED = "/live-media/nobody/open/r0.m3u8"


@asynccontextmanager
async def written(
    broadcast: str = "b1",
    *,
    access: str = "open",
    shape: Shape = SHAPE,
    begins: bool = True,
    redis_url: str = "",
    generation: int = 1,
) -> AsyncIterator[FakeBroadcast]:
    """Yield a broadcast on a Redis connection of its own, with its first epoch begun."""
    async with Redis.from_url(redis_url, protocol=2) if redis_url else new_writer_client() as redis:
        writer = await EdgeWriter.open(redis, broadcast, shape, RENDITIONS, access, generation=generation)
        pretended = FakeBroadcast(writer, broadcast, access)
        if begins:
            await pretended.begin()
        try:
            yield pretended
        finally:
            await writer.close()


class FakeBroadcast:
    """Fake broadcast, whose parts hold their own names as bytes: ``r0:7.2;``."""

    def __init__(self, writer: EdgeWriter, name: str, access: str) -> None:
        self.writer = writer
        self.path = f"/live-media/{name}/{access}/"

    async def begin(self, started_at: float = 1_700_000_000.0) -> None:
        epoch = self.writer.next_epoch
        await self.writer.begin_epoch(epoch, started_at)
        for name in RENDITIONS:
            init = Init(f"init {name} {epoch}".encode(), "avc1.64001f,mp4a.40.2", 1280, 720)
            await self.writer.add_init(name, init, bandwidth_bps=1_000_000, frame_rate=30.0)

    async def add_part(self, msn: int, number: int, renditions: list[str] = RENDITIONS) -> None:
        for name in renditions:
            part = Part(msn, number, 0.2, number == 0, f"{name}:{msn}.{number};".encode())
            await self.writer.add_part(name, part)

    async def end_segment(self, msn: int, renditions: list[str] = RENDITIONS) -> None:
        for name in renditions:
            await self.writer.end_segment(name, SegmentEnd(msn, 1.0))

    async def add_segments(self, *msns: int, renditions: list[str] = RENDITIONS) -> None:
        for msn in msns:
            for number in range(PARTS):
                await self.add_part(msn, number, renditions)
            await self.end_segment(msn, renditions)


def whole(name: str, msn: int, parts: int = PARTS) -> str:
    return "".join(f"{name}:{msn}.{number};" for number in range(parts))


@asynccontextmanager
async def serving(origin: EdgeOrigin | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a real uvicorn that serves ``origin``."""
    origin = origin or EdgeOrigin(settings.REDIS_URL)
    config = uvicorn.Config(origin, port=0, lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    await server.has_started.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client
    finally:
        server.should_exit = True
        await task
        await origin.aclose()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()


class Line:
    """TCP proxy to Redis that can be cut; clients connect to ``url``."""

    def __init__(self) -> None:
        self.url = ""
        self._target = urlsplit(settings.REDIS_URL)
        self._is_cut = False
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @classmethod
    @asynccontextmanager
    async def laid(cls) -> AsyncIterator[Line]:
        line = cls()
        server = await asyncio.start_server(line._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        far = urlsplit(settings.REDIS_URL)
        credentials = "".join(far.netloc.rpartition("@")[:2])
        line.url = far._replace(netloc=f"{credentials}127.0.0.1:{port}").geturl()
        try:
            yield line
        finally:
            server.close()
            line.cut()
            await asyncio.gather(*line._pipes, return_exceptions=True)

    def cut(self) -> None:
        """Abort open connections and refuse new ones."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._pipes.add(asyncio.create_task(self._carry(source, sink)))

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
        sink.transport.abort()


async def until_waiting(origin: EdgeOrigin, count: int) -> None:
    """Return once ``count`` requests are held."""
    async with asyncio.timeout(10):
        while origin.waiting != count:  # noqa: ASYNC110  the origin has no event for it
            await asyncio.sleep(0.005)


@dataclass(frozen=True, slots=True)
class HeldRequest:
    """Request that an origin holds, with its broadcast and its client."""

    broadcast: FakeBroadcast
    origin: EdgeOrigin
    client: httpx.AsyncClient
    request: asyncio.Task[httpx.Response]


@asynccontextmanager
async def holding(name: str = NEXT_PART, *, origin: EdgeOrigin | None = None) -> AsyncIterator[HeldRequest]:
    """Yield a held request for ``name`` of a broadcast whose only segment is 0."""
    origin = origin or EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}{name}"))
        await until_waiting(origin, 1)
        yield HeldRequest(broadcast, origin, client, request)


def listed(response: httpx.Response) -> list[str]:
    """Return the URIs of segments and parts."""
    lines = response.text.splitlines()
    return [
        line if not line.startswith("#") else line.split('URI="')[1].split('"')[0]
        for line in lines
        if line and (not line.startswith("#") or line.startswith("#EXT-X-PART:"))
    ]


async def fetched(client: httpx.AsyncClient, path: str) -> dict[str, bytes]:
    """Return a broadcast's playlists, and the init segments and segments in them, by URI."""
    files = {MULTIVARIANT: (await client.get(f"{path}{MULTIVARIANT}")).content}
    playlists = [line for line in files[MULTIVARIANT].decode().splitlines() if not line.startswith("#")]
    for playlist in playlists:
        files[playlist] = text = (await client.get(f"{path}{playlist}")).content
        lines = text.decode().splitlines()
        maps = {line.split('URI="')[1].rstrip('"') for line in lines if line.startswith("#EXT-X-MAP:")}
        for uri in [*maps, *(line for line in lines if not line.startswith("#"))]:
            files[uri] = (await client.get(f"{path}{uri}")).content
    return files
