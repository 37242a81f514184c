"""Posters of clips: the frame at the in point, drawn by a worker once nothing else waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from common import deletion
from videos import storyboards
from videos.models import Clip, Job, Video
from videos.poster_choices import poster_rendition
from videos.publishing import (
    MAX_INIT_BYTES,
    MAX_SEGMENT_BYTES,
    Encode,
    Excerpt,
    NothingPublished,
    read_object,
)
from videos.transcoding.run import run_poster
from videos.transcoding.storyboard import still_args, still_size


def queue_for(clip: Clip) -> None:
    """Queue the poster of a new clip, in the caller's transaction; the video's is shown until then."""
    if clip.video and clip.video.has_picture:
        storyboards.queue_after(clip.video, Job.Kind.CLIP, position=clip.pk)


def queue_missing(video: Video) -> None:
    """Queue posters that a take-over removed, or whose jobs were of the old encode, in its transaction."""
    for clip in video.clips.filter(poster_key="", is_cut=False):
        queue_for(clip)


def key_of(job: Job) -> str:
    """Return the key of the poster that this attempt draws, beside the encodes: it outlives them."""
    return f"{job.video.prefix}clips/{job.position}-{job.pk}-{job.attempt}.jpg"


def draw(job: Job, path: Path, nicely: Callable[[list[str]], list[str]]) -> Path | None:
    """Write the poster of the job's clip to ``path``; return None if there is none to draw.

    Raises TranscodeError or an error of storage.
    """
    clip = Clip.objects.filter(pk=job.position, video=job.video).first()
    encode = Encode.of(job.video)
    if clip is None or clip.is_cut or not encode.offered:
        return None
    try:
        excerpt = Excerpt.of(encode, clip.start_s, clip.end_s)
    except NothingPublished:
        return None
    rendition = poster_rendition(excerpt.encode)
    first = excerpt.segments[rendition.name][0]
    segment = path.with_suffix(".mp4")
    segment.write_bytes(
        read_object(job.video, first.init_name, MAX_INIT_BYTES)
        + read_object(job.video, first.name, MAX_SEGMENT_BYTES)
    )
    # The in point may be the first segment's last frame.
    at_s = min(excerpt.in_s, first.duration_s)
    size_px = still_size(rendition.width_px, rendition.height_px)
    return path if run_poster(nicely(still_args(segment, at_s, size_px, path)), path) else None


def publish(job: Job, key: str) -> None:
    """Make a stored poster the clip's, in the caller's transaction, unless the clip or the encode is gone.

    A take-over queues the poster again.
    """
    # Locked against a take-over, which may cut the frame.
    video = Video.objects.select_for_update().filter(pk=job.video_id, encode_key=job.encode_key).first()
    clip = Clip.objects.filter(pk=job.position, video=video, is_cut=False) if video else Clip.objects.none()
    if not clip.update(poster_key=key):
        deletion.delete_later(key)
