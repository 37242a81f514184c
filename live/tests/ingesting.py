"""An ingest inside the test, encoders that publish into it, and what became of it all."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from channels.db import database_sync_to_async
from django.conf import settings

from live.ingest.pipeline import Broadcaster, Pipeline, in_thread
from live.ingest.server import RtmpServer
from live.models import Broadcast, Stream
from live.tests.factories import StreamFactory
from live.tests.publisher import publish_args
from videoplatform import storage
from videos.models import Video
from videos.transcoding.tools import ffprobe_path

T = TypeVar("T")
KEY = "live_of-the-test"
LONGEST_WAIT_S = 30


@dataclass
class Ingest:
    broadcaster: Broadcaster
    server: RtmpServer

    @property
    def url(self) -> str:
        return f"rtmp://127.0.0.1:{self.server.port}/live/{KEY}"

    async def pipeline(self) -> Pipeline:
        """The pipeline whose FFmpeg runs."""
        return await until(lambda: self._running())

    async def _running(self) -> Pipeline | None:
        on_air = [pipeline for pipeline in self.broadcaster.pipelines if pipeline.ffmpeg_pid]
        return on_air[-1] if on_air else None


@asynccontextmanager
async def ingesting() -> AsyncIterator[Ingest]:
    broadcaster = Broadcaster()
    server = RtmpServer("127.0.0.1", 0, broadcaster)
    await server.start()
    broadcaster.start()
    try:
        yield Ingest(broadcaster, server)
    finally:
        await server.close()
        await broadcaster.close(within_s=10)


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """What ``look`` finds, as soon as it finds anything."""
    async with asyncio.timeout(LONGEST_WAIT_S):
        while not (found := await look()):
            await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def publishing(url: str, **shape: float | str) -> AsyncIterator[asyncio.subprocess.Process]:
    """An FFmpeg that publishes in real time; killed if it still does at the end of the block."""
    argv = publish_args(url, **shape)  # type: ignore[arg-type]
    process = await asyncio.create_subprocess_exec(*argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def make_stream(**fields: object) -> Stream:
    def make() -> Stream:
        stream: Stream = StreamFactory(key=KEY, **fields)
        return stream

    return await in_thread(make)


async def broadcast_in(status: str, **fields: object) -> Broadcast:
    """The broadcast, once it is in ``status``."""

    async def look() -> Broadcast | None:
        found = Broadcast.objects.filter(status=status, **fields).select_related(
            "recording", "stream__channel"
        )
        return await database_sync_to_async(found.first, thread_sensitive=False)()

    return await until(look)


async def ready_video() -> Video:
    async def look() -> Video | None:
        found = Video.objects.filter(status=Video.Status.READY)
        return await database_sync_to_async(found.first, thread_sensitive=False)()

    return await until(look)


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Replay:
    """What a recording left in the bucket, on disk."""

    folder: Path

    def playlist(self, name: str = "r0") -> str:
        return (self.folder / f"{name}.m3u8").read_text()

    @property
    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("r*.m3u8"))

    def decoded_pictures(self, name: str = "r0") -> int:
        """How many pictures come out when it is played from beginning to end."""
        return int(self._probe(name, "v", "-count_frames", "-show_entries", "stream=nb_read_frames")[0])

    def size(self, name: str = "r0") -> tuple[int, int]:
        width, height = self._probe(name, "v", "-show_entries", "stream=width,height")[0].split(",")[:2]
        return int(width), int(height)

    def has_sound(self, name: str = "r0") -> bool:
        return bool(self._probe(name, "a", "-show_entries", "stream=codec_name"))

    def _probe(self, name: str, stream: str, *options: str) -> list[str]:
        argv = [
            ffprobe_path(), "-v", "error", "-allowed_extensions", "ALL", "-select_streams", stream, *options,
            "-of", "csv=p=0", str(self.folder / f"{name}.m3u8"),
        ]  # fmt: skip
        shown = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
        return [line.strip(",") for line in dict.fromkeys(shown.stdout.split())]


async def replay_of(video: Video, folder: Path) -> Replay:
    """Fetch everything that the recording consists of."""

    def fetch() -> None:
        for key in storage.keys_under(video.encode_prefix):
            path = folder / key.removeprefix(video.encode_prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            body = storage.client().get_object(Bucket=settings.S3_BUCKET, Key=key)["Body"]
            path.write_bytes(body.read())

    await asyncio.to_thread(fetch)
    return Replay(folder)
