"""Tests of folding the jobs of old videos into one row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.utils import timezone

from accounts import charts
from accounts.models import SweepFailure
from accounts.tests.factories import UserFactory
from videos import folding
from videos.folding import FOLDED_AFTER, fold_old_jobs
from videos.models import FinishedEncode, Job, Video
from videos.publishing import Encode, media_playlist, multivariant_playlist
from videos.services import editing, recordings
from videos.services.recordings import RecordedRendition
from videos.services.uploads import kept_bytes
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def old_video(**fields: object) -> Video:
    """Return a video with jobs that ended long ago."""
    video = VideoFactory(**fields)
    Job.objects.create(video=video, encode_key=video.encode_key, kind=Job.Kind.POSTER, status=Job.Status.DONE)
    video.jobs.update(claimed_at=LONG_AGO, attempt=2, bytes_stored=100)
    return video


def playlists(video: Video) -> list[str]:
    encode = Encode.of(Video.objects.get(pk=video.pk))
    media = [media_playlist(encode, each, str).render() for each in [*encode.rungs, *encode.tracks]]
    return [multivariant_playlist(encode, "{}.m3u8".format), *media]


def test_playlists_of_a_folded_upload_are_the_same() -> None:
    video = old_video()
    before = playlists(video)

    assert fold_old_jobs() == 1

    assert not video.jobs.exists()
    assert playlists(video) == before
    assert "720p/1-2/1.m4s" in before[1]


def test_playlists_and_stretches_of_a_folded_recording_are_the_same() -> None:
    video = recordings.start_recording(
        channel=UserFactory().channel, title="Live", category="gaming", visibility="public"
    )
    recordings.note_renditions(video, [RecordedRendition("r0", 640, 360, 30.0, 730_000, "avc1.64001e")])
    for began_at in (LONG_AGO, LONG_AGO + timedelta(minutes=1)):
        job = recordings.open_job(video, is_continuous=False, began_at=began_at)
        recordings.append_segment(job, duration_s=4.0, size_bytes=100)
    Job.objects.update(status=Job.Status.DONE)
    Video.objects.update(status=Video.Status.READY)
    before, stretches = playlists(video), recordings.stretches(video)

    assert fold_old_jobs() == 1

    assert (playlists(video), recordings.stretches(video)) == (before, stretches)
    assert len(stretches) == 2
    assert before[1].count("#EXT-X-PROGRAM-DATE-TIME") == 2


def test_folded_bytes_count_towards_the_storage_limit() -> None:
    video = old_video(source_size_bytes=1)
    before = kept_bytes(video.channel)

    fold_old_jobs()

    assert kept_bytes(video.channel) == before == 401


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

    assert fold_old_jobs() == 0

    assert video.jobs.count() == 4


def test_video_with_one_recent_job_is_kept_whole() -> None:
    video = old_video()
    video.jobs.filter(position=1).update(claimed_at=timezone.now())

    fold_old_jobs()

    assert video.jobs.count() == 4


def test_jobs_of_an_encode_stopped_before_it_began_are_folded() -> None:
    video = old_video(status=Video.Status.FAILED)
    video.jobs.update(claimed_at=None, status=Job.Status.FAILED, not_before=LONG_AGO)

    assert fold_old_jobs() == 1
    assert not video.jobs.exists()


def test_folded_failure_can_be_retried() -> None:
    video = old_video(status=Video.Status.FAILED, failure_code=Video.Failure.ENCODE_FAILED)
    fold_old_jobs()
    assert FinishedEncode.objects.get().jobs == []

    editing.retry_video(Video.objects.get(pk=video.pk))

    assert [job.kind for job in video.jobs.all()] == [Job.Kind.PLAN]
    assert not FinishedEncode.objects.exists()


def test_video_that_cannot_be_folded_does_not_stop_the_others() -> None:
    bad, good = old_video(), old_video()
    folded = FinishedEncode.folded

    def fold(job: Job) -> dict[str, object]:
        if job.video_id == bad.pk:
            raise ValueError("broken row")
        return folded(job)

    with mock.patch.object(FinishedEncode, "folded", fold):
        assert fold_old_jobs() == 1

    assert (bad.jobs.count(), good.jobs.count()) == (4, 0)
    assert SweepFailure.objects.get().row_pk == bad.pk


def test_at_most_a_bounded_number_of_videos_is_folded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "VIDEOS_AT_ONCE", 1)
    for _ in range(2):
        old_video()

    assert (fold_old_jobs(), fold_old_jobs(), fold_old_jobs()) == (1, 1, 0)


def test_jobs_outlive_the_days_of_the_charts() -> None:
    assert timedelta(days=charts.DAYS) < FOLDED_AFTER
