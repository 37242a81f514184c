"""Other players, opened on our addresses: each returns the number of frames it decodes."""

from __future__ import annotations

import subprocess

from videos.transcoding.tools import ffmpeg_path

PATIENCE_S = 60


def frames_by_ffmpeg(url: str, *, at_most: int) -> int:
    """Return the number of frames that FFmpeg decodes (as VLC, mpv and others do), up to ``at_most``.

    FFmpeg starts a growing playlist at its last three segments, so it is made to start at
    the first.
    """
    begins = ("-live_start_index", "0", "-i", url, "-map", "0:v:0")
    output = ("-frames:v", str(at_most), "-f", "framemd5", "-")
    frames = printed(ffmpeg_path(), "-v", "error", "-nostdin", *begins, *output)
    return sum(not line.startswith("#") for line in frames)


def frames_by_gstreamer(url: str) -> int:
    """Return the number of frames that GStreamer decodes from a whole finished playlist."""
    sinks = ("video-sink=fakesink name=frames sync=false silent=false", "audio-sink=fakesink sync=false")
    lines = printed("gst-launch-1.0", "-v", "playbin3", f"uri={url}", *sinks)
    return sum("frames: last-message = chain" in line for line in lines)


def printed(*argv: str) -> list[str]:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.stdout.splitlines()
