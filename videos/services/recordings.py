"""Videos that arrive encoded, while they happen: what is stored is listed, and nothing is encoded again.

The rows are those of any encode.  A recording has at every moment one job that
runs, without a lease, so that no worker claims it and the video is not taken
for complete; each writer opens a job of its own, which closes the one before:
so no two ever write below the same name, and one that was thought dead lists
nothing more.  A job with ``start_s`` 0 begins a new timeline with an init
segment of its own; any other continues the one before it.  ``claimed_at`` is
the moment of a job's first picture.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.models import Channel
from videoplatform import storage
from videos import pipeline
from videos.models import Job, JobQuerySet, Rendition, Video
from videos.publishing import attempt_folder
from videos.services.editing import delete_video

logger = logging.getLogger(__name__)

ONLY_ATTEMPT = 1


class RecordingClosed(Exception):
    """The recording is complete or deleted, or another writer has taken over: list nothing more."""


@dataclass(frozen=True, slots=True)
class RecordedRendition:
    """What one media playlist of a recording lists; picture and sound together."""

    name: str
    width_px: int
    height_px: int
    frame_rate: float
    bitrate_bps: int
    codecs: str


@transaction.atomic
def start_recording(*, channel: Channel, title: str, category: str, visibility: str) -> Video:
    """Lay out a video that fills while it happens; nobody sees it before it is finished."""
    video = Video.objects.create(
        channel=channel,
        title=title,
        category=category,
        visibility=visibility,
        status=Video.Status.PROCESSING,
    )
    _add_job(video, position=0)
    return video


@transaction.atomic
def add_renditions(video: Video, renditions: Sequence[RecordedRendition]) -> None:
    """Say what the recording consists of, best first; what it consists of already stays as it is."""
    Rendition.objects.bulk_create(
        [
            Rendition(
                video=video,
                encode_key=video.encode_key,
                kind=Rendition.Kind.VIDEO,
                position=position,
                name=rendition.name,
                width_px=rendition.width_px,
                height_px=rendition.height_px,
                frame_rate=rendition.frame_rate,
                bitrate_bps=rendition.bitrate_bps,
                codecs=rendition.codecs,
            )
            for position, rendition in enumerate(renditions)
        ],
        ignore_conflicts=True,
    )
    best = renditions[0]
    Video.objects.filter(pk=video.pk, width_px=None).update(width_px=best.width_px, height_px=best.height_px)


@transaction.atomic
def open_job(video: Video, *, is_continuous: bool, began_at: datetime) -> Job:
    """Begin a stretch that only the caller fills; the one before is closed.

    ``began_at`` is when its first picture was taken; ``is_continuous`` says that
    its timestamps follow the last segment listed.  Raises RecordingClosed.
    """
    running = Video.objects.select_for_update().filter(
        pk=video.pk, encode_key=video.encode_key, status=Video.Status.PROCESSING
    )
    if not running.exists():
        raise RecordingClosed
    jobs = _jobs(video)
    last = jobs.order_by("-position").first()
    filled = jobs.exclude(segments=[]).order_by("-position").first()
    _close(jobs)
    return _add_job(
        video,
        position=last.position + 1 if last else 0,
        first_segment=filled.first_segment + len(filled.segments) if filled else 0,
        start_s=filled.start_s + sum(filled.segments) if filled and is_continuous else 0,
        claimed_at=began_at,
    )


def segment_key(job: Job, rendition_name: str, index: int) -> str:
    """Where the ``index``-th segment of a job lies in the bucket (the file's number counts all jobs)."""
    return f"{_folder(job, rendition_name)}{job.first_segment + index}.m4s"


def init_key(job: Job, rendition_name: str) -> str:
    return f"{_folder(job, rendition_name)}init.mp4"


def append_segment(job: Job, *, duration_s: float, size_bytes: int) -> None:
    """List the next segment of a job, which is stored in every rendition.  Raises RecordingClosed."""
    segments = [*job.segments, round(duration_s, 6)]
    bytes_stored = job.bytes_stored + size_bytes
    if not Job.objects.held(job).update(segments=segments, bytes_stored=bytes_stored):
        raise RecordingClosed
    job.segments, job.bytes_stored = segments, bytes_stored


@transaction.atomic
def reopen_recording(video: Video) -> None:
    """Let a finished recording grow again, as its broadcast goes on."""
    if video.status == Video.Status.READY and video.transition(Video.Status.PROCESSING, is_playable=False):
        last = _jobs(video).order_by("-position").first()
        _add_job(video, position=last.position + 1 if last else 0)


def finish_recording(video: Video, *, visibility: str, poster_key: str = "") -> None:
    """Turn a recording into a video that is ready; one without a segment is deleted.

    Where storage does not answer, the sweeper completes it later.
    """
    with transaction.atomic():
        found = Video.objects.select_for_update().filter(
            pk=video.pk, encode_key=video.encode_key, status=Video.Status.PROCESSING
        )
        if not found.exists():
            return
        jobs = _jobs(video)
        _close(jobs)
        if not jobs.exclude(segments=[]).exists():
            delete_video(video)
            return
        found.update(visibility=visibility, poster_key=poster_key)
    try:
        pipeline.complete(video.pk)
    except storage.StorageError:
        logger.warning("Recording completed later: storage does not answer", extra={"video": video.public_id})


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive pictures of a recording: when the first was taken, and where in the video they lie (s)."""

    began_at: datetime
    start_s: float
    end_s: float


def stretches(video: Video) -> list[Stretch]:
    """What a recording consists of, in order: tells moments from positions, and back."""
    found, start_s = [], 0.0
    for job in _jobs(video).exclude(segments=[]).order_by("position").only("claimed_at", "segments"):
        end_s = start_s + sum(job.segments)
        if job.claimed_at:
            found.append(Stretch(job.claimed_at, start_s, end_s))
        start_s = end_s
    return found


def _jobs(video: Video) -> JobQuerySet:
    return Job.objects.filter(video=video, encode_key=video.encode_key, kind=Job.Kind.VIDEO)


def _close(jobs: JobQuerySet) -> None:
    jobs.filter(status=Job.Status.RUNNING).update(status=Job.Status.DONE, finished_at=timezone.now())


def _add_job(
    video: Video,
    *,
    position: int,
    first_segment: int = 0,
    start_s: float = 0,
    claimed_at: datetime | None = None,
) -> Job:
    return Job.objects.create(
        video=video,
        encode_key=video.encode_key,
        kind=Job.Kind.VIDEO,
        position=position,
        status=Job.Status.RUNNING,
        attempt=ONLY_ATTEMPT,
        first_segment=first_segment,
        start_s=start_s,
        claimed_at=claimed_at,
    )


def _folder(job: Job, rendition_name: str) -> str:
    return f"{job.video.encode_prefix}{attempt_folder(rendition_name, job)}"
