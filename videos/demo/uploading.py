"""Uploading of demo clips through the services, as a browser would."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile

from accounts.models import Channel
from common import storage
from videos import services
from videos.demo.catalogue import CLIPS, DemoClip
from videos.demo.making import make
from videos.models import Upload, Video


def upload_clips(channels: Mapping[str, Channel]) -> Iterator[Video]:
    """Make and upload the clips that their owners lack, and yield each video; workers encode them."""
    with tempfile.TemporaryDirectory() as folder:
        for number, clip in enumerate(CLIPS):
            channel = channels[clip.owner]
            if channel.videos.filter(title=clip.title).exists():
                continue
            path = Path(folder) / f"{number}.mp4"
            make(clip, path)
            yield upload(path, channel, clip)
            path.unlink()


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
