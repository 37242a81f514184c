"""Demo content: clips that FFmpeg draws, uploaded through the same door as everyone's."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile

from accounts.models import Channel
from videoplatform import storage
from videos import services
from videos.models import Upload, Video
from videos.transcoding.tools import ffmpeg_path

MAKE_TIMEOUT_S = 120
COUNTER_CAPTIONS = "00:01,000 --> 00:05,000\n{}\n\n00:06,000 --> 00:11,000\n{}\n"


@dataclass(frozen=True, slots=True)
class DemoClip:
    """A moving picture (an FFmpeg source filter) with a chord under it."""

    owner: str
    title: str
    description: str
    picture: str
    notes_hz: tuple[int, ...]
    duration_s: int
    category: str
    tags: tuple[str, ...]
    captions: tuple[tuple[str, str], ...] = ()  # language, SubRip text


CLIPS = (
    DemoClip(
        owner="lumi",
        title="Slow light",
        description="Colours that drift into each other. Drawn by FFmpeg, upright, for your phone.",
        picture="gradients=s=540x960:r=30:speed=0.012:type=spiral:n=5:seed=3"
        ":c0=0x14213d:c1=0x5f0f40:c2=0xfb8b24:c3=0x9a031e:c4=0x0f4c5c",
        notes_hz=(220, 277, 330),
        duration_s=9,
        category="film",
        tags=("portrait", "colour"),
    ),
    DemoClip(
        owner="benoit",
        title="Into the Mandelbrot set",
        description="Eighteen seconds of falling.\n\n0:00 The whole set\n0:09 Seahorse valley",
        picture="mandelbrot=s=640x360:r=24:start_scale=2.2:end_scale=0.02:end_pts=360:maxiter=80"
        ":inner=black,colorchannelmixer=rr=.9:rg=.3:gg=.5:gb=.2:bb=1:br=.3,scale=1280:720",
        notes_hz=(110, 165, 262),
        duration_s=18,
        category="science",
        tags=("mathematics", "fractal"),
    ),
    DemoClip(
        owner="lumi",
        title="测试图 · Test picture with a clock",
        description="看时间码是否连续。 Watch the counter: no frame is missing.",
        picture="testsrc2=s=1920x1080:r=30",
        notes_hz=(440,),
        duration_s=12,
        category="education",
        tags=("test", "测试"),
        captions=(
            ("en", COUNTER_CAPTIONS.format("The counter stands in the corner.", "Every number is there.")),
            ("zh-Hans", COUNTER_CAPTIONS.format("角落里是计数器。", "每个数字都在。")),
        ),
    ),
)


def upload_clips(channels: dict[str, Channel]) -> Iterator[Video]:
    """Make and upload every clip that its owner does not have yet; encoding follows by itself."""
    with tempfile.TemporaryDirectory() as folder:
        for number, clip in enumerate(CLIPS):
            channel = channels[clip.owner]
            if channel.videos.filter(title=clip.title).exists():
                continue
            path = Path(folder) / f"{number}.mp4"
            make(clip, path)
            yield upload(path, channel, clip)
            path.unlink()


def make(clip: DemoClip, path: Path) -> None:
    subprocess.run(make_args(clip, path), check=True, timeout=MAKE_TIMEOUT_S, capture_output=True)


def make_args(clip: DemoClip, path: Path) -> list[str]:
    chord = "+".join(f"0.15*sin(2*PI*t*{hertz})" for hertz in clip.notes_hz)
    fade = f"afade=in:d=1,afade=out:st={clip.duration_s - 1}:d=1"
    return [
        ffmpeg_path(), "-v", "error", "-y",
        "-f", "lavfi", "-i", clip.picture,
        "-f", "lavfi", "-i", f"aevalsrc='{chord}':s=48000,{fade}",
        "-t", str(clip.duration_s),
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "24", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-movflags", "+faststart", str(path),
    ]  # fmt: skip


def upload(path: Path, channel: Channel, clip: DemoClip) -> Video:
    started = services.start_upload(
        channel=channel,
        title=clip.title,
        filename=path.name,
        size_bytes=path.stat().st_size,
        description=clip.description,
        category=clip.category,
        tags=clip.tags,
    )
    video = services.finish_upload(started, parts=send_parts(started, path))
    for language, text in clip.captions:
        services.add_captions(video, language=language, file=ContentFile(text.encode()))
    return video


def send_parts(upload: Upload, path: Path) -> list[dict[str, object]]:
    """Send a local file as the parts of an upload, as a browser would."""
    parts: list[dict[str, object]] = []
    with path.open("rb") as source:
        for number in range(1, upload.part_count + 1):
            sent = storage.client().upload_part(
                Bucket=settings.S3_BUCKET,
                Key=upload.video.source_key,
                UploadId=upload.multipart_id,
                PartNumber=number,
                Body=source.read(upload.part_size(number)),
            )
            parts.append({"number": number, "etag": sent["ETag"]})
    return parts
