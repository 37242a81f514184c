"""Folding of old jobs: the rows of an encode that ended long ago become one.

The queue keeps only the jobs of encodes that run or ended lately, so it stays small
however many videos there are.  The columns that playlists, the chat of a replay and the
storage limit need move to a :class:`~videos.models.FinishedEncode`; times of workers,
leases and errors are forgotten.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from accounts import charts, sweeps
from videos.models import FinishedEncode, Job, Video

# Beyond the days of the charts, which count jobs.
FOLDED_AFTER = timedelta(days=charts.DAYS + 5)
VIDEOS_AT_ONCE = 1000
ENDED = (Video.Status.READY, Video.Status.FAILED)
PLAYED = (Job.Kind.VIDEO, Job.Kind.AUDIO)


def fold_old_jobs() -> int:
    """Fold the jobs of old videos, each in a transaction; return the number of videos."""
    before = timezone.now() - FOLDED_AFTER
    # One query for each index.
    return sum(
        sweeps.each("fold jobs", videos, lambda video: fold(video, before), at_most=VIDEOS_AT_ONCE)
        for videos in (with_old_jobs(before), stopped_long_ago(before))
    )


def with_old_jobs(before: datetime) -> QuerySet[Video]:
    """Return the ready and failed videos with a job that was claimed before ``before``."""
    return _ended(Job.objects.filter(claimed_at__lt=before))


def stopped_long_ago(before: datetime) -> QuerySet[Video]:
    """Return the failed videos with an encode that was stopped before a worker claimed its jobs."""
    return _ended(Job.objects.filter(status=Job.Status.FAILED, claimed_at=None, not_before__lt=before))


def _ended(jobs: QuerySet[Job]) -> QuerySet[Video]:
    return Video.objects.filter(pk__in=jobs.values("video")).filter(status__in=ENDED).order_by()


@transaction.atomic
def fold(video: Video, before: datetime) -> bool:
    """Replace the jobs of ``video`` by one row; return False if it runs again or has a newer job."""
    locked = Video.objects.select_for_update(of=("self",)).filter(pk=video.pk, status__in=ENDED).first()
    if locked is None or video.jobs.filter(claimed_at__gte=before).exists():
        return False
    played: QuerySet[Job] = Job.objects.none()
    if locked.status == Video.Status.READY:
        played = locked.jobs.filter(encode_key=locked.encode_key, kind__in=PLAYED)
    FinishedEncode.objects.update_or_create(
        video=locked,
        defaults={
            "encode_key": locked.encode_key,
            "jobs": [FinishedEncode.folded(job) for job in played.order_by("kind", "position")],
            "bytes_stored": locked.jobs.aggregate(total=Sum("bytes_stored"))["total"] or 0,
        },
    )
    locked.jobs.all().delete()
    return True
