"""Clips whose frames show their own number, and readers of these numbers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from videos.transcoding.tools import ffmpeg_path

BITS = 10


def counting(path: Path, seconds: float, rate: str, *options: str, size: str = "320x180") -> Path:
    """Draw noisy frames that show their number in bits, as white stripes, and a beep each second."""
    width = int(size.partition("x")[0]) // BITS
    squares = ",".join(
        f"drawbox=x={width * bit}:w={width}:h=ih:c=white:t=fill:enable='mod(floor(n/{2**bit})\\,2)'"
        for bit in range(BITS)
    )
    beep = f"aevalsrc='if(lt(mod(t\\,1)\\,0.05)\\,0.8*sin(2*PI*1000*t)\\,0)':s=48000:d={seconds}"
    command = [
        ffmpeg_path(), "-v", "error", "-nostdin", "-y",
        "-f", "lavfi", "-i", f"color=black:s={size}:r={rate}:d={seconds},{squares},noise=alls=16:allf=t",
        "-f", "lavfi", "-i", beep,
        "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "2", *options,
        "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-c:a", "aac", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


def numbers_shown(path: Path) -> list[int]:
    """Return the number in each frame, in the order in which FFmpeg shows them."""
    command = [
        ffmpeg_path(), "-v", "error", "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough",
        "-vf", f"scale={BITS}:1:flags=area,format=gray", "-f", "rawvideo", "-",
    ]  # fmt: skip
    grey = subprocess.run(command, capture_output=True, check=True).stdout
    rows = (grey[start : start + BITS] for start in range(0, len(grey), BITS))
    return [sum((value > 128) << bit for bit, value in enumerate(row)) for row in rows]
