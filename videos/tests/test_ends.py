"""The ends of jobs: media errors spend attempts, platform errors wait, and no job stays half done."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.db import DatabaseError, IntegrityError, OperationalError
from django.utils import timezone

from accounts.models import Notification, SweepFailure
from videos import copying, ends, pipeline, progress, queue, sweeping
from videos.leases import LeaseKeeper
from videos.models import Job, SegmentRun, Video
from videos.publishing import Encode, write_playlists
from videos.tests.factories import VideoFactory, make_encode
from videos.transcoding.copying.eligibility import NotCopied
from videos.transcoding.errors import EncodeFailed, FFmpegFailed, HostTrouble, StorageFailed

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

NO_STORAGE = EndpointConnectionError(endpoint_url="http://storage")


@pytest.fixture(autouse=True)
def storage_answers() -> Iterator[mock.Mock]:
    """Let storage take playlists and sources be readable, unless a test changes that."""
    with (
        mock.patch("common.storage.put_text") as put_text,
        mock.patch("common.storage.read_range", return_value=b"x"),
    ):
        yield put_text


def processing_video(status: str = Job.Status.WAITING) -> Video:
    video = VideoFactory(status=Video.Status.PROCESSING, is_playable=False, encoded=False)
    make_encode(video, status=status)
    return video


def run_once(error: Exception) -> Job:
    """Let the first waiting job's step raise ``error``; return the job's row."""
    Job.objects.update(not_before=timezone.now())
    job = queue.claim([Job.Lane.FIRST])
    assert job is not None
    with mock.patch.dict(pipeline.STEPS, {Job.Kind(job.kind): mock.Mock(side_effect=error)}):
        pipeline.run(job)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NO_STORAGE, "storage"),
        (ClientError({"Error": {"Code": "SlowDown"}}, "PutObject"), "storage"),
        (ClientError({"Error": {"Code": "NoSuchBucket"}}, "PutObject"), "storage"),
        (OSError(errno.ENOSPC, "No space left on device"), "host"),
        (OSError(errno.EMFILE, "Too many open files"), "host"),
    ],
)
def test_platform_error_waits_and_costs_no_attempt(error: Exception, reason: str) -> None:
    video = processing_video()

    for _ in range(20):
        job = run_once(error)

    assert (job.status, job.failures, job.losses, job.waits_for) == ("waiting", 0, 0, reason)
    assert job.not_before > timezone.now()
    video.refresh_from_db()
    assert video.status == "processing"
    assert progress.state(video)["waiting_for"] == reason
    assert progress.waiting_sentence(video)


def test_wait_doubles_up_to_a_minute() -> None:
    processing_video()

    for pause_s in (2, 4, 8, 16, 32, 60, 60, 60):
        before = timezone.now()
        until = run_once(NO_STORAGE).not_before
        assert before <= until - timedelta(seconds=pause_s) <= timezone.now()


def test_finished_job_no_longer_waits() -> None:
    video = processing_video()
    job = run_once(NO_STORAGE)
    Job.objects.update(not_before=timezone.now())
    claimed = queue.claim([Job.Lane.FIRST])
    assert claimed == job

    ends.finish(claimed)

    job.refresh_from_db()
    assert (job.status, job.waits, job.waits_for) == ("done", 0, "")
    assert progress.waiting_for(video) == ""


def test_unfetchable_source_waits_while_storage_is_down() -> None:
    processing_video()

    with mock.patch("common.storage.read_range", side_effect=NO_STORAGE):
        for _ in range(10):
            job = run_once(StorageFailed("HTTP error 503"))

    assert (job.status, job.losses, job.waits_for) == ("waiting", 0, "storage")


def test_unfetchable_source_fails_the_video_while_storage_is_up() -> None:
    video = processing_video()

    for _ in range(queue.MAX_LOSSES):
        job = run_once(StorageFailed("HTTP error 503"))

    video.refresh_from_db()
    assert (job.status, video.status) == ("failed", "failed")


def test_cut_output_fails_the_video_while_the_disk_has_room() -> None:
    video = processing_video()

    for _ in range(queue.MAX_LOSSES):
        run_once(HostTrouble("segment 1 is cut"))

    video.refresh_from_db()
    assert video.status == "failed"


def test_cut_output_waits_while_the_disk_is_full(settings: Any) -> None:
    processing_video()
    settings.WORK_FLOOR_BYTES = 2**60

    for _ in range(queue.MAX_LOSSES + 1):
        job = run_once(HostTrouble("segment 1 is cut"))

    assert (job.status, job.losses, job.waits_for) == ("waiting", 0, "host")


def test_unencodable_media_fails_the_video_after_all_attempts() -> None:
    video = processing_video()

    for _ in range(queue.MAX_FAILURES):
        job = run_once(FFmpegFailed(1, "no"))

    video.refresh_from_db()
    assert (job.failures, job.status, video.status) == (queue.MAX_FAILURES, "failed", "failed")
    assert Notification.objects.get().kind == Notification.Kind.VIDEO_FAILED


def test_job_that_kills_workers_fails_after_its_losses() -> None:
    video = processing_video()
    for _ in range(queue.MAX_LOSSES + 1):
        claimed = queue.claim([Job.Lane.FIRST])
        assert claimed is not None
        Job.objects.filter(pk=claimed.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    lost = Job.objects.get(status=Job.Status.RUNNING)
    assert (lost.failures, lost.losses) == (0, queue.MAX_LOSSES)

    sweeping.sweep()

    video.refresh_from_db()
    assert (video.status, video.failure_code) == ("failed", "encode_failed")


def test_job_is_put_off_after_the_database_answers_again() -> None:
    processing_video()
    with mock.patch("videos.ends.sleep") as waited, mock.patch("videos.ends.connection.close"):
        refused = iter([OperationalError("gone"), OperationalError("gone")])
        put_off = ends.put_off

        def put_off_later(*args: Any, **kwargs: Any) -> None:
            if error := next(refused, None):
                raise error
            put_off(*args, **kwargs)

        with mock.patch("videos.ends.put_off", side_effect=put_off_later):
            job = run_once(OperationalError("server closed the connection"))

    assert waited.call_count == 3
    assert (job.status, job.failures, job.losses, job.waits_for) == ("waiting", 0, 0, "database")


@pytest.mark.parametrize("change", [{"encode_key": "newer"}, {"status": "failed"}])
def test_job_of_an_encode_that_is_over_ends_without_touching_the_video(change: dict[str, str]) -> None:
    video = processing_video()
    Video.objects.filter(pk=video.pk).update(**change)
    before = Video.objects.values().get(pk=video.pk)

    job = run_once(EncodeFailed("no rung"))

    assert (job.status, job.failures, job.losses) == ("failed", 0, 0)
    assert Video.objects.values().get(pk=video.pk) == before


def test_job_whose_values_the_database_refuses_fails_after_its_losses() -> None:
    video = processing_video()

    for _ in range(queue.MAX_LOSSES):
        job = run_once(IntegrityError("NOT NULL constraint failed"))

    video.refresh_from_db()
    assert (job.status, job.losses, video.status) == ("failed", queue.MAX_LOSSES - 1, "failed")


def test_encode_survives_a_short_database_outage() -> None:
    processing_video()
    job = queue.claim([Job.Lane.FIRST])
    assert job is not None
    keeper = LeaseKeeper(job)
    keeper.renewed_at = float("-inf")

    with (
        mock.patch.object(Job, "renew_lease", side_effect=DatabaseError("away")),
        mock.patch("videos.leases.connection.close"),
    ):
        keeper(1.0)
    keeper(2.0)

    assert keeper.renewed_at > 0


def test_gap_before_later_frames_is_encoded_again() -> None:
    video = processing_video(Job.Status.DONE)
    first = Job.objects.get(kind="video", position=0)
    SegmentRun.objects.filter(job=first).update(segments=[])

    assert not ends.complete(video.pk)

    first.refresh_from_db()
    video.refresh_from_db()
    assert (first.status, first.failures, video.status) == ("waiting", 1, "processing")
    assert first.run is not None
    assert first.run.is_open


def test_gap_after_all_attempts_fails_the_video() -> None:
    video = processing_video(Job.Status.DONE)
    Job.objects.filter(kind="video", position=0).update(failures=queue.MAX_FAILURES - 1)
    SegmentRun.objects.filter(kind="video", position=0).update(segments=[])

    sweeping.sweep()

    video.refresh_from_db()
    assert video.status == "failed"


@pytest.mark.storage
@pytest.mark.usefixtures("bucket")
def test_missing_segments_at_the_end_of_the_source_are_no_gap() -> None:
    video = processing_video(Job.Status.DONE)
    SegmentRun.objects.filter(kind="video", position=1).update(segments=[], segment_count=3)

    assert ends.complete(video.pk)
    assert Encode.of(video).gap is None


@pytest.mark.storage
@pytest.mark.usefixtures("bucket")
def test_completion_of_a_video_that_failed_meanwhile_returns_false(monkeypatch: pytest.MonkeyPatch) -> None:
    video = processing_video(Job.Status.DONE)

    def fail(_encode: Encode) -> None:
        ends.fail_video(Video.objects.get(pk=video.pk), EncodeFailed("no"))

    monkeypatch.setattr(ends, "write_playlists", fail)

    assert not ends.complete(video.pk)

    video.refresh_from_db()
    assert video.status == "failed"


@pytest.mark.parametrize(("folder", "is_kept"), [("posters", True), ("encode", False)])
def test_source_that_cannot_be_copied_keeps_only_the_poster_of_its_owner(
    folder: str, *, is_kept: bool
) -> None:
    job = processing_video(Job.Status.RUNNING).jobs.select_related("video")[0]
    poster_key = f"{job.video.prefix}{folder}/poster.jpg"
    # The owner's choice comes after the claim.
    shown = {"poster_key": poster_key, "poster_times_s": [1.0], "loudness": [[-14.0, -1.0]]}
    Video.objects.filter(pk=job.video_id).update(**shown)

    copying.encode_instead(job, NotCopied("damaged"))

    video = Video.objects.get(pk=job.video_id)
    assert video.poster_key == (poster_key if is_kept else "")
    assert (video.poster_times_s, video.loudness) == (None, None)
    assert video.encode_key != job.encode_key


@pytest.mark.parametrize("code", ["decode_failed", ""])
def test_sweep_fails_a_video_with_a_failed_job(code: str) -> None:
    video = processing_video(Job.Status.DONE)
    Job.objects.filter(kind="video", position=0).update(status=Job.Status.FAILED, error_code=code)

    sweeping.sweep()

    video.refresh_from_db()
    assert (video.status, video.failure_code) == ("failed", code or "encode_failed")


def test_sweep_plans_a_video_without_jobs() -> None:
    video = processing_video()
    video.jobs.all().delete()

    sweeping.sweep()

    assert [(job.kind, job.status) for job in video.jobs.all()] == [("plan", "waiting")]


@pytest.mark.storage
@pytest.mark.usefixtures("bucket")
def test_sweep_completes_videos_behind_one_that_raises(storage_answers: mock.Mock) -> None:
    bad, good = processing_video(Job.Status.DONE), processing_video(Job.Status.DONE)

    def write_good(encode: Encode) -> None:
        if encode.video == bad:
            raise LookupError("no such rendition")
        write_playlists(encode)

    with mock.patch("videos.ends.write_playlists", side_effect=write_good):
        sweeping.sweep()

    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.status, good.status) == ("processing", "ready")
    failure = SweepFailure.objects.get()
    assert (failure.row_pk, failure.error) == (bad.pk, "LookupError: no such rendition")

    SweepFailure.objects.update(retry_at=timezone.now())
    sweeping.sweep()
    bad.refresh_from_db()
    assert (bad.status, SweepFailure.objects.count()) == ("ready", 0)


@pytest.mark.storage
@pytest.mark.usefixtures("bucket")
def test_sweep_completes_videos_behind_many_incompletable_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    for _ in range(3):
        video = processing_video(Job.Status.DONE)
        video.jobs.all().delete()
        video.runs.all().delete()
        Video.objects.filter(pk=video.pk).update(source_key="")
    good = processing_video(Job.Status.DONE)

    sweeping.sweep()

    good.refresh_from_db()
    assert good.status == "ready"


def test_disk_without_inodes_is_full(settings: Any) -> None:
    from common import disk

    assert disk.has_room()
    settings.WORK_FLOOR_INODES = 2**62
    found = os.statvfs(disk.work_folder())
    assert disk.has_room() == (found.f_files == 0)
