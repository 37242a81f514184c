"""Estimates from this site's own speeds: for encodes, imports, places in the queue and single steps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from videos import estimates, progress
from videos.models import Job, Rendition, SegmentRun, Video
from videos.services import mp4_estimate_s
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

LONG_AGO = timedelta(days=1)


def encode(
    video: Video, *, chunks: int, status: str = "waiting", took_s: float = 30, **fields: Any
) -> list[Job]:
    """Create the encode of chunks of a minute in one 720p30 rung: 60 units each."""
    Rendition.objects.create(
        video=video, encode_key=video.encode_key, kind="video", position=0, name="720p",
        width_px=1280, height_px=720, frame_rate=30, bitrate_bps=1,
    )  # fmt: skip
    jobs = []
    for position in range(chunks):
        run = SegmentRun.objects.create(
            video=video, encode_key=video.encode_key, kind="video", position=position,
            renditions=["720p"], first_segment=position * 15, segment_count=15,
        )  # fmt: skip
        times = {}
        if status == "done":
            began_at = timezone.now() - LONG_AGO + timedelta(seconds=position * took_s)
            times = {"claimed_at": began_at, "finished_at": began_at + timedelta(seconds=took_s)}
        common = {"video": video, "encode_key": video.encode_key, "run": run, "position": position}
        jobs.append(Job.objects.create(**common, kind="video", length_s=60, status=status, **times, **fields))
    return jobs


def processing(**fields: Any) -> Video:
    video: Video = VideoFactory(status="processing", is_playable=False, encoded=False, **fields)
    return video


def learn(units_per_second: float) -> None:
    encode(VideoFactory(encoded=False), chunks=4, status="done", took_s=60 / units_per_second)


def rest_s(video: Video) -> int | None:
    cache.clear()
    return estimates.of_encode(video).rest_s


def test_encode_takes_its_rest_at_the_speed_of_the_site() -> None:
    learn(2.0)
    video = processing()
    encode(video, chunks=8)

    assert rest_s(video) == 240

    Job.objects.filter(video=video, position__lt=4).update(status="done")
    assert rest_s(video) == 120


def test_position_of_ffmpeg_counts() -> None:
    learn(2.0)
    video = processing()
    (job,) = encode(video, chunks=1, attempt=1)
    Job.objects.filter(pk=job.pk).update(status="running", claimed_at=timezone.now())
    job.refresh_from_db()
    cache.clear()
    progress.record(job, 30)

    assert estimates.of_encode(video).rest_s == 15


def test_site_without_history_shows_nothing_until_its_own_jobs_show_a_speed() -> None:
    video = processing()
    job, _ = encode(video, chunks=2, attempt=1)

    assert rest_s(video) is None

    Job.objects.filter(pk=job.pk).update(status="running", claimed_at=timezone.now() - timedelta(seconds=20))
    job.refresh_from_db()
    progress.record(job, 40)
    assert estimates.of_encode(video).rest_s == pytest.approx(40, abs=5)


def test_film_of_another_channel_lengthens_a_clip_by_the_clips_own_work_only() -> None:
    learn(2.0)
    encode(processing(), chunks=60)
    clip = processing()
    encode(clip, chunks=1)

    assert rest_s(clip) == 60


def test_video_before_its_plan_shows_its_place_in_the_queue() -> None:
    videos = [processing() for _ in range(3)]
    for video in videos:
        Job.objects.create(video=video, encode_key=video.encode_key, kind="plan", lane=0)

    assert [estimates.of_encode(video).ahead for video in videos] == [0, 1, 2]
    assert estimates.of_encode(videos[2]).rest_s is None


def test_import_ends_at_the_speed_of_its_transfer() -> None:
    video = processing(import_url="https://example.org/a.mp4")
    job = Job.objects.create(
        video=video, encode_key=video.encode_key, kind="fetch", length_s=100, status="running", attempt=1,
        claimed_at=timezone.now() - timedelta(seconds=20),
    )  # fmt: skip

    assert estimates.of_encode(video).rest_s is None

    progress.record(job, 25)
    assert estimates.of_encode(video).rest_s == 60


def test_recording_and_ready_video_have_no_estimate() -> None:
    learn(2.0)

    assert estimates.of_encode(processing(source_key="")) == estimates.Estimate()
    assert estimates.of_encode(VideoFactory()) == estimates.Estimate()


def step(video: Video, kind: str, *, took_s: float | None = None, **fields: Any) -> Job:
    now = timezone.now()
    if took_s is not None:
        fields |= {"status": "done", "claimed_at": now - timedelta(seconds=took_s), "finished_at": now}
    return Job.objects.create(video=video, encode_key=video.encode_key, kind=kind, **fields)


def test_step_takes_as_long_as_the_latest_ones_of_its_kind() -> None:
    step(VideoFactory(duration_s=600), "mp4", took_s=20)
    step(VideoFactory(duration_s=600), "storyboard", took_s=300, lane=2)
    video = VideoFactory(duration_s=600)
    running: dict[str, Any] = {"status": "running", "claimed_at": timezone.now() - timedelta(seconds=5)}

    assert estimates.of_step(step(video, "mp4", **running), 600) == 15
    assert estimates.of_step(step(video, "loudness", lane=2, **running), 600) is None
    assert mp4_estimate_s(video) == 15


def test_waiting_step_of_the_last_lane_waits_for_the_encodes() -> None:
    learn(2.0)
    step(VideoFactory(duration_s=600), "storyboard", took_s=20, lane=2)
    encode(processing(), chunks=2)
    cache.clear()

    assert estimates.of_step(step(VideoFactory(), "storyboard", lane=2), 600) == 75


def test_download_page_names_the_rest(client: Client) -> None:
    video = VideoFactory(duration_s=600, downloads="mp4")
    step(VideoFactory(duration_s=600), "mp4", took_s=245)
    step(video, "mp4")

    html = client.get(f"/watch/{video.public_id}/download/?wait").content.decode()
    chinese = client.get(f"/watch/{video.public_id}/download/?wait", headers={"accept-language": "zh-hans"})

    assert "about 4 minutes left" in html
    assert "大约还需 4" in chinese.content.decode()
