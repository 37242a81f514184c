"""An ingest inside the test, encoders that publish into it, and what became of it all."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from django.conf import settings

from live.ingest.pipeline import Broadcaster, Pipeline, in_thread
from live.ingest.server import RtmpServer
from live.models import Broadcast, Stream
from live.rtmp.session import MediaTag
from live.tests.factories import StreamFactory
from videoplatform import storage
from videos.models import Video
from videos.tests import processes
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

T = TypeVar("T")
KEY = "live_of-the-test"
LONGEST_WAIT_S = 30
LOOK_EVERY_S = 0.05
NAMES_OF_TAGS: dict[int, Literal["audio", "video"]] = {8: "audio", 9: "video"}


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

    async def admit(self, publisher: FakePublisher) -> Pipeline:
        return await self.broadcaster.admit(KEY, publisher)

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


@dataclass
class IngestProcess:
    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"rtmp://127.0.0.1:{self.port}/live/{KEY}"


@asynccontextmanager
async def ingest_process(bucket: str, log_dir: Path) -> AsyncIterator[IngestProcess]:
    """``manage.py ingest`` as it runs in production, killed at the end if it still does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = processes.start(
        ["django", "ingest", "--port", str(port)],
        bucket,
        log_dir,
        LIVE_RUNGS="180",
        LIVE_PRESET="ultrafast",
        DJANGO_SETTINGS_MODULE="videoplatform.settings",
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(listens)
        yield IngestProcess(process, port)
    finally:
        await asyncio.to_thread(processes.kill, process)


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """What ``look`` finds, as soon as it finds anything."""
    async with asyncio.timeout(LONGEST_WAIT_S):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(LOOK_EVERY_S)


def publish_args(
    url: str,
    *,
    seconds: float = 600,
    size: str = "640x360",
    gop: int = 30,
    has_sound: bool = True,
    x264: tuple[str, ...] = ("-tune", "zerolatency"),
) -> list[str]:
    """FFmpeg as an encoder: 30 pictures a second, in real time."""
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-c:a", "aac"]
    picture = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=30"]
    return [
        ffmpeg_path(), "-v", "error", "-re", *picture, *(sound[:4] if has_sound else []),
        "-t", str(seconds), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", *x264,
        "-b:v", "800k", "-g", str(gop), "-sc_threshold", "0", *(sound[4:] if has_sound else []),
        "-f", "flv", url,
    ]  # fmt: skip


@asynccontextmanager
async def publishing(url: str, **shape: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """An encoder that publishes until the end of the block, and then is killed if it still does."""
    process = await asyncio.create_subprocess_exec(
        *publish_args(url, **shape), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
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
    """The broadcast, once it is in ``status`` and has ``fields``."""
    found = Broadcast.objects.filter(status=status, **fields).select_related("recording", "stream__channel")
    return await until(lambda: in_thread(found.first))


async def ready_video() -> Video:
    found = Video.objects.filter(status=Video.Status.READY)
    return await until(lambda: in_thread(found.first))


async def recorded(segments: int, after_msn: int = -1) -> Broadcast:
    """The broadcast, once its recording lists live segments beyond ``after_msn`` + ``segments``."""
    return await broadcast_in("live", recorded_msn__gte=after_msn + segments)


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Replay:
    """What a recording left in the bucket, on disk."""

    folder: Path

    def playlist(self, name: str = "r0") -> str:
        return (self.folder / f"{name}.m3u8").read_text()

    def file(self, key: str) -> bytes:
        return (self.folder / Path(key).name).read_bytes()

    @property
    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("r*.m3u8"))

    def decoded_pictures(self, name: str = "r0") -> int:
        """How many pictures come out of all timelines.

        Each is decoded from its init segment on: ffprobe's own HLS reader loses
        pictures behind a discontinuity, which players do not.
        """
        return sum(
            int(self._probe(path, "v", "-count_frames", "-show_entries", "stream=nb_read_frames")[0])
            for path in self._timelines(name)
        )

    def _timelines(self, name: str) -> Iterator[Path]:
        chunks = self.playlist(name).split("#EXT-X-MAP:")[1:]
        for number, chunk in enumerate(chunks):
            init, *segments = re.findall(r"[\w/-]+\.(?:mp4|m4s)", chunk)
            path = self.folder / f"{name}-{number}.mp4"
            path.write_bytes(b"".join((self.folder / part).read_bytes() for part in (init, *segments)))
            yield path

    def size(self, name: str = "r0") -> tuple[int, int]:
        width, height = self._probe(
            self.folder / f"{name}.m3u8", "v", "-show_entries", "stream=width,height"
        )[0].split(",")[:2]
        return int(width), int(height)

    def has_sound(self, name: str = "r0") -> bool:
        return bool(self._probe(self.folder / f"{name}.m3u8", "a", "-show_entries", "stream=codec_name"))

    def _probe(self, path: Path, stream: str, *options: str) -> list[str]:
        argv = [
            ffprobe_path(), "-v", "error", "-select_streams", stream, *options, "-of", "csv=p=0", str(path),
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


# --- Without sockets ------------------------------------------------------------------


class FakePublisher:
    """What a pipeline knows of a connection; remembers why it was closed."""

    host = "127.0.0.1"

    def __init__(self, connection_id: str = "fake") -> None:
        self.connection_id = connection_id
        self.closed_with: list[str] = []

    def close(self, code: str = "", description: str = "") -> None:
        self.closed_with.append(description)


def tags_of(
    *options: str, seconds: float = 3, size: str = "320x180", has_sound: bool = True
) -> list[MediaTag]:
    """What an encoder sends in ``seconds``, as tags."""
    argv = publish_args("pipe:1", seconds=seconds, size=size, has_sound=has_sound)
    argv.remove("-re")
    argv[-3:] = [*options, "-f", "flv", "pipe:1"]
    data = subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout
    tags, at = [], 13
    while at + 15 <= len(data):
        kind, length = data[at], int.from_bytes(data[at + 1 : at + 4])
        time_ms = int.from_bytes(data[at + 4 : at + 7]) | data[at + 7] << 24
        payload = data[at + 11 : at + 11 + length]
        if kind in NAMES_OF_TAGS:
            tags.append(MediaTag(NAMES_OF_TAGS[kind], time_ms, payload))
        at += 15 + length
    return tags


def later(tags: list[MediaTag], ms: int) -> list[MediaTag]:
    return [MediaTag(tag.kind, tag.timestamp_ms + ms, tag.payload) for tag in tags]
