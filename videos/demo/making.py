"""Making of demo clips: frames are drawn here, and FFmpeg adds music and writes the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from videos.demo.canvas import Canvas
from videos.demo.catalogue import DemoClip, Loop
from videos.demo.scenes import Scene
from videos.transcoding.errors import FFmpegFailed
from videos.transcoding.processes import run_short
from videos.transcoding.sandbox import encoding
from videos.transcoding.tools import ffmpeg_path

# For one file, with the drawing of its frames.
MAKE_TIMEOUT_S = 1800
NOTE_S = 0.5
ENCODED = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "24", "-bf", "0", "-pix_fmt", "yuv420p")


def make(clip: DemoClip, path: Path) -> None:
    """Write the MP4 file of a clip to ``path``."""
    tune = path.with_suffix(".wav")
    _ffmpeg(tune, "-f", "lavfi", "-i", music(clip.notes_hz))
    sound = ("-stream_loop", "-1", "-i", str(tune))
    ending = ("-t", str(clip.duration_s), "-c:a", "aac", "-movflags", "+faststart")
    picture = clip.picture
    if isinstance(picture, str):
        _ffmpeg(path, "-f", "lavfi", "-i", picture, *sound, *ENCODED, *ending)
    elif isinstance(picture, Loop):
        once = path.with_suffix(".loop.mp4")
        count = round(picture.seconds * picture.fps)
        _draw(picture.scene, picture.size, count, picture.fps, once, ENCODED)
        looped = ("-stream_loop", "-1", "-i", str(once))
        _ffmpeg(path, *looped, *sound, "-map", "0:v", "-map", "1:a", "-c:v", "copy", *ending)
        once.unlink()
    else:
        every_s = clip.duration_s / picture.drawings
        fading = ("-vf", f"framerate=fps={picture.fps}:interp_start=0:interp_end=255:scene=100")
        output = (*fading, *ENCODED, *ending)
        _draw(picture.scene, picture.size, picture.drawings + 1, 1 / every_s, path, output, sound)
    tune.unlink()


def music(notes_hz: tuple[int, ...]) -> str:
    """Return a source of one round of plucked notes, half a second each, in stereo."""
    round_s = NOTE_S * len(notes_hz)
    sides = []
    for side in (0, 1):
        notes = "+".join(
            f"{0.16 if order % 2 == side else 0.09}*exp(-3.2*mod(t-{order * NOTE_S}+{round_s}\\,{round_s}))"
            f"*(sin(2*PI*{note}*t)+0.35*sin(4*PI*{note}*t))"
            for order, note in enumerate(notes_hz)
            if note
        )
        sides.append(notes)
    return f"aevalsrc=exprs='{'|'.join(sides)}':s=48000:d={round_s}"


def _draw(
    scene: Scene,
    size: tuple[int, int],
    count: int,
    fps: float,
    path: Path,
    output: tuple[str, ...],
    sound: tuple[str, ...] = (),
) -> None:
    """Draw ``count`` frames of a scene into FFmpeg's standard input."""
    width, height = size
    form = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-framerate", str(fps))

    def frames() -> Iterator[bytes]:
        for number in range(count):
            canvas = Canvas(width, height)
            scene(canvas, number / count)
            yield canvas.frame()

    _ffmpeg(path, *form, "-i", "pipe:0", *sound, *output, pieces=frames())


def _ffmpeg(path: Path, *arguments: str, pieces: Iterator[bytes] | None = None) -> None:
    """Write ``path`` with FFmpeg.  Raises FFmpegFailed, or LimitsExceeded after ``MAKE_TIMEOUT_S``."""
    done = run_short(
        [ffmpeg_path(), "-v", "error", *arguments, "-y", str(path)],
        timeout_s=MAKE_TIMEOUT_S,
        writes=[path.parent],
        limits=encoding(MAKE_TIMEOUT_S),
        pieces=pieces,
    )
    if done.exit_code:
        raise FFmpegFailed(done.exit_code, done.stderr)
