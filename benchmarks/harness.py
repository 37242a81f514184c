"""Shared parts of the benchmarks: a separate platform, accounts, uploads, clips, and output of figures."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from videos.transcoding.tools import ffmpeg_path

BASE_DIR = Path(__file__).resolve().parent.parent
CACHE = Path(tempfile.gettempdir()) / "benchmark-clips"
START_TIMEOUT_S = 300
ENCODERS = {"h264": ("libx264", "veryfast"), "hevc": ("libx265", "ultrafast")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        # SeaweedFS binds port + 10000 as well.
        return port if port < 50_000 else free_port()


@dataclass(slots=True)
class Platform:
    """A running platform and its address."""

    url: str
    data_dir: Path
    process: subprocess.Popen[str]

    def api(self, token: str = "") -> httpx.Client:
        headers = {"Authorization": f"Token {token}"} if token else {}
        return httpx.Client(base_url=f"{self.url}/api/v1/", headers=headers, timeout=60)


@contextlib.contextmanager
def platform(checkout: Path = BASE_DIR, **environment: str) -> Iterator[Platform]:
    """Run ``bin/run`` in a new data folder, and stop it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        ports = {name: str(free_port()) for name in ("PORT", "RTMP_PORT", "S3_PORT", "REDIS_PORT")}
        process = subprocess.Popen(
            [checkout / "bin/run"],
            env=os.environ | ports | {"DATA_DIR": folder, "DEMO": "0", "RATE_LIMITS": "0"} | environment,
            stdout=subprocess.PIPE, text=True, cwd=checkout, start_new_session=True,
        )  # fmt: skip
        try:
            yield Platform(_ready_url(process), Path(folder), process)
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()


def _ready_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    deadline = time.monotonic() + START_TIMEOUT_S
    output: list[str] = []
    for line in process.stdout:
        output.append(line)
        if found := re.match(r"ready (http\S+)", line):
            return found[1]
        if time.monotonic() > deadline:
            break
    raise SystemExit("the platform did not start:\n" + "".join(output))


def register(on: Platform) -> str:
    """Register a new person and return their API token."""
    name = f"bench{secrets.token_hex(4)}"
    answer = on.api().post(
        "accounts/register/",
        json={"username": name, "email": f"{name}@bench.invalid", "password": secrets.token_urlsafe(12)},
    )
    answer.raise_for_status()
    token: str = answer.json()["token"]
    return token


def send(on: Platform, token: str, path: Path) -> tuple[str, list[dict[str, Any]]]:
    """Upload every part of ``path``; return the video's id and the parts to complete it."""
    api = on.api(token)
    size = path.stat().st_size
    created = api.post("videos/", json={"title": path.stem, "filename": path.name, "size_bytes": size})
    created.raise_for_status()
    video, upload = created.json()["id"], created.json()["upload"]
    parts = []
    with path.open("rb") as source, httpx.Client(timeout=120) as s3:
        for first in range(1, upload["part_count"] + 1, 100):
            numbers = list(range(first, min(first + 100, upload["part_count"] + 1)))
            signed = api.post(f"videos/{video}/upload/parts/", json={"numbers": numbers}).json()["parts"]
            for part in signed:
                sent = s3.put(part["url"], content=source.read(upload["part_size_bytes"]))
                sent.raise_for_status()
                parts.append({"number": part["number"], "etag": sent.headers["etag"]})
    return video, parts


def complete(on: Platform, token: str, video: str, parts: list[dict[str, Any]]) -> None:
    on.api(token).post(f"videos/{video}/upload/complete/", json={"parts": parts}).raise_for_status()


def wait_for(
    on: Platform, token: str, video: str, key: str, value: object, timeout_s: float = 3600
) -> dict[str, Any]:
    """Poll the video until ``key`` is ``value``, and return it."""
    api, deadline = on.api(token), time.monotonic() + timeout_s
    while True:
        answer: dict[str, Any] = api.get(f"videos/{video}/").json()
        if answer[key] == value:
            return answer
        if answer["status"] == "failed" or time.monotonic() > deadline:
            raise SystemExit(f"{key} never became {value}: {json.dumps(answer)}")
        time.sleep(0.1)


def clip(seconds: int, *, size: str = "1920x1080", rate: int = 30, codec: str = "h264") -> Path:
    """Return a 1080p30 clip with audio of any length, from real footage if given, else generated.

    ``codec`` is ``h264`` or ``hevc``.
    """
    CACHE.mkdir(exist_ok=True)
    name = f"{size}-{rate}" if codec == "h264" else f"{size}-{rate}-{codec}"
    path = CACHE / f"{name}-{seconds}.mp4"
    if path.exists():
        return path
    minute = CACHE / f"{name}-minute.mp4"
    if not minute.exists():
        _draw(minute, size, rate, codec)
    repeats = math.ceil(seconds / 60) - 1
    subprocess.run(
        [
            ffmpeg_path(), "-v", "error", "-y", "-stream_loop", str(repeats), "-i", str(minute),
            "-t", str(seconds), "-c", "copy", "-movflags", "+faststart", str(path),
        ],
        check=True,
    )  # fmt: skip
    return path


def _draw(path: Path, size: str, rate: int, codec: str) -> None:
    """Write a minute that is hard to encode: footage from BENCHMARK_SOURCE, or a test card with noise."""
    source = os.environ.get("BENCHMARK_SOURCE")
    encoder, preset = ENCODERS[codec]
    picture = (
        ["-stream_loop", "-1", "-i", source]
        if source
        else [
            "-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate},noise=alls=12:allf=t",
            "-f", "lavfi", "-i", "sine=frequency=330:sample_rate=48000",
        ]
    )  # fmt: skip
    subprocess.run(
        [
            ffmpeg_path(), "-v", "error", "-y", *picture, "-t", "60",
            "-vf", f"scale={size.replace('x', ':')},fps={rate}",
            "-c:v", encoder, "-preset", preset, "-b:v", "8M",
            "-g", str(2 * rate), "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2", str(path),
        ],
        check=True,
    )  # fmt: skip


def report(name: str, **figures: object) -> None:
    """Print one line of figures, readable for people and programs."""
    print(
        name,
        *(
            f"{key}={value:.2f}" if isinstance(value, float) else f"{key}={value}"
            for key, value in figures.items()
        ),
    )
    sys.stdout.flush()
