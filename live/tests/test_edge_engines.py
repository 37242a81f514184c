"""The live edge as FFmpeg plays it, and under both servers."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from live.edge import control
from live.edge.writer import EdgeWriter
from live.llhls.segments import Init, Part, SegmentEnd
from live.redis_connections import new_writer_client
from live.tests.edge_tools import (
    NEXT_PART,
    NOTHING_PUBLISHED,
    serving,
    whole,
    written,
)
from live.tests.live_clips import Published, encode, packaged
from videos.transcoding.tools import ffmpeg_path

pytestmark = pytest.mark.redis


@pytest.mark.ffmpeg
@pytest.mark.parametrize("published", [Published(), Published(b_frames=2)], ids=["", "B-frames"])
async def test_ffmpeg_plays_the_playlist_from_complete_segments(published: Published, tmp_path: Path) -> None:
    files = {f"r{number}": path for number, path in enumerate(encode(tmp_path, published)[:2])}
    async with new_writer_client() as connection, serving() as client:
        writer = await EdgeWriter.open(connection, "b1", published.shape, list(files), "open")
        await writer.begin_epoch(0, 1_700_000_000.0)
        for name, path in files.items():
            await write(writer, name, packaged(path, published.shape))
        await writer.close()
        await asyncio.to_thread(control.end, "b1")
        url = f"{client.base_url}/live-media/b1/open/multivariant.m3u8"

        played = [await asyncio.to_thread(decoded_pictures, url, variant) for variant in (0, 1)]

    # FFmpeg starts at the third segment before the end, as in the specification, or at the first.
    assert played in ([120, 120], [90, 90])


async def write(writer: EdgeWriter, name: str, made: list[Init | Part | SegmentEnd]) -> None:
    for thing in made:
        match thing:
            case Init():
                await writer.add_init(name, thing, bandwidth_bps=500_000, frame_rate=30.0)
            case Part():
                await writer.add_part(name, thing)
            case SegmentEnd():
                await writer.end_segment(name, thing)


def decoded_pictures(url: str, variant: int) -> int:
    done = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-i", url, "-map", f"0:v:{variant}", "-f", "framemd5", "-"],
        check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    return sum(not line.startswith("#") for line in done.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
async def test_application_serves_live_media_under_uvicorn_and_daphne(server: str) -> None:
    async with written() as broadcast, application(server) as client:
        await broadcast.add_segments(0)
        playlist = await client.get(f"{broadcast.path}r0.m3u8")
        held = asyncio.create_task(client.get(f"{broadcast.path}r0/1.0.m4s"))
        left = asyncio.create_task(client.get(f"{broadcast.path}{NEXT_PART}"))
        head = await client.head(f"{broadcast.path}r0/0.m4s")
        left.cancel()
        await broadcast.add_part(1, 0)

        answers = [
            playlist,
            await held,
            head,
            await client.get(NOTHING_PUBLISHED),
            await client.get("/healthz"),
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 200]
    assert answers[1].content == b"r0:1.0;"
    assert head.headers["content-length"] == str(len(whole("r0", 0)))


@asynccontextmanager
async def application(server: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the ASGI application in its own process; requests queue until it listens."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        number = str(listener.fileno())
        options = ["--lifespan", "off", "--log-level", "warning"] if server == "uvicorn" else ["-v", "0"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", server, "--fd", number, *options, "videoplatform.asgi:application",
            pass_fds=[listener.fileno()],
        )  # fmt: skip
        host, port = listener.getsockname()
        try:
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=30) as client:
                yield client
        finally:
            process.kill()
            await process.wait()
