"""The jobs of a video as its owner and administrators see them, and their actions on them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tests.factories import UserFactory
from videos import ends, pipeline, progress, queue, services
from videos.job_details import MAX_SHOWN, details_of
from videos.models import Job, Rendition, SegmentRun, Video
from videos.publishing import LeaseLost
from videos.services.errors import CannotCancelJob, CannotRetryJob
from videos.tests.factories import VideoFactory
from videos.transcoding import log_tail
from videos.transcoding.errors import FFmpegFailed

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


def job_of(video: Video, kind: str = "video", **fields: Any) -> Job:
    return Job.objects.create(video=video, encode_key=video.encode_key, kind=kind, **fields)


def processing() -> Video:
    video: Video = VideoFactory(status="processing", is_playable=False, encoded=False)
    return video


def running(video: Video, kind: str = "video", *, for_s: float = 10, **fields: Any) -> Job:
    now = timezone.now()
    lease = {"claimed_at": now - timedelta(seconds=for_s), "lease_until": now + timedelta(minutes=1)}
    return job_of(video, kind, status="running", attempt=1, worker="host-7.example:41", **lease, **fields)


def page(video: Video) -> str:
    client = Client()
    client.force_login(video.channel.owner)
    return client.get(f"/studio/{video.public_id}/jobs/").content.decode()


def test_running_job_shows_its_progress_and_speed() -> None:
    video = processing()
    job = running(video, length_s=60)
    progress.record(job, 24.0)

    (shown,) = details_of(video).shown

    assert shown.percent == 40
    assert shown.speed == pytest.approx(2.4, rel=0.1)
    assert re.search(r"2\.\d× real time", page(video))


def test_part_of_a_copied_track_is_named_by_track_and_time() -> None:
    video = processing()
    common = {"video": video, "encode_key": video.encode_key, "kind": "audio"}
    for position in range(2):
        Rendition.objects.create(
            **common, position=position, name=f"audio-{position}", bitrate_bps=128_000, codecs="mp4a.40.2"
        )
    run = SegmentRun.objects.create(**common, position=1003, renditions=["audio-1"], first_segment=61)
    running(video, "audio", position=1003, run=run, start_s=244.0, length_s=120)

    (shown,) = details_of(video).shown

    assert shown.track == 2
    assert re.search(r"track 2 · <span class=\"number\">4:04</span>", page(video))


def test_job_without_a_length_shows_neither() -> None:
    video = processing()
    running(video, "poster")

    (shown,) = details_of(video).shown

    assert (shown.percent, shown.speed) == (None, None)


def test_page_names_no_host() -> None:
    video = processing()
    running(video, length_s=60)
    running(video, "audio", length_s=60)
    job_of(video, "video", position=1, attempt=1, waits_for="storage", error_detail="http://s3.lan/x: 503")

    html = page(video)

    assert "host-7" not in html
    assert "s3.lan" not in html
    assert html.count("worker 1") == 2


def test_most_urgent_jobs_are_shown_and_the_others_counted() -> None:
    video = processing()
    for position in range(MAX_SHOWN + 5):
        job_of(video, position=position, length_s=60, status="done" if position < 3 else "waiting")
    last = running(video, "audio", length_s=60)

    details = details_of(video)

    assert details.shown[0].job == last
    assert (len(details.shown), details.more, details.done) == (MAX_SHOWN, 6, 3)
    assert all(one.job.status != "done" for one in details.shown)


def test_log_of_an_attempt_is_stored_with_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of(VideoFactory(), "storyboard", lane=2)

    def step(_job: Job) -> None:
        log_tail.keep(b"[h264 @ 0x5555] error while decoding MB 3 4 of /home/site/films/a.mp4\n")
        raise FFmpegFailed(1, "at /home/site/films/a.mp4")

    monkeypatch.setitem(pipeline.STEPS, Job.Kind.STORYBOARD, step)
    assert queue.take(job, "host:1")
    pipeline.run(job)

    job.refresh_from_db()
    assert job.log_tail == "[h264] error while decoding MB 3 4 of <file>"
    assert "/home" in job.error_detail
    html = page(job.video)
    assert "error while decoding MB 3 4" in html
    assert "/home/site" not in html


def test_log_of_a_lost_attempt_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of(VideoFactory(), "storyboard", lane=2)

    def step(_job: Job) -> None:
        log_tail.keep(b"late\n")
        services.cancel_job(job)
        raise LeaseLost

    monkeypatch.setitem(pipeline.STEPS, Job.Kind.STORYBOARD, step)
    assert queue.take(job, "host:1")
    pipeline.run(job)

    job.refresh_from_db()
    assert job.log_tail == ""


def test_canceled_job_loses_its_worker_and_can_be_tried_again() -> None:
    job = running(VideoFactory(), "mp4")

    services.cancel_job(job)

    with pytest.raises(LeaseLost):
        ends.finish_row(job)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("done", "canceled")
    assert [one.error for one in details_of(job.video).shown if one.job == job] == ["Canceled."]

    services.retry_job(job)

    claimed = queue.claim([Job.Lane.BULK], "next:1")
    assert claimed == job
    assert claimed.attempt > job.attempt


@pytest.mark.parametrize("kind", ["plan", "video", "audio", "poster", "fetch"])
def test_needed_job_cannot_be_canceled(kind: str) -> None:
    with pytest.raises(CannotCancelJob):
        services.cancel_job(job_of(processing(), kind))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("audio", {"status": "done", "error_code": "decode_failed"}),
        ("video", {"status": "failed", "error_code": "encode_failed"}),
        ("storyboard", {"status": "done"}),
        ("storyboard", {"status": "waiting", "error_code": "encode_failed"}),
        ("storyboard", {"status": "done", "error_code": "encode_failed", "encode_key": "older"}),
    ],
    ids=["needed", "of a failed video", "without error", "waiting", "of another encode"],
)
def test_job_is_not_tried_again(kind: str, fields: dict[str, str]) -> None:
    video = VideoFactory(encoded=False)
    job = Job.objects.create(**{"video": video, "encode_key": video.encode_key, "kind": kind, **fields})

    with pytest.raises(CannotRetryJob):
        services.retry_job(job)


def test_admin_shows_the_worker_the_log_and_the_speed(client: Client) -> None:
    job = running(processing(), length_s=60, log_tail="a complaint")
    progress.record(job, 24.0)
    client.force_login(UserFactory(is_staff=True, is_superuser=True))

    html = client.get(f"/admin/videos/job/{job.pk}/change/").content.decode()

    assert "host-7.example:41" in html
    assert "a complaint" in html
    assert re.search(r"40 % · 2\.\d ×", html)
