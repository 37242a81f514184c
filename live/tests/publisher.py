"""Encoder for tests: a real FFmpeg that publishes video and audio in real time."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from videos.transcoding.tools import ffmpeg_path

Encoder = subprocess.Popen[bytes]


def publish_args(
    url: str, *, seconds: float = 600, size: str = "640x360", gop: int = 30, options: Sequence[str] = ()
) -> list[str]:
    return [
        ffmpeg_path(), "-v", "error", "-re",
        "-f", "lavfi", "-i", f"testsrc2=s={size}:r=30",
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
        "-t", str(seconds), "-pix_fmt", "yuv420p",
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "800k",
        "-g", str(gop), "-sc_threshold", "0", "-c:a", "aac", *options, "-f", "flv", url,
    ]  # fmt: skip


@contextmanager
def publishing(rtmp_url: str, key: str, **shape: float | str | Sequence[str]) -> Iterator[Encoder]:
    """Run an FFmpeg that publishes until the block ends, and then unpublishes if it still runs."""
    argv = publish_args(f"{rtmp_url}/{key}", **shape)  # type: ignore[arg-type]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as encoder:
        try:
            yield encoder
        finally:
            unpublish(encoder)


def unpublish(encoder: Encoder) -> None:
    """Stop the encoder by SIGINT, as a person does, so that it unpublishes first."""
    if encoder.poll() is None:
        encoder.send_signal(signal.SIGINT)
        encoder.wait(10)
