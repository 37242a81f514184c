"""The progress of encodes: published segments are in SQL, FFmpeg's current position is in the cache."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.cache import cache
from django.urls import reverse

from accounts import notifications
from accounts.models import Notification
from videos.models import Job, Video

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

logger = logging.getLogger(__name__)

IN_HAND_TTL_S = 60
# A second of video costs about fifteen times as much as a second of audio (measured:
# four rungs of 1080p30 against AAC stereo, 2 cores).
WEIGHT = {Job.Kind.VIDEO: 15.0, Job.Kind.AUDIO: 1.0, Job.Kind.FETCH: 1.0, Job.Kind.TRIM: 1.0}


def group_name(public_id: str) -> str:
    return f"progress-{public_id}"


def record(job: Job, encoded_s: float) -> None:
    """Cache and publish the seconds that FFmpeg has encoded in this attempt, published or not."""
    try:
        cache.set(_cache_key(job), encoded_s, IN_HAND_TTL_S)
    except redis.RedisError:
        logger.warning("Progress not saved: Redis does not answer", extra={"video": job.video.public_id})
        return
    publish(job.video)


def publish(video: Video) -> None:
    """Publish to this video's subscribers that its progress has changed."""
    layer = get_channel_layer()
    try:
        async_to_sync(layer.group_send)(group_name(video.public_id), {"type": "progress.changed"})
    except (redis.RedisError, OSError):
        # The work itself must not fail because of a lost event.
        logger.warning("Progress not published: Redis does not answer", extra={"video": video.public_id})


def notify_owner(video: Video, *, is_ready: bool) -> None:
    """Notify the owner under the bell that an encode has ended, once for each encode and outcome."""
    shown, ready, failed = video, Notification.Kind.VIDEO_READY, Notification.Kind.VIDEO_FAILED
    url = video.get_absolute_url()
    if video.edition_of:
        shown, ready, failed = (
            video.edition_of,
            Notification.Kind.EDITION_READY,
            Notification.Kind.EDITION_FAILED,
        )
        is_track = video.edition_kind == video.EditionKind.AUDIO
        page = "studio-audio" if is_track else "studio-edition"
        url = url if is_ready else reverse(page, args=[shown.public_id])
    notifications.notify(
        person=shown.channel.owner,
        kind=ready if is_ready else failed,
        data={"title": shown.title},
        url=url,
        key=f"encode:{shown.public_id}:{video.encode_key}:{'ready' if is_ready else 'failed'}",
    )


def percent(video: Video) -> int:
    """Return the progress from 0 to 100; it is 100 only if the video is ready."""
    return percents([video])[video.pk]


def percents(videos: Iterable[Video]) -> dict[int, int]:
    """Return the progress of several videos by primary key, with one query and one cache read."""
    videos = list(videos)
    busy = {video.pk: video for video in videos if video.status == Video.Status.PROCESSING}
    known = {video.pk: 100 if video.status == Video.Status.READY else 0 for video in videos}
    jobs: dict[int, list[Job]] = {pk: [] for pk in busy}
    if busy:
        listed = Job.objects.filter(video__in=busy, kind__in=WEIGHT).select_related("run")
        for job in listed.only(
            "video_id", "encode_key", "kind", "length_s", "status", "attempt",
            "run__segments", "run__renditions",
        ):  # fmt: skip
            if job.encode_key == busy[job.video_id].encode_key:
                jobs[job.video_id].append(job)
    in_hand = _in_hand(job for of_video in jobs.values() for job in of_video)
    return known | {pk: _percent(of_video, in_hand) for pk, of_video in jobs.items()}


def done_s(jobs: Sequence[Job]) -> dict[int, float]:
    """Return the seconds that each job has encoded, by primary key, with one cache read."""
    in_hand = _in_hand(jobs)
    return {job.pk: _done_s(job, in_hand) for job in jobs}


def _in_hand(jobs: Iterable[Job]) -> dict[str, float]:
    """Return the cached positions of the running jobs."""
    return cache.get_many([_cache_key(job) for job in jobs if job.status == Job.Status.RUNNING])


def state(video: Video) -> dict[str, Any]:
    """Return the state that the progress socket sends."""
    return {
        "status": video.status,
        "progress_percent": percent(video),
        "is_playable": video.is_playable,
        "waiting_for": waiting_for(video) or None,
        "failure": failure(video),
    }


def failure(video: Video) -> dict[str, str] | None:
    if video.status != Video.Status.FAILED:
        return None
    return {"code": video.failure_code, "detail": video.failure_sentence}


def waiting_for(video: Video) -> str:
    """Return the part of the platform that the encode waits for (``Job.WaitsFor``), or an empty string."""
    if video.status != Video.Status.PROCESSING:
        return ""
    waiting = Job.objects.filter(video=video, encode_key=video.encode_key).exclude(waits_for="")
    return waiting.values_list("waits_for", flat=True).order_by("kind", "position").first() or ""


def waiting_sentence(video: Video) -> str:
    """Return the reason for waiting in the reader's language, or an empty string."""
    reason = waiting_for(video)
    return str(Job.WaitsFor(reason).label) if reason else ""


def _cache_key(job: Job) -> str:
    return f"encoded:{job.pk}:{job.attempt}"


def _percent(jobs: list[Job], in_hand: dict[str, float]) -> int:
    rungs = {name for job in jobs if job.run and job.kind == Job.Kind.VIDEO for name in job.run.renditions}
    weights = [_weight(job, len(rungs)) for job in jobs]
    whole = sum(weight * job.length_s for weight, job in zip(weights, jobs, strict=True))
    if not whole:
        return 0
    done = sum(weight * _done_s(job, in_hand) for weight, job in zip(weights, jobs, strict=True))
    return min(99, int(100 * done / whole))


def _weight(job: Job, rung_count: int) -> float:
    """Return the cost of a second: that of its kind, by the share of the rungs that the job encodes."""
    named = len(job.run.renditions) if job.run and job.kind == Job.Kind.VIDEO else 0
    return WEIGHT[Job.Kind(job.kind)] * (named / rung_count if named else 1)


def _done_s(job: Job, in_hand: dict[str, float]) -> float:
    if job.status == Job.Status.DONE:
        return job.length_s
    published_s = job.run.duration_s if job.run else 0.0
    return min(job.length_s, max(published_s, in_hand.get(_cache_key(job), 0.0)))
