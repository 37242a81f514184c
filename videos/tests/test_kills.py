"""Kills at any write of an end: the sweep completes, fails or continues the video."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from videos import ends, queue, sweeping
from videos.models import Job, SegmentRun, Video
from videos.services import retry_video
from videos.tests.kills import after_the_sweep, killed_at_every_write
from videos.tests.test_ends import NO_STORAGE, processing_video, storage_answers
from videos.transcoding.errors import DecodeFailed, EncodeFailed

__all__ = ["storage_answers"]  # a fixture
pytestmark = [pytest.mark.redis]


def claim_last(kind: str) -> Job:
    """Claim the first job of ``kind`` after marking all others as done."""
    Job.objects.exclude(kind=kind, position=0).update(status=Job.Status.DONE)
    SegmentRun.objects.exclude(kind=kind, position=0).update(is_open=False, segments=[4.0])
    job = queue.claim(list(Job.Lane))
    assert job is not None
    assert job.kind == kind
    return job


def _finish() -> Callable[[], object]:
    processing_video()
    job = claim_last("video")
    SegmentRun.objects.filter(job=job).update(segments=[4.0])
    return lambda: ends.finish(job)


def _fail_for_good() -> Callable[[], object]:
    processing_video()
    job = claim_last("video")
    return lambda: ends.fail(job, DecodeFailed("no"))


def _fail_for_now() -> Callable[[], object]:
    processing_video()
    job = claim_last("video")
    return lambda: ends.fail(job, EncodeFailed("no"))


def _drop_a_track() -> Callable[[], object]:
    processing_video()
    job = claim_last("audio")
    return lambda: ends.fail(job, DecodeFailed("no"))


def _put_off() -> Callable[[], object]:
    processing_video()
    job = claim_last("video")
    return lambda: ends.put_off(job, Job.WaitsFor.STORAGE, NO_STORAGE)


def _redo_a_gap() -> Callable[[], object]:
    video = processing_video(Job.Status.DONE)
    SegmentRun.objects.filter(video=video, kind="video", position=0).update(segments=[])
    return lambda: ends.complete(video.pk)


def _cancel() -> Callable[[], object]:
    video = processing_video()
    return lambda: ends.fail_video(video, EncodeFailed("stopped"))


def _retry() -> Callable[[], object]:
    video = processing_video(Job.Status.DONE)
    ends.fail_video(video, EncodeFailed("no"))
    return lambda: retry_video(video)


def _give_up() -> Callable[[], object]:
    processing_video()
    job = claim_last("video")
    expired = timezone.now() - timedelta(seconds=1)
    Job.objects.filter(pk=job.pk).update(losses=queue.MAX_LOSSES, lease_until=expired)
    return sweeping.sweep


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "make",
    [_finish, _fail_for_good, _fail_for_now, _drop_a_track, _put_off, _redo_a_gap, _cancel, _retry, _give_up],
)
def test_video_ends_or_moves_on_after_a_kill_at_any_write(
    make: Callable[[], Callable[[], object]], storage_answers: mock.Mock
) -> None:
    for _ in killed_at_every_write(make, storage_answers):
        for status, is_moving in after_the_sweep():
            assert status in {"ready", "failed"} or is_moving
        Video.objects.all().delete()
