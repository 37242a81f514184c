"""Small real clips for tests, drawn by FFmpeg on first use."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from videos.tests.trap import TRAP_PORT
from videos.transcoding.tools import ffmpeg_path

_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_AAC = ("-c:a", "aac", "-b:a", "64k")


def clip_directory(data_dir: Path) -> Path:
    """Return the folder below ``data_dir`` in which clips stay for all workers and for the next run."""
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return data_dir / f"clips-{source[:12]}"


def make_clip(
    kind: str,
    directory: Path,
    *,
    seconds: float = 2,
    size: str = "320x180",
    rate: str = "25",
    name: str | None = None,
) -> Path:
    """Return a clip of ``kind`` in ``directory``, made on first use.

    ``kind`` is a key of ``KINDS``; the other options shape its video track.  Video
    tracks show a moving test card, audio tracks hold a sine of 440 Hz.
    """
    suffix, make = KINDS[kind]
    path = directory / (name or f"{kind}-{seconds}s-{size}-{rate.replace('/', '_')}{suffix}")
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        # An incomplete clip, left by a killed test, must not be found by the next one.
        unfinished = path.with_name(f"unfinished-{os.getpid()}-{path.name}")
        make(unfinished, seconds, size, rate)
        unfinished.replace(path)
    return path


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([ffmpeg_path(), "-v", "error", "-nostdin", "-y", *arguments], check=True)


def _picture(seconds: float, size: str, rate: str) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}")


def _sound(seconds: float, hertz: int = 440) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=frequency={hertz}:sample_rate=48000:duration={seconds}")


def _both(*options: str) -> Callable[[Path, float, str, str], None]:
    """Return a function that draws a clip with video and audio tracks, encoded with ``options``."""

    def make(path: Path, seconds: float, size: str, rate: str) -> None:
        _ffmpeg(*_picture(seconds, size, rate), *_sound(seconds), *options, str(path))

    return make


def _silent(*options: str) -> Callable[[Path, float, str, str], None]:
    def make(path: Path, seconds: float, size: str, rate: str) -> None:
        _ffmpeg(*_picture(seconds, size, rate), *options, str(path))

    return make


def _portrait(path: Path, seconds: float, size: str, rate: str) -> None:
    """Draw a landscape clip and mark it as turned, as phones do."""
    upright = make_clip("landscape", path.parent, seconds=seconds, size=size, rate=rate)
    _ffmpeg("-display_rotation", "90", "-i", str(upright), "-c", "copy", str(path))


def _audio_only(*options: str) -> Callable[[Path, float, str, str], None]:
    def make(path: Path, seconds: float, size: str, rate: str) -> None:
        _ffmpeg(*_sound(seconds), *options, str(path))

    return make


def _audio_with_cover(path: Path, seconds: float, size: str, rate: str) -> None:
    _ffmpeg(
        *_sound(seconds), *_picture(1, size, "1"), "-map", "0:a", "-map", "1:v",
        "-c:a", "aac", "-c:v", "mjpeg", "-disposition:v", "attached_pic", str(path),
    )  # fmt: skip


def _two_audio(path: Path, seconds: float, size: str, rate: str) -> None:
    """Add a second audio track: English first, Chinese second."""
    _ffmpeg(
        *_picture(seconds, size, rate), *_sound(seconds), *_sound(seconds, 880),
        "-map", "0:v", "-map", "1:a", "-map", "2:a", *_X264, *_AAC,
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=zho", str(path),
    )  # fmt: skip


def _changing(path: Path, seconds: float, size: str, rate: str) -> None:
    """Change the frame size and the audio channels halfway, as broadcasts do between programmes."""
    for half, shape, channels in ((0, size, "6"), (1, "256x256", "2")):
        _ffmpeg(
            *_picture(seconds / 2, shape, rate), *_sound(seconds / 2), *_X264, "-c:a", "ac3", "-ac", channels,
            "-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", str(half * seconds / 2),
            f"{path}.{half}.ts",
        )  # fmt: skip
    path.write_bytes(b"".join(Path(f"{path}.{half}.ts").read_bytes() for half in (0, 1)))


def _truncated(path: Path, seconds: float, size: str, rate: str) -> None:
    """Cut the end off, and with it the index."""
    whole = make_clip("landscape", path.parent, seconds=seconds, size=size, rate=rate)
    data = whole.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _text(content: str) -> Callable[[Path, float, str, str], None]:
    def make(path: Path, seconds: float, size: str, rate: str) -> None:
        path.write_text(content)

    return make


# Frames 2, 3, 5, 6 … of every 8 are left out: a screen recording.
_UNEVEN = ("-vf", "select='lt(mod(n\\,8)\\,2)+eq(mod(n\\,8)\\,5)'", "-fps_mode", "vfr")
_PQ = ("-vf", "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc")
_B_FRAMES = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "60", "-pix_fmt", "yuv420p")
# Output of cameras, screen recorders and editors: closed GOPs of two seconds, colours named.
_BT709 = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")
_COPIABLE = (
    "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p",
    "-force_key_frames", "expr:gte(t,n_forced*2)", *_BT709,
)  # fmt: skip
_PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
_REMOTE_PLAYLIST = _PLAYLIST.replace("file:///etc/passwd", f"http://127.0.0.1:{TRAP_PORT}/0.ts")

KINDS: dict[str, tuple[str, Callable[[Path, float, str, str], None]]] = {
    "landscape": (".mp4", _both(*_X264, *_AAC)),
    "portrait": (".mp4", _portrait),
    "vfr": (".mp4", _silent(*_UNEVEN, *_X264)),
    "no_audio": (".mp4", _silent(*_X264)),
    "audio_only": (".m4a", _audio_only(*_AAC)),
    "audio_with_cover": (".m4a", _audio_with_cover),
    "two_audio": (".mkv", _two_audio),
    "interlaced": (
        ".mp4",
        _both("-vf", "interlace", *_X264, "-flags", "+ildct+ilme", "-x264opts", "tff=1", *_AAC),
    ),
    "hdr": (
        ".mp4",
        _silent("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none",
                "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1", *_PQ),
    ),
    "b_frames": (".mkv", _both(*_B_FRAMES, *_AAC)),
    "copiable": (".mp4", _both(*_COPIABLE, *_AAC)),
    "copiable_mkv": (".mkv", _both(*_COPIABLE, *_AAC)),
    "copiable_vfr_mkv": (".mkv", _both(*_UNEVEN, *_COPIABLE, *_AAC)),
    "copiable_flv": (".flv", _both(*_COPIABLE, *_AAC, "-ar", "44100")),
    # As OBS Studio writes it.
    "copiable_fragmented": (
        ".mp4", _both(*_COPIABLE, *_AAC, "-movflags", "+frag_keyframe+empty_moov+delay_moov")
    ),
    "copiable_vfr": (".mp4", _both(*_UNEVEN, *_COPIABLE, *_AAC)),
    "copiable_silent": (".mp4", _silent(*_COPIABLE)),
    "copiable_mono": (".mp4", _both(*_COPIABLE, *_AAC, "-ar", "44100", "-ac", "1")),
    "copiable_opus": (".mp4", _both(*_COPIABLE, "-c:a", "libopus")),
    "fragmented": (".mp4", _both(*_X264, *_AAC, "-movflags", "+frag_keyframe+empty_moov")),
    "ts": (".ts", _both(*_X264, *_AAC)),
    "avi": (".avi", _both("-c:v", "mpeg4", "-c:a", "libmp3lame")),
    "webm": (".webm", _both("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus")),
    "changing": (".ts", _changing),
    "flv": (".flv", _both(*_X264, *_AAC)),
    "mov": (".mov", _both("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le")),
    "ogg": (".ogv", _both("-c:v", "libtheora", "-c:a", "libvorbis")),
    "mpeg": (".mpg", _both("-c:v", "mpeg2video", "-c:a", "mp2")),
    "wmv": (".wmv", _both("-c:v", "wmv2", "-c:a", "wmav2")),
    "mp3": (".mp3", _audio_only("-c:a", "libmp3lame")),
    "gif": (".gif", _silent()),
    "anamorphic": (".mp4", _both("-vf", "setsar=4/3", *_X264, *_AAC)),
    "late_audio": (".mkv", _both("-af", "asetpts=PTS+0.8/TB", *_X264, *_AAC)),
    "late_video": (
        ".mkv",
        _both("-fps_mode", "passthrough", "-vf", "settb=1/1000,setpts=PTS+0.067/TB",
              "-enc_time_base", "1:1000", *_X264, *_AAC),
    ),
    "truncated": (".mp4", _truncated),
    "playlist": (".mp4", _text(_PLAYLIST)),
    "remote_playlist": (".mp4", _text(_REMOTE_PLAYLIST)),
    "text": (".mp4", _text("This is not a video at all, whatever its name says.\n")),
    "empty": (".mp4", _text("")),
}  # fmt: skip
