"""A moving video in which every frame carries the time of its creation.

    python -m benchmarks.stamped SECONDS FFMPEG-OUTPUT-OPTIONS …

The top strip of each frame is 40 blocks, white for 1: ``1010``, 32 bits of milliseconds
since 1970 modulo 2³², ``0101``. :data:`READ` reads them in a browser from any rung.
"""

from __future__ import annotations

import subprocess
import sys
import time

from videos.transcoding.tools import ffmpeg_path

WIDTH_PX, HEIGHT_PX, RATE = 1280, 720, 30
BLOCKS = 40
BLOCK_PX = WIDTH_PX // BLOCKS
BLACK, WHITE = b"\x10" * BLOCK_PX, b"\xeb" * BLOCK_PX

READ = """(video) => {
  const canvas = document.createElement('canvas');
  canvas.width = 160; canvas.height = 4;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const strip = video.videoHeight * 24 / 720;
  context.drawImage(video, 0, strip / 6, video.videoWidth, strip * 2 / 3, 0, 0, 160, 4);
  const pixels = context.getImageData(0, 0, 160, 4).data;
  let bits = '';
  for (let i = 0; i < 40; i += 1) bits += pixels[(2 * 160 + i * 4 + 2) * 4] > 128 ? '1' : '0';
  if (!bits.startsWith('1010') || !bits.endsWith('0101')) return null;
  return parseInt(bits.slice(4, 36), 2);
}"""


def frames() -> list[bytearray]:
    """Return the frames of one second of a moving test card, raw 4:2:0, with the top strip without colour."""
    argv = [
        ffmpeg_path(), "-v", "error", "-f", "lavfi",
        "-i", f"testsrc2=s={WIDTH_PX}x{HEIGHT_PX}:r={RATE},noise=alls=6:allf=t",
        "-frames:v", str(RATE), "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1",
    ]  # fmt: skip
    raw = subprocess.run(argv, check=True, capture_output=True).stdout
    size = WIDTH_PX * HEIGHT_PX * 3 // 2
    pictures = [bytearray(raw[start : start + size]) for start in range(0, len(raw), size)]
    grey = b"\x80" * (WIDTH_PX * BLOCK_PX // 4)
    for picture in pictures:
        for plane in (WIDTH_PX * HEIGHT_PX, WIDTH_PX * HEIGHT_PX * 5 // 4):
            picture[plane : plane + len(grey)] = grey
    return pictures


def stamp(frame: bytearray, now_ms: int) -> None:
    """Write the time into the top strip of ``frame``."""
    bits = f"1010{now_ms % 2**32:032b}0101"
    row = b"".join(WHITE if bit == "1" else BLACK for bit in bits)
    frame[: WIDTH_PX * BLOCK_PX] = row * BLOCK_PX


def publish(seconds: float, output: list[str]) -> None:
    """Make frames in real time, and let FFmpeg encode and send them like an encoder with a camera."""
    pictures = frames()
    argv = [
        ffmpeg_path(), "-v", "error", "-nostdin",
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH_PX}x{HEIGHT_PX}", "-r", str(RATE),
        "-i", "pipe:0",
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
        "-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency",
        "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k", "-g", str(RATE), "-sc_threshold", "0",
        "-c:a", "aac", "-b:a", "128k", *output,
    ]  # fmt: skip
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin
        started = time.monotonic()
        for number in range(int(seconds * RATE)):
            time.sleep(max(0.0, started + number / RATE - time.monotonic()))
            frame = pictures[number % RATE]
            stamp(frame, int(time.time() * 1000))
            encoder.stdin.write(frame)
        encoder.stdin.close()


if __name__ == "__main__":
    publish(float(sys.argv[1]), sys.argv[2:])
