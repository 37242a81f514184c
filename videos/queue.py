"""The queue of record: fair claims of jobs, and wake-ups for workers.

A Celery message means only "there is work"; it may be lost or arrive twice.  The
state, worker and lease of a job are columns of :class:`videos.models.Job`.  They are
changed by conditional UPDATEs; the row count decides between two workers.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, Count, IntegerField, Max, Value, When
from django.utils import timezone

from common.wakeups import Wakeup
from videos.models import Job
from videos.models.leased_work import Work

# A wake-up that no worker received in this time is useless: the sweep sends new ones.
WAKE_EXPIRES_S = 600
CLAIM_TRIES = 8
# A job fails after this many claims that failed because of the media.
MAX_FAILURES = 4
# A job fails after this many claims that ended silently, for example with a killed worker.
MAX_LOSSES = 6
# Long jobs (the audio of a film, or a source that cannot be cut) may hold at most
# this many of a host's first-lane slots, so that a clip always finds one.
LONG_JOBS_PER_HOST = 2
LONG_JOB_S = 600
# Channels served within this time come after the others.
FAIRNESS_MEMORY = timedelta(hours=1)

QUEUES = {Job.Lane.FIRST: "default", Job.Lane.BULK: "encode", Job.Lane.AFTER: "encode"}
# Position 0 is the first segment in the lowest rung; with the beginning of the audio it makes
# a video playable. Chunks of copies follow in the order of their times.
FIRST_TO_LAST = Case(
    When(kind=Job.Kind.PLAN, then=Value(0)),
    When(kind=Job.Kind.VIDEO, position=0, then=Value(1)),
    When(wanted_at__isnull=False, then=Value(2)),
    When(kind=Job.Kind.AUDIO, start_s=0, then=Value(3)),
    When(kind__in=(Job.Kind.AUDIO, Job.Kind.VIDEO), lane=Job.Lane.FIRST, then=Value(4)),
    When(kind=Job.Kind.POSTER, then=Value(5)),
    default=Value(6),
    output_field=IntegerField(),
)


# Injected: the task calls ``pipeline.work``, which claims from this queue.
job_wakeup = Wakeup()


def this_host() -> str:
    return socket.gethostname()


def this_worker() -> str:
    return f"{this_host()}:{os.getpid()}"


def wake(lane: Job.Lane, count: int = 1) -> None:
    """Wake the workers of a lane, once for each of ``count`` jobs."""
    job_wakeup.send(int(lane), queue=QUEUES[lane], count=count, expires_s=WAKE_EXPIRES_S)


def claim(lanes: Sequence[Job.Lane], worker: str = "") -> Job | None:
    """Claim the fairest waiting job of ``lanes``; return None if no job waits for this worker."""
    return claim_fairest(lambda: _fairest(lanes), take, worker)


def claim_fairest(
    find: Callable[[], Work | None], take: Callable[[Work, str], bool], worker: str
) -> Work | None:
    """Take the row that ``find`` returns; return None if it returns none.

    If another worker is faster between the SELECT and the UPDATE, the search is
    repeated, up to ``CLAIM_TRIES`` times.
    """
    for _ in range(CLAIM_TRIES):
        row = find()
        if row is None or take(row, worker or this_worker()):
            return row
    return None


def take(job: Job, worker: str) -> bool:
    """Start the next attempt of ``job`` with an empty run.

    Return False if another worker did since the row was read.
    """
    with transaction.atomic():
        if not Job.objects.take(job, worker):
            return False
        if job.run:
            job.run.begin(job.attempt)
    return True


def release(pids: Collection[int]) -> int:
    """Queue the running jobs of this host's processes again, without a loss; return their number."""
    return Job.objects.release(workers_here(pids))


def workers_here(pids: Collection[int]) -> list[str]:
    return [f"{this_host()}:{pid}" for pid in pids]


def _fairest(lanes: Sequence[Job.Lane]) -> Job | None:
    """Return the next job: choose a channel first, then one of its videos, then a job of the video.

    The first lane comes first.  Channels are served in turn.  Of one channel's videos,
    the one with the fewest jobs begun is next, so a clip overtakes a film.  Of its jobs,
    the one that a viewer asked for last comes before those that nobody waits for.
    """
    waiting = Job.objects.claimable().filter(lane__in=lanes)
    # The sweep fails jobs that killed their workers too often.
    waiting = waiting.exclude(status=Job.Status.RUNNING, losses__gte=MAX_LOSSES)
    if _long_jobs_here() >= LONG_JOBS_PER_HOST:
        waiting = waiting.exclude(lane=Job.Lane.FIRST, length_s__gt=LONG_JOB_S)
    lane = waiting.order_by("lane").values_list("lane", flat=True).first()
    if lane is None:
        return None
    waiting = waiting.filter(lane=lane)
    channels = list(waiting.values_list("video__channel_id", flat=True).distinct().order_by())
    if not channels:
        return None  # all claimed between two queries
    waiting = waiting.filter(video__channel_id=_next_channel(channels))
    waiting_videos = set(waiting.values_list("video_id", flat=True).distinct().order_by())
    if not waiting_videos:
        return None
    jobs = waiting.filter(video_id=_least_served(waiting_videos)).annotate(
        turn=FIRST_TO_LAST,
        place_s=Case(When(lane=Job.Lane.FIRST, then="start_s"), default=Value(0.0)),
    )
    return (
        jobs.select_related("video__channel__owner", "video__edition_of", "run")
        .order_by("turn", "-wanted_at", "place_s", "position")
        .first()
    )


def _least_served(videos: set[int]) -> int:
    """Return the video with the fewest jobs begun; the oldest one wins a tie."""
    begun = Job.objects.filter(video__in=videos, attempt__gt=0).order_by()
    served: dict[int, int] = dict(begun.values_list("video_id").annotate(count=Count("pk")))
    return min(videos, key=lambda video: (served.get(video, 0), video))


def _long_jobs_here() -> int:
    """Return the number of long jobs that this host runs in the first lane."""
    running = Job.objects.filter(status=Job.Status.RUNNING, lane=Job.Lane.FIRST, length_s__gt=LONG_JOB_S)
    return running.filter(lease_until__gte=timezone.now(), worker__startswith=f"{this_host()}:").count()


def _next_channel(channels: list[int]) -> int:
    """Return the channel with the fewest running jobs; the longest unserved one wins a tie."""
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
