"""Recordings: videos filled by a running broadcast with segments that are already encoded.

The rows are those of any encode.  An unfinished recording always has one running
job, so the video does not count as complete.  The job has no lease, so no worker
claims it.  Each writer opens its own job, which closes the previous one.  Two
writers therefore never write under the same name, and a writer that was thought
dead lists nothing more.  A job with ``start_s`` 0 begins a new timeline with its
own init segment; any other job continues the previous one.  ``claimed_at`` is the
time of a job's first frame.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.models import Channel
from common import storage
from videos import ends
from videos.models import Job, JobQuerySet, Rendition, Video
from videos.publishing import attempt_folder, jobs_of
from videos.services.editing import delete_video

logger = logging.getLogger(__name__)

ONLY_ATTEMPT = 1


class RecordingClosed(Exception):
    """The recording is complete or deleted, or another writer has taken over: the caller must stop."""


@dataclass(frozen=True, slots=True)
class RecordedRendition:
    """One rendition of a recording; its segments hold both video and audio."""

    name: str
    width_px: int
    height_px: int
    frame_rate: float
    bitrate_bps: int
    codecs: str


@transaction.atomic
def start_recording(*, channel: Channel, title: str, category: str, visibility: str) -> Video:
    """Create the video of a broadcast that begins; it is not playable until it is finished."""
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
def note_renditions(video: Video, renditions: Sequence[RecordedRendition]) -> None:
    """Record the renditions of a recording or of a later part of it, best first.

    If the parts of a rendition differ, its row holds the values that a player needs
    for all of them: the largest size, the highest frame rate and bitrate, and the most
    demanding codecs.
    """
    listed = Rendition.objects.select_for_update().filter(video=video, encode_key=video.encode_key)
    held = {rendition.name: rendition for rendition in listed}
    for position, noted in enumerate(renditions):
        rendition = held.get(noted.name)
        if rendition is None:
            Rendition.objects.create(
                video=video,
                encode_key=video.encode_key,
                kind=Rendition.Kind.VIDEO,
                position=position,
                **asdict(noted),
            )
            continue
        if noted.width_px * noted.height_px > rendition.width_px * rendition.height_px:
            rendition.width_px, rendition.height_px = noted.width_px, noted.height_px
        rendition.frame_rate = max(rendition.frame_rate, noted.frame_rate)
        rendition.bitrate_bps = max(rendition.bitrate_bps, noted.bitrate_bps)
        rendition.codecs = covering_codecs(rendition.codecs, noted.codecs)
        rendition.save(update_fields=["width_px", "height_px", "frame_rate", "bitrate_bps", "codecs"])
    best = renditions[0]
    Video.objects.filter(pk=video.pk, width_px=None).update(width_px=best.width_px, height_px=best.height_px)


def covering_codecs(one: str, other: str) -> str:
    """Return codecs that cover both arguments (RFC 6381).

    They name the higher profile and level of H.264, and the higher object type of AAC:
    a decoder for HE-AAC version 2 (29) plays HE-AAC (5) and LC (2).
    """
    video, _, sound = one.partition(",")
    other_video, _, other_sound = other.partition(",")
    both = (video, other_video)
    if all(len(codec) == len("avc1.PPCCLL") for codec in both):
        highest = max(both, key=lambda codec: int(codec[5:7], 16))
        video = highest[:9] + max((codec[9:] for codec in both), key=lambda level: int(level, 16))
    return ",".join(filter(None, (video, max(sound, other_sound, key=_object_type))))


def _object_type(codec: str) -> int:
    """Return the audio object type in ``mp4a.40.N`` (ISO/IEC 14496-3, table 1.17); 0 without one."""
    number = codec.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


@transaction.atomic
def open_job(video: Video, *, is_continuous: bool, began_at: datetime) -> Job:
    """Open a job that only the caller fills, and close the previous one.

    ``began_at`` is the time of its first frame; ``is_continuous`` means that its
    timestamps continue those of the last listed segment.  Raises RecordingClosed.
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
    """Return the storage key of a job's segment ``index`` (the number in the name counts across jobs)."""
    return f"{_folder(job, rendition_name)}{job.first_segment + index}.m4s"


def init_key(job: Job, rendition_name: str) -> str:
    return f"{_folder(job, rendition_name)}init.mp4"


def append_segment(job: Job, *, duration_s: float, size_bytes: int) -> None:
    """List a job's next segment, already stored in every rendition.  Raises RecordingClosed."""
    segments = [*job.segments, round(duration_s, 6)]
    bytes_stored = job.bytes_stored + size_bytes
    if not Job.objects.held(job).update(segments=segments, bytes_stored=bytes_stored):
        raise RecordingClosed
    job.segments, job.bytes_stored = segments, bytes_stored


@transaction.atomic
def reopen_recording(video: Video) -> None:
    """Reopen a finished recording, because its broadcast goes on.

    Its measured bitrates are dropped: what follows may exceed them.
    """
    if video.status == Video.Status.READY and video.transition(Video.Status.PROCESSING, is_playable=False):
        renditions = Rendition.objects.filter(video=video, encode_key=video.encode_key)
        renditions.update(peak_bps=None, average_bps=None)
        last = _jobs(video).order_by("-position").first()
        _add_job(video, position=last.position + 1 if last else 0)


def finish_recording(video: Video, *, visibility: str, poster_key: str = "") -> None:
    """Complete a recording as a ready video, or delete it if it has no segment.

    If storage does not answer, the sweep completes it later.
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
        ends.complete(video.pk)
    except storage.StorageError:
        logger.warning("Recording completed later: storage does not answer", extra={"video": video.public_id})


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive frames of a recording: the time of the first one, and their position in the video (s)."""

    began_at: datetime
    start_s: float
    end_s: float


def stretches(video: Video) -> list[Stretch]:
    """Return the stretches of a recording in order; they map times to positions and back."""
    found, start_s = [], 0.0
    for job in jobs_of(video):
        if not job.segments:
            continue
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
