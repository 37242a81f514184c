"""Helpers for tests: an ingest in the test process, encoders for it, and access to the recordings."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
import redis
from django.conf import settings

from common import storage
from common.media.fragments import FragmentReader, Movie, Sample
from live.edge import keys
from live.ingest.publisher_session import PublisherSession, in_thread
from live.ingest.registry import SessionRegistry
from live.ingest.server import RtmpServer
from live.llhls.playlist import Window
from live.models import Broadcast, Stream
from live.rtmp import avc, flv
from live.rtmp.session import MediaTag
from live.tests.factories import StreamFactory
from live.tests.rtmp_client import media_tag
from videos.models import Video
from videos.tests import processes
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

T = TypeVar("T")
KEY = "live_of-the-test"
LONGEST_WAIT_S = 30
LOOK_EVERY_S = 0.05
VIDEO_TAG_HEADER = bytes.fromhex("17 01 000000")
NAMES_OF_TAGS: dict[int, Literal["audio", "video"]] = {8: "audio", 9: "video"}


# Marks of a file whose tests broadcast in real time, through every engine.
IN_REAL_TIME = [
    pytest.mark.slow,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.storage,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("one_rung_below"),
]


@pytest.fixture
def one_rung_below(settings: Any) -> None:
    """Encode one rung below the source, as fast as possible."""
    settings.LIVE_RUNGS = [180]
    settings.LIVE_PRESET = "ultrafast"


@dataclass
class Ingest:
    registry: SessionRegistry
    server: RtmpServer

    @property
    def url(self) -> str:
        return f"rtmp://127.0.0.1:{self.server.port}/live/{KEY}"

    async def session(self) -> PublisherSession:
        """Return the newest session with a running FFmpeg, waiting for one."""
        return await until(lambda: self._running())

    async def admit(self, publisher: FakePublisher) -> PublisherSession:
        return await self.registry.admit(KEY, publisher)

    async def _running(self) -> PublisherSession | None:
        on_air = [session for session in self.registry.sessions if session.ffmpeg_pid]
        return on_air[-1] if on_air else None


@asynccontextmanager
async def ingesting() -> AsyncIterator[Ingest]:
    registry = SessionRegistry()
    server = RtmpServer("127.0.0.1", 0, registry)
    await server.start()
    registry.start()
    try:
        yield Ingest(registry, server)
    finally:
        await server.close()
        await registry.close(within_s=10)


@dataclass
class IngestProcess:
    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"rtmp://127.0.0.1:{self.port}/live/{KEY}"


@asynccontextmanager
async def ingest_process(bucket: str, log_dir: Path) -> AsyncIterator[IngestProcess]:
    """Run ``manage.py ingest`` as a process, and kill it at the end."""
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
    """Return the first truthy result of ``look``, polling it."""
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
    """Return FFmpeg's arguments for publishing 30 frames a second in real time."""
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
    """Run an encoder that publishes, and kill it at the end of the block."""
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
    """Wait for a broadcast in ``status`` with ``fields``, and return it."""
    found = Broadcast.objects.filter(status=status, **fields).select_related("recording", "stream__channel")
    return await until(lambda: in_thread(found.first))


async def ready_video() -> Video:
    found = Video.objects.filter(status=Video.Status.READY)
    return await until(lambda: in_thread(found.first))


async def recorded(segments: int, after_msn: int = -1) -> Broadcast:
    """Wait until the recording lists live segment ``after_msn`` + ``segments``; return the broadcast."""
    return await broadcast_in("live", recorded_msn__gte=after_msn + segments)


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Replay:
    """Recording, copied from the bucket to disk."""

    folder: Path

    def playlist(self, name: str = "r0") -> str:
        return (self.folder / f"{name}.m3u8").read_text()

    def file(self, key: str) -> bytes:
        return (self.folder / Path(key).name).read_bytes()

    @property
    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("r*.m3u8"))

    def decoded_pictures(self, name: str = "r0") -> int:
        """Return the number of decoded frames of all timelines.

        Each timeline is decoded from its init segment: ffprobe's own HLS reader loses
        frames after a discontinuity, unlike players.
        """
        return sum(
            int(self._probe(path, "v", "-count_frames", "-show_entries", "stream=nb_read_frames")[0])
            for path in self._timelines(name)
        )

    def shown_at(self, name: str = "r0") -> list[list[float]]:
        """Return the presentation times of each timeline's frames, in order (s)."""
        return [
            sorted(shown_s for shown_s, *_ in _samples(path.read_bytes(), "vide"))
            for path in self._timelines(name)
        ]

    def sounds_at(self, name: str = "r0") -> list[tuple[float, bytes]]:
        """Return the time (s) and the bytes of each audio frame, in order."""
        return [
            (shown_s, data)
            for path in self._timelines(name)
            for shown_s, _duration_s, data in _samples(path.read_bytes(), "soun")
        ]

    def length_s(self, kind: Literal["vide", "soun"], name: str = "r0") -> float:
        """Return the total duration of a track's frames (s)."""
        timelines = [path.read_bytes() for path in self._timelines(name)]
        return sum(duration_s for data in timelines for _, duration_s, _ in _samples(data, kind))

    def _timelines(self, name: str) -> Iterator[Path]:
        for number, (init, segments) in enumerate(self._segments(name)):
            path = self.folder / f"{name}-{number}.mp4"
            path.write_bytes(b"".join((init, *segments)))
            yield path

    def _segments(self, name: str) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield the init segment and the segments of each timeline."""
        for chunk in self.playlist(name).split("#EXT-X-MAP:")[1:]:
            init, *segments = re.findall(r"[\w/-]+\.(?:mp4|m4s)", chunk)
            yield (self.folder / init).read_bytes(), [(self.folder / part).read_bytes() for part in segments]

    def size(self, name: str = "r0") -> tuple[int, int]:
        width, height = self._probe(
            self.folder / f"{name}.m3u8", "v", "-show_entries", "stream=width,height"
        )[0].split(",")[:2]
        return int(width), int(height)

    def pixel_shapes(self, name: str = "r0") -> set[str]:
        """Return the sample aspect ratios of all timelines, as ffprobe writes them."""
        return {
            shape
            for path in self._timelines(name)
            for shape in self._probe(path, "v", "-show_entries", "stream=sample_aspect_ratio")
        }

    def combed_pictures(self, name: str = "r0") -> int:
        """Return the number of frames in which FFmpeg's idet filter finds two fields."""
        found = 0
        for path in self._timelines(name):
            argv = [ffmpeg_path(), "-nostdin", "-i", str(path), "-vf", "idet", "-f", "null", "-"]
            printed = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stderr
            counts = re.findall(r"Multi frame detection: TFF: *(\d+) BFF: *(\d+)", printed)
            found += max(int(top) + int(bottom) for top, bottom in counts)
        return found

    def opens_with_idr(self, name: str = "r0") -> list[bool]:
        """Return, for each segment, whether its first video frame is an IDR picture."""
        return [
            not avc.lacks_idr(VIDEO_TAG_HEADER + next(_pictures(init + segment)).data, 4)
            for init, segments in self._segments(name)
            for segment in segments
        ]

    def has_sound(self, name: str = "r0") -> bool:
        return bool(self._probe(self.folder / f"{name}.m3u8", "a", "-show_entries", "stream=codec_name"))

    def _probe(self, path: Path, stream: str, *options: str) -> list[str]:
        argv = [
            ffprobe_path(), "-v", "error", "-select_streams", stream, *options, "-of", "csv=p=0", str(path),
        ]  # fmt: skip
        shown = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
        return [line.strip(",") for line in dict.fromkeys(shown.stdout.split())]


def _samples(data: bytes, kind: Literal["vide", "soun"]) -> Iterator[tuple[float, float, bytes]]:
    """Yield presentation time and duration (s) of each sample of a track, and its bytes."""
    scales: dict[int, int] = {}
    for found in FragmentReader().feed(data):
        if isinstance(found, Movie):
            scales = {track.number: track.timescale for track in found.tracks if track.kind == kind}
        elif scale := scales.get(found.track):
            shown_at = found.decode_time + found.composition_offset
            yield shown_at / scale, found.duration / scale, found.data


def _pictures(data: bytes) -> Iterator[Sample]:
    """Yield the samples of the video track."""
    video: set[int] = set()
    for found in FragmentReader().feed(data):
        if isinstance(found, Movie):
            video = {track.number for track in found.tracks if track.kind == "vide"}
        elif found.track in video:
            yield found


async def replay_of(video: Video, folder: Path) -> Replay:
    """Download all files of the recording."""

    def fetch() -> None:
        for key in storage.keys_under(video.encode_prefix):
            path = folder / key.removeprefix(video.encode_prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            body = storage.client().get_object(Bucket=settings.S3_BUCKET, Key=key)["Body"]
            path.write_bytes(body.read())

    await asyncio.to_thread(fetch)
    return Replay(folder)


async def replay_of_publishing(folder: Path, **shape: Any) -> Replay:
    """Let an encoder publish until it ends, and return the replay; ``shape`` is that of ``publishing``."""
    await make_stream()
    async with ingesting() as ingest, publishing(ingest.url, **shape) as encoder:
        await encoder.wait()
        return await replay_of(await ready_video(), folder)


async def replay_of_tags(folder: Path, *runs: list[MediaTag]) -> Replay:
    """Send ``runs`` of tags as one publisher, each behind the other, and return the replay."""
    await make_stream()
    async with ingesting() as ingest:
        session = await ingest.admit(FakePublisher())
        for tags in runs:
            await send(session, tags)
        await session.on_closed(has_unpublished=True)
        return await replay_of(await ready_video(), folder)


def durations(replay: Replay, name: str = "r0") -> list[float]:
    return [float(found) for found in re.findall(r"#EXTINF:([\d.]+)", replay.playlist(name))]


def timelines(replay: Replay) -> int:
    return replay.playlist().count("#EXT-X-DISCONTINUITY") + 1


def pictures_of(replay: Replay, name: str = "r0") -> int:
    """Return the number of frames in the playlist's duration, at 30 a second."""
    return round(sum(durations(replay, name)) * 30)


def window_of(broadcast: Broadcast, rendition: str = "r0") -> Window:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        text = client.get(keys.window_key(broadcast.public_id, rendition))
    assert isinstance(text, bytes)
    return Window.from_json(text)


class FakePublisher:
    """Fake connection for a session, which records the reasons of closing."""

    host = "127.0.0.1"

    def __init__(self, connection_id: str = "fake") -> None:
        self.connection_id = connection_id
        self.closed_with: list[str] = []

    def close(self, code: str = "", description: str = "") -> None:
        self.closed_with.append(description)


def tags_of(
    *options: str, seconds: float = 3, size: str = "320x180", has_sound: bool = True
) -> list[MediaTag]:
    """Return the tags that an encoder sends in ``seconds``."""
    argv = publish_args("pipe:1", seconds=seconds, size=size, has_sound=has_sound)
    argv.remove("-re")
    argv[-3:] = [*options, "-f", "flv", "pipe:1"]
    data = subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout
    return tags_in(data)


def tags_in(flv_file: bytes) -> list[MediaTag]:
    """Return the configurations and frames of an FLV file."""
    tags, at = [], 13
    while at + 15 <= len(flv_file):
        kind, length = NAMES_OF_TAGS.get(flv_file[at]), int.from_bytes(flv_file[at + 1 : at + 4])
        time_ms = int.from_bytes(flv_file[at + 4 : at + 7]) | flv_file[at + 7] << 24
        payload = flv_file[at + 11 : at + 11 + length]
        if kind and flv.media_header(kind, payload):
            tags.append(media_tag(kind, time_ms, payload))
        at += 15 + length
    return tags


def later(tags: list[MediaTag], ms: int) -> list[MediaTag]:
    return [replace(tag, timestamp_ms=tag.timestamp_ms + ms) for tag in tags]


async def send(session: PublisherSession, tags: list[MediaTag], *, faster: float = 2) -> None:
    """Send tags ``faster`` times as fast as they play."""
    started_at = asyncio.get_running_loop().time() - tags[0].timestamp_ms / 1000 / faster
    for tag in tags:
        due_s = started_at + tag.timestamp_ms / 1000 / faster - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0, due_s))
        await session.on_tag(tag)
