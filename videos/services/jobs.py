"""Retries and cancellations of single jobs, which a video is complete without."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from videos import progress, queue
from videos.job_details import CANCELED, OPTIONAL, RETRIABLE
from videos.models import Job
from videos.services.errors import CannotCancelJob, CannotRetryJob

logger = logging.getLogger(__name__)


@transaction.atomic
def retry_job(job: Job) -> None:
    """Queue a dispensable job again that ended with an error or was canceled.  Raises CannotRetryJob."""
    ended = Job.objects.filter(
        pk=job.pk, kind__in=RETRIABLE, status=Job.Status.DONE, encode_key=job.video.encode_key
    ).exclude(error_code="")
    waiting = ended.update(
        status=Job.Status.WAITING,
        not_before=timezone.now(),
        finished_at=None,
        failures=0,
        losses=0,
        waits=0,
        error_code="",
        error_detail="",
    )
    if not waiting:
        raise CannotRetryJob
    lane = Job.Lane(job.lane)
    transaction.on_commit(lambda: queue.wake(lane))
    logger.info("Job tried again", extra={"job": job.pk})


@transaction.atomic
def cancel_job(job: Job) -> None:
    """End a job that the video is complete without; its worker loses the lease.  Raises CannotCancelJob."""
    active = Job.objects.active().filter(pk=job.pk, kind__in=OPTIONAL)
    ended = {"finished_at": timezone.now(), "lease_until": None, "waits_for": "", "error_code": CANCELED}
    if not active.update(status=Job.Status.DONE, attempt=F("attempt") + 1, error_detail="", **ended):
        raise CannotCancelJob
    transaction.on_commit(lambda: progress.publish(job.video))
    logger.info("Job canceled", extra={"job": job.pk})
