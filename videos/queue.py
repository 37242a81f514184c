"""The queue of record: claiming jobs fairly, and waking the workers that do.

A Celery message means only "there is work"; it may be lost or come twice.  What
is done, by whom and until when stands in :class:`videos.models.Job`, and is
changed by conditional UPDATEs whose row count tells who won.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, Count, IntegerField, Max, Value, When
from django.utils import timezone
from kombu.exceptions import OperationalError

from videoplatform.celery import app
from videos.models import Job

logger = logging.getLogger(__name__)

# A wake-up that no worker heard in this time is worthless: the sweeper sends new ones.
WAKE_EXPIRES_S = 600
CLAIM_TRIES = 8
MAX_ATTEMPTS = 4
# Work on whole films (their sound, or a source that cannot be cut) may hold at
# most this many of a host's first-lane slots, so that a clip always finds one.
LONG_JOBS_PER_HOST = 2
LONG_JOB_S = 600
# Whoever was served within this time is behind those who were not.
FAIRNESS_MEMORY = timedelta(hours=1)

QUEUES = {Job.Lane.FIRST: "default", Job.Lane.BULK: "encode"}
FIRST_TO_LAST = Case(
    When(kind=Job.Kind.PLAN, then=Value(0)),
    When(kind=Job.Kind.VIDEO, position=0, then=Value(1)),
    When(kind=Job.Kind.AUDIO, then=Value(2)),
    When(kind=Job.Kind.POSTER, then=Value(3)),
    default=Value(4),
    output_field=IntegerField(),
)


def this_host() -> str:
    return socket.gethostname()


def this_worker() -> str:
    return f"{this_host()}:{os.getpid()}"


def wake(lane: Job.Lane, count: int = 1) -> None:
    """Tell the workers of a lane that there is work, once for each of ``count`` jobs.

    A message that cannot be sent is one that the sweeper sends later.
    """
    try:
        _send(lane, count)
    except (OperationalError, OSError):
        logger.warning("Workers not woken: the broker does not answer", extra={"lane": lane})


def _send(lane: Job.Lane, count: int) -> None:
    for _ in range(count):
        app.send_task("videos.tasks.work", [int(lane)], queue=QUEUES[lane], expires=WAKE_EXPIRES_S)


def claim(lanes: Sequence[Job.Lane], worker: str = "") -> Job | None:
    """Take the fairest waiting job of ``lanes``, or None where nothing waits for us.

    Another worker may be faster between the look and the UPDATE; then we look again.
    """
    for _ in range(CLAIM_TRIES):
        job = _fairest(lanes)
        if job is None:
            return None
        if take(job, worker or this_worker()):
            return job
    return None


def take(job: Job, worker: str) -> bool:
    """Start the next attempt of ``job``; false if someone else did since we read it."""
    now = timezone.now()
    taken = {
        "status": Job.Status.RUNNING,
        "attempt": job.attempt + 1,
        "lease_until": now + timedelta(seconds=settings.ENCODE_LEASE_S),
        "claimed_at": now,
        "worker": worker,
        # An attempt publishes under its own name and begins with nothing.
        "segments": [],
        "bytes_stored": 0,
    }
    if not Job.objects.claimable().filter(pk=job.pk, attempt=job.attempt).update(**taken):
        return False
    for name, value in taken.items():
        setattr(job, name, value)
    return True


def _fairest(lanes: Sequence[Job.Lane]) -> Job | None:
    """Choose between people first, then between a person's videos, then within the video.

    First lanes come first.  People are served in turn; of one person's videos
    the one that has had the least work done is next, so a clip overtakes a film.
    """
    waiting = Job.objects.claimable().filter(lane__in=lanes)
    # What killed its workers again and again is for the sweeper to give up.
    waiting = waiting.exclude(status=Job.Status.RUNNING, attempt__gte=MAX_ATTEMPTS)
    if _long_jobs_here() >= LONG_JOBS_PER_HOST:
        waiting = waiting.exclude(lane=Job.Lane.FIRST, length_s__gt=LONG_JOB_S)
    lane = waiting.order_by("lane").values_list("lane", flat=True).first()
    if lane is None:
        return None
    waiting = waiting.filter(lane=lane)
    channels = list(waiting.values_list("video__channel_id", flat=True).distinct().order_by())
    if not channels:
        return None  # all claimed between two looks
    waiting = waiting.filter(video__channel_id=_next_channel(channels))
    waiting_videos = set(waiting.values_list("video_id", flat=True).distinct().order_by())
    if not waiting_videos:
        return None
    jobs = waiting.filter(video_id=_least_served(waiting_videos)).annotate(turn=FIRST_TO_LAST)
    return jobs.select_related("video__channel__owner").order_by("turn", "position").first()


def _least_served(videos: set[int]) -> int:
    """Of videos with waiting work, the one that has had the least done, then the oldest."""
    begun = Job.objects.filter(video__in=videos, attempt__gt=0).order_by()
    served: dict[int, int] = dict(begun.values_list("video_id").annotate(count=Count("pk")))
    return min(videos, key=lambda video: (served.get(video, 0), video))


def _long_jobs_here() -> int:
    """How many whole-film jobs this host runs in the first lane."""
    running = Job.objects.filter(status=Job.Status.RUNNING, lane=Job.Lane.FIRST, length_s__gt=LONG_JOB_S)
    return running.filter(lease_until__gte=timezone.now(), worker__startswith=f"{this_host()}:").count()


def _next_channel(channels: list[int]) -> int:
    """Of channels with waiting work, the one with the least running, then the longest unserved."""
    if len(channels) == 1:
        return channels[0]
    now = timezone.now()
    recent = Job.objects.filter(video__channel__in=channels, claimed_at__gte=now - FAIRNESS_MEMORY)
    served: dict[int, datetime] = dict(
        recent.values_list("video__channel_id").annotate(last=Max("claimed_at")).order_by()
    )
    running = Counter(
        Job.objects.filter(video__channel__in=channels, status=Job.Status.RUNNING, lease_until__gte=now)
        .values_list("video__channel_id", flat=True)
        .order_by()
    )
    long_ago = now - FAIRNESS_MEMORY
    return min(channels, key=lambda channel: (running[channel], served.get(channel, long_ago), channel))
