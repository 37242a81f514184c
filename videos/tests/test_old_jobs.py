"""Tests of the deletion of old jobs: playlists and counts of ended encodes do not need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts import charts
from videos import cleaning
from videos.models import Job, SegmentRun, Video
from videos.room import kept_bytes
from videos.services import editing
from videos.tests.factories import VideoFactory
from videos.tests.playlists import playlists

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def old_video(**fields: object) -> Video:
    """Return a video with jobs that ended long ago."""
    video = VideoFactory(**fields)
    video.jobs.update(claimed_at=LONG_AGO)
    video.runs.update(bytes_stored=100)
    return video


def test_old_jobs_of_an_ended_encode_are_deleted_and_its_playlists_stay_the_same() -> None:
    video = old_video(source_size_bytes=1)
    before = playlists(video)

    cleaning.forget_old_jobs()

    assert not video.jobs.exists()
    assert (playlists(video), kept_bytes(video.channel)) == (before, 301)
    assert "720p/1-1/1.m4s" in before[1]


@pytest.mark.parametrize(
    ("status", "claimed_at"),
    [
        (Video.Status.PROCESSING, LONG_AGO),
        (Video.Status.READY, timezone.now() - timedelta(days=charts.DAYS)),
        (Video.Status.READY, None),
    ],
)
def test_jobs_of_running_and_recent_encodes_are_kept(status: str, claimed_at: datetime | None) -> None:
    video = old_video(status=status)
    video.jobs.update(claimed_at=claimed_at)

    cleaning.forget_old_jobs()

    assert video.jobs.count() == 3


def test_jobs_of_an_encode_stopped_before_it_began_are_deleted() -> None:
    video = old_video(status=Video.Status.FAILED)
    video.jobs.update(claimed_at=None, status=Job.Status.FAILED, not_before=LONG_AGO)

    cleaning.forget_old_jobs()

    assert not video.jobs.exists()


def test_old_failure_can_be_retried() -> None:
    video = old_video(status=Video.Status.FAILED, failure_code=Video.Failure.ENCODE_FAILED)
    cleaning.forget_old_jobs()

    editing.retry_video(Video.objects.get(pk=video.pk))

    assert [job.kind for job in video.jobs.all()] == [Job.Kind.PLAN]
    assert not SegmentRun.objects.exists()


def test_at_most_a_bounded_number_of_jobs_is_deleted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "JOBS_AT_ONCE", 2)
    video = old_video()

    left = []
    for _ in range(2):
        cleaning.forget_old_jobs()
        left.append(video.jobs.count())

    assert left == [1, 0]


def test_jobs_outlive_the_days_of_the_charts() -> None:
    assert timedelta(days=charts.DAYS) < cleaning.JOBS_KEPT_FOR
