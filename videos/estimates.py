"""Estimates of the time that an owner still waits for an encode, an import or a single step.

The speeds are those of this site's latest jobs; nothing is returned where nothing is known.
``videos.pace`` has the arithmetic.  The queue and the speeds are read at most every few
seconds, however many pages are open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
from django.core.cache import cache
from django.db.models import F
from django.utils import timezone

from videos import pace, progress
from videos.models import Job, Rendition, Video

QUEUE_KEPT_S = 5
SPEEDS_KEPT_S = 20
# Jobs of the whole queue that are read; more make an estimate too short.
MAX_JOBS_READ = 5000
LEARNED_FROM = 60

ENCODED = (Job.Kind.VIDEO, Job.Kind.AUDIO)

Value = TypeVar("Value")
# Encode key and name of a rung, to the units of one of its seconds.
Costs = dict[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds until the end, and the number of videos that begin before; None if unknown."""

    rest_s: int | None = None
    ahead: int | None = None


def state(video: Video) -> dict[str, int | None]:
    """Return the fields that the progress socket adds."""
    estimate = of_encode(video)
    return {"estimate_s": estimate.rest_s, "queue_ahead": estimate.ahead}


def of_encode(video: Video) -> Estimate:
    """Return the estimate of a video in processing: of its import, its place in the queue, or its encode."""
    if video.status != Video.Status.PROCESSING:
        return Estimate()
    jobs = list(Job.objects.needed().filter(video=video, encode_key=video.encode_key).select_related("run"))
    first = next((job for job in jobs if job.kind in (Job.Kind.FETCH, Job.Kind.PLAN) and job.is_active), None)
    if first is not None:
        if first.status == Job.Status.WAITING and not first.attempt:
            return Estimate(ahead=_ahead_of(first))
        if first.kind == Job.Kind.FETCH:
            return Estimate(_coarse(_rest_of_fetch(first)))
        return Estimate()
    if trims := [job for job in jobs if job.is_active and job.kind == Job.Kind.TRIM]:
        rests_s = [of_step(job, job.length_s) for job in trims]
        return Estimate(max((rest_s for rest_s in rests_s if rest_s is not None), default=None))
    active = [job for job in jobs if job.is_active and job.kind in ENCODED]
    speed = _kept("speed", SPEEDS_KEPT_S, _throughput) or _throughput_of_running(active)
    if not active or speed is None:
        return Estimate()
    done_s = progress.done_s(active)
    costs = _costs([video.encode_key])
    units = sum(_units(job, costs) * (1 - done_s[job.pk] / (job.length_s or 1)) for job in active)
    own = pace.Queued(video.pk, video.channel_id, units)
    queue = [pace.Queued(*one) for one in _kept("queue", QUEUE_KEPT_S, _queue)]
    return Estimate(_coarse(pace.units_until_end(own, queue) / speed))


def of_trim(duration_s: float) -> int | None:
    """Return the seconds that a trim takes which keeps so much, once it begins; None if unknown."""
    return _coarse(pace.rest_of_step(duration_s, 0.0, _earlier(Job.Kind.TRIM)))


def of_step(job: Job, duration_s: float) -> int | None:
    """Return the seconds until the end of a step that a video is complete without; None if unknown."""
    if not job.is_active or job.waits_for:
        return None
    earlier = _earlier(Job.Kind(job.kind))
    passed_s = _passed_s(job) if job.status == Job.Status.RUNNING else 0.0
    rest_s = pace.rest_of_step(duration_s, passed_s, earlier)
    if rest_s is None or job.status == Job.Status.RUNNING:
        return _coarse(rest_s)
    before_s = _before(job)
    return None if before_s is None else _coarse(rest_s + before_s)


def _earlier(kind: Job.Kind) -> list[tuple[float, float]]:
    return _kept(f"step:{kind}", SPEEDS_KEPT_S, lambda: _times_of(kind))


def _before(job: Job) -> float | None:
    """Return the seconds before a waiting step begins; None if other work is queued and no speed is known."""
    queue = _kept("queue", QUEUE_KEPT_S, _queue)
    if not queue:
        return 0.0
    speed = _kept("speed", SPEEDS_KEPT_S, _throughput)
    if speed is None:
        return None
    if job.lane == Job.Lane.AFTER:
        return float(sum(units for _video, _channel, units in queue)) / speed
    # It takes one turn: each of the other channels is served one job before.
    return float(_kept("turn", SPEEDS_KEPT_S, _turn_s)) * len({channel for _video, channel, _units in queue})


def _coarse(seconds: float | None) -> int | None:
    return None if seconds is None else pace.coarse(seconds)


def _kept(name: str, for_s: int, read: Callable[[], Value]) -> Value:
    """Return the value of ``read``, of now or of up to ``for_s`` ago."""
    key = f"estimates:{name}"
    try:
        found: list[Value] | None = cache.get(key)
        if found is None:
            found = [read()]
            cache.set(key, found, for_s)
    except redis.RedisError:
        return read()
    return found[0]


def _queue() -> list[tuple[int, int, float]]:
    """Return video, channel and units of all videos that are being encoded."""
    jobs = Job.objects.active().filter(kind__in=ENCODED).exclude(lane=Job.Lane.AFTER)
    listed = list(jobs.select_related("run", "video").order_by("pk")[:MAX_JOBS_READ])
    costs = _costs({job.encode_key for job in listed})
    units: dict[tuple[int, int], float] = defaultdict(float)
    for job in listed:
        units[job.video_id, job.video.channel_id] += _units(job, costs)
    return [(video, channel, of_video) for (video, channel), of_video in units.items()]


def _costs(encode_keys: Iterable[str]) -> Costs:
    rungs = Rendition.objects.filter(encode_key__in=list(encode_keys), kind=Rendition.Kind.VIDEO)
    return {
        (rung.encode_key, rung.name): pace.units_of_rung(
            rung.width_px, rung.height_px, rung.frame_rate, is_copied=rung.is_copied
        )
        for rung in rungs
    }


def _units(job: Job, costs: Costs) -> float:
    if job.kind == Job.Kind.AUDIO:
        return job.length_s * pace.AUDIO_UNITS
    names = job.run.renditions if job.run else []
    return job.length_s * sum(costs.get((job.encode_key, name), 0.0) for name in names)


def _throughput() -> float | None:
    """Return the speed of the latest encodes of the site, in units a second."""
    done = Job.objects.filter(status=Job.Status.DONE, kind=Job.Kind.VIDEO, error_code="")
    latest = list(done.exclude(finished_at=None).select_related("run").order_by("-claimed_at")[:LEARNED_FROM])
    return pace.throughput(_stints(latest, {job.pk: job.length_s for job in latest}))


def _throughput_of_running(jobs: list[Job]) -> float | None:
    """Return the speed of a video's own running jobs: a new site has no others."""
    running = [job for job in jobs if job.status == Job.Status.RUNNING and job.claimed_at]
    return pace.throughput(_stints(running, progress.done_s(running)))


def _stints(jobs: list[Job], done_s: dict[int, float]) -> Iterable[pace.Stint]:
    costs = _costs({job.encode_key for job in jobs})
    for job in jobs:
        began_at, ended_at = job.claimed_at, job.finished_at or timezone.now()
        cost = _units(job, costs) / (job.length_s or 1)
        if began_at and cost > pace.COPY_UNITS:
            yield pace.Stint(cost * done_s[job.pk], began_at.timestamp(), ended_at.timestamp())


def _times_of(kind: Job.Kind) -> list[tuple[float, float]]:
    """Return duration and time (s) of the latest steps of one kind."""
    done = Job.objects.filter(status=Job.Status.DONE, kind=kind, error_code="").exclude(finished_at=None)
    done = done.exclude(claimed_at=None).exclude(video__duration_s=None)
    rows = done.order_by("-claimed_at").values_list("video__duration_s", "claimed_at", "finished_at")
    return [
        (duration_s or 0.0, (ended_at - began_at).total_seconds())
        for duration_s, began_at, ended_at in rows[:LEARNED_FROM]
        if began_at and ended_at
    ]


def _turn_s() -> float:
    """Return the mean time (s) of a chunk's encode."""
    times = [took_s for _duration_s, took_s in _times_of(Job.Kind.VIDEO)]
    return sum(times) / len(times) if times else 0.0


def _ahead_of(job: Job) -> int:
    """Return the number of videos that wait for their first job and were queued before."""
    waiting: Any = Job.objects.filter(kind=job.kind, status=Job.Status.WAITING, attempt=0, pk__lt=job.pk)
    return int(waiting.filter(encode_key=F("video__encode_key")).count())


def _rest_of_fetch(job: Job) -> float | None:
    return pace.rest_of_download(progress.done_s([job])[job.pk], job.length_s, _passed_s(job))


def _passed_s(job: Job) -> float:
    return (timezone.now() - job.claimed_at).total_seconds() if job.claimed_at else 0.0
