"""The CPU use of the RTMP server, against a server that only reads the same bytes.

    .venv/bin/python -m benchmarks.rtmp [publishers [seconds]]

Each publisher replays a clip of 3 Mb/s as OBS does: one write for every tag at its time, in
chunks of 4,096 bytes. The publishers share one process; the server has its own, under
uvloop like ``manage.py ingest``, and its sink discards the data.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import uvloop

from benchmarks import harness
from live.ingest.server import MediaSink, Publisher, RtmpServer
from live.rtmp.session import MediaTag
from live.tests.rtmp_client import Speech
from videos.transcoding.tools import ffmpeg_path

RATE_BPS = 3_000_000
SOUND_BPS = 128_000
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
SETTLE_S = 3
GOAL_PERCENT = 30


class Counting:
    """A sink that admits every publisher, and counts tags and bytes."""

    def __init__(self) -> None:
        self.tags = self.bytes = 0

    async def admit(self, stream_key: str, publisher: Publisher) -> MediaSink:
        return self

    async def on_tag(self, tag: MediaTag) -> None:
        self.tags += 1
        self.bytes += len(tag.payload)

    async def on_metadata(self, values: dict[str, Any]) -> None: ...

    async def on_closed(self, *, has_unpublished: bool) -> None: ...


async def serve_rtmp(pipe: Connection) -> None:
    counting = Counting()
    server = RtmpServer("127.0.0.1", 0, counting)
    await server.start()
    pipe.send(server.port)
    await asyncio.to_thread(pipe.recv)
    pipe.send((counting.tags, counting.bytes))


class Reading(asyncio.Protocol):
    received_bytes = 0

    def data_received(self, data: bytes) -> None:
        Reading.received_bytes += len(data)


async def serve_nothing(pipe: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(Reading, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(pipe.recv)
    pipe.send((0, Reading.received_bytes))


def run_server(serve: Callable[[Connection], Coroutine[Any, Any, None]], pipe: Connection) -> None:
    uvloop.run(serve(pipe))


def make_clip(seconds: int) -> bytes:
    """Return an FLV file of exactly 3 Mb/s, the constant bitrate that streamers are advised to use."""
    path = harness.CACHE / f"rtmp-{seconds}.flv"
    harness.CACHE.mkdir(exist_ok=True)
    if not path.exists():
        video_bps = str(RATE_BPS - SOUND_BPS)
        subprocess.run(
            [
                ffmpeg_path(), "-v", "error", "-y",
                "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30,noise=alls=20:allf=t",
                "-f", "lavfi", "-i", "anoisesrc=r=48000:a=0.1", "-t", str(seconds),
                "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
                "-g", "60", "-b:v", video_bps, "-minrate", video_bps, "-maxrate", video_bps,
                "-bufsize", video_bps, "-x264-params", "nal-hrd=cbr",
                "-c:a", "aac", "-b:a", str(SOUND_BPS), "-ac", "2", "-f", "flv", str(path),
            ],
            check=True,
        )  # fmt: skip
    return path.read_bytes()


def script_of(clip: bytes) -> list[tuple[float, bytes]]:
    """Return the messages of a publisher, with their times in seconds from its start."""
    speech = Speech()
    opening = [
        speech.hello(),
        speech.hello_answered(),
        speech.connect(),
        speech.prepare("benchmark"),
        speech.publish("benchmark"),
        speech.metadata(),
    ]
    script = [(0.0, b"".join(opening))]
    at = 13
    while at < len(clip):
        size = int.from_bytes(clip[at + 1 : at + 4])
        time_ms = int.from_bytes(clip[at + 4 : at + 7])
        kind: Literal["audio", "video"] | None = {8: "audio", 9: "video"}.get(clip[at])  # type: ignore[assignment]
        if kind:
            script.append((time_ms / 1000, speech.media(kind, time_ms, clip[at + 11 : at + 11 + size])))
        at += 15 + size
    return script


async def replay(port: int, script: list[tuple[float, bytes]], start: float) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(start - loop.time())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = asyncio.create_task(reader.read(-1))
    for due, data in script:
        if (wait := start + due - loop.time()) > 0:
            await asyncio.sleep(wait)
        writer.write(data)
    await writer.drain()
    writer.close()
    await answers


async def publish(port: int, script: list[tuple[float, bytes]], publishers: int) -> None:
    """Replay ``script`` in all publishers in parallel, with their keyframes spread over two seconds."""
    now = asyncio.get_running_loop().time()
    starts = [now + 2 * number / publishers for number in range(publishers)]
    await asyncio.gather(*(replay(port, script, start) for start in starts))


def run_publishers(port: int, script: list[tuple[float, bytes]], publishers: int) -> None:
    uvloop.run(publish(port, script, publishers))


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def measure(
    serve: Callable[[Connection], Coroutine[Any, Any, None]],
    script: list[tuple[float, bytes]],
    publishers: int,
    seconds: int,
) -> tuple[float, int, int]:
    """Return the percentage of a core while all publish, and the numbers of tags and bytes received."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=run_server, args=(serve, theirs), daemon=True)
    server.start()
    clients = multiprocessing.Process(
        target=run_publishers, args=(ours.recv(), script, publishers), daemon=True
    )
    clients.start()
    assert server.pid
    time.sleep(SETTLE_S)
    before_s, started = cpu_s(server.pid), time.monotonic()
    time.sleep(seconds)
    share = (cpu_s(server.pid) - before_s) / (time.monotonic() - started)
    clients.join()
    ours.send("enough")
    tags, size = ours.recv()
    server.join()
    return 100 * share, tags, size


def main(publishers: int = 20, seconds: int = 20) -> None:
    multiprocessing.set_start_method("spawn")
    script = script_of(make_clip(seconds + 2 * SETTLE_S))
    only_reading, _, sent_bytes = measure(serve_nothing, script, publishers, seconds)
    percent, tags, _ = measure(serve_rtmp, script, publishers, seconds)
    assert tags == publishers * (len(script) - 1), "tags were lost"
    length_s = script[-1][0]
    harness.report(
        "rtmp",
        publishers=publishers,
        mbps_each=sent_bytes * 8 / publishers / length_s / 1e6,
        core_percent=percent,
        only_reading_percent=only_reading,
        ratio=percent / only_reading,
        goal_percent=GOAL_PERCENT,
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
