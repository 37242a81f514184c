"""The jobs of one video as its owner and the admin see them: progress, speed, error, log.

The worker, the log and the error are redacted: host names, addresses and paths are not the owner's.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Case, Count, IntegerField, Q, Value, When
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from videos import estimates, progress
from videos.models import Job, Rendition, Video
from videos.transcoding.log_tail import redacted

MAX_SHOWN = 8
CANCELED = "canceled"
# The video is complete without them and nothing waits for them.
OPTIONAL = (Job.Kind.STORYBOARD, Job.Kind.LOUDNESS, Job.Kind.SUBTITLES, Job.Kind.MP4)
RETRIABLE = (*OPTIONAL, Job.Kind.POSTER)
# A speed against real time says nothing about the others.
TIMED = (Job.Kind.VIDEO, Job.Kind.AUDIO)

ERRORS: dict[str, str | Promise] = {
    CANCELED: _("Canceled."),
    "decode_failed": _("This part of the file is damaged."),
    "storage_failed": _("Storage could not be read or has no room."),
    "limits_exceeded": _("The limits of this site were exceeded."),
    "import_failed": _("The file could not be fetched."),
}
OTHER_ERROR = _("This step failed.")

# Work under way, then trouble, then waiting and finished work.
_URGENCY = Case(
    When(status=Job.Status.RUNNING, then=Value(0)),
    When(Q(status=Job.Status.FAILED) & ~Q(error_code=""), then=Value(1)),
    When(~Q(error_code="") | ~Q(waits_for=""), then=Value(2)),
    When(status=Job.Status.WAITING, then=Value(3)),
    default=Value(4),
    output_field=IntegerField(),
)


@dataclass(frozen=True, slots=True)
class JobDetail:
    """One job as it is shown; ``percent``, ``speed`` (× real time) and ``rest_s`` are None if unknown.

    ``track`` is the number of an audio track, from 1.
    """

    job: Job
    track: int | None
    percent: int | None
    speed: float | None
    rest_s: int | None
    worker: int | None
    error: str
    log: str
    can_retry: bool
    can_cancel: bool


@dataclass(frozen=True, slots=True)
class JobDetails:
    """The jobs of a video: some in full, the others as a number."""

    shown: list[JobDetail]
    more: int
    done: int
    count: int
    is_active: bool


def details_of(video: Video) -> JobDetails:
    """Return the jobs of the current encode, the most urgent ones in full."""
    jobs = Job.objects.filter(video=video, encode_key=video.encode_key)
    counted = jobs.aggregate(
        count=Count("pk"),
        done=Count("pk", filter=Q(status=Job.Status.DONE)),
        active=Count("pk", filter=Q(status__in=Job.ACTIVE)),
    )
    ordered = jobs.annotate(urgency=_URGENCY).order_by("urgency", "lane", "kind", "position")
    listed = list(ordered.select_related("run")[:MAX_SHOWN])
    done_s = progress.done_s(listed)
    # The owner sees which jobs ran in the same process, not the names of hosts.
    workers = list(dict.fromkeys(job.worker for job in sorted(listed, key=lambda job: job.pk) if job.worker))
    audio = Rendition.objects.filter(video=video, encode_key=video.encode_key, kind=Rendition.Kind.AUDIO)
    names = audio.order_by("position").values_list("name", flat=True)
    tracks = {name: number for number, name in enumerate(names, start=1)}
    shown = [
        JobDetail(
            job=job,
            track=tracks.get(_name_of(job), 1) if job.kind == Job.Kind.AUDIO else None,
            percent=percent(job, done_s[job.pk]),
            speed=speed(job, done_s[job.pk]),
            rest_s=estimates.of_step(job, video.duration_s or 0.0) if job.kind in OPTIONAL else None,
            worker=workers.index(job.worker) + 1 if job.worker else None,
            error=error_sentence(job),
            log=_log_of(job),
            can_retry=can_retry(job),
            can_cancel=can_cancel(job),
        )
        for job in listed
    ]
    return JobDetails(
        shown,
        more=counted["count"] - len(shown),
        done=counted["done"],
        count=counted["count"],
        is_active=counted["active"] > 0,
    )


def _name_of(job: Job) -> str:
    """Return the name of the rendition that a job of one rendition makes."""
    return job.run.renditions[0] if job.run and job.run.renditions else ""


def _log_of(job: Job) -> str:
    """Return the error in its own words, if it still stands, and the end of the log."""
    detail = redacted(job.error_detail) if error_sentence(job) else ""
    return "\n".join(filter(None, (detail, job.log_tail)))


def percent(job: Job, done_s: float) -> int | None:
    """Return the progress from 0 to 100; None for a job that has no length and is not done."""
    if job.status == Job.Status.DONE:
        return 100
    return min(99, int(100 * done_s / job.length_s)) if job.length_s else None


def speed(job: Job, done_s: float) -> float | None:
    """Return how much faster than real time the latest attempt encodes or encoded; None if unknown."""
    is_measured = job.status == Job.Status.RUNNING or (job.status == Job.Status.DONE and not job.error_code)
    if job.kind not in TIMED or job.claimed_at is None or not is_measured or not done_s:
        return None
    took_s = ((job.finished_at or timezone.now()) - job.claimed_at).total_seconds()
    return done_s / took_s if took_s > 0 else None


def error_sentence(job: Job) -> str:
    """Return the latest error of a job in the reader's language; empty while another attempt runs."""
    if job.status == Job.Status.RUNNING:
        return ""
    if job.waits_for:
        return str(job.get_waits_for_display())
    return str(ERRORS.get(job.error_code, OTHER_ERROR)) if job.error_code else ""


def can_retry(job: Job) -> bool:
    """Return whether a job that the video lacks can be tried again; a failed video is retried whole."""
    return job.kind in RETRIABLE and job.status == Job.Status.DONE and bool(job.error_code)


def can_cancel(job: Job) -> bool:
    return job.kind in OPTIONAL and job.is_active
