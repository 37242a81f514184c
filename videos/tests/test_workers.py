"""Real Celery workers, killed and outnumbered, on the database of the test."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings

from videoplatform import storage
from videos import pipeline
from videos.models import Job, Video
from videos.publishing import Encode
from videos.tests.clips import make_clip
from videos.tests.factories import VideoFactory
from videos.tests.processes import Process, kill, start_celery

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.ffmpeg,
    pytest.mark.storage,
    pytest.mark.redis,
    pytest.mark.slow,
]

SHORT_LEASE = {"ENCODE_LEASE_S": "3"}  # so that the next worker need not wait long
DEADLINE_S = 120

StartWorker = Callable[..., Process]


@pytest.fixture
def start_worker(bucket: str, tmp_path: Path) -> Iterator[StartWorker]:
    """Start Celery workers of both queues that work on this test's database and bucket."""
    workers: list[Process] = []

    def start(**environment: str) -> Process:
        workers.append(start_celery(bucket, tmp_path, **environment))
        return workers[-1]

    yield start
    for worker in workers:
        kill(worker)


def upload(path: Path) -> Video:
    video = VideoFactory(
        status=Video.Status.PROCESSING,
        is_playable=False,
        published_at=None,
        duration_s=None,
        encoded=False,
        source_filename=path.name,
        source_size_bytes=path.stat().st_size,
    )
    storage.client().upload_file(str(path), settings.S3_BUCKET, video.source_key)
    Job.objects.create(video=video, encode_key=video.encode_key, kind="plan", lane=Job.Lane.FIRST)
    return video


def wait_until(is_true: Callable[[], bool]) -> None:
    """Sweep once a second, as beat does, until ``is_true``."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline, list(
            Job.objects.values_list("kind", "position", "status", "attempt")
        )
        pipeline.sweep()
        time.sleep(1)


def is_ready(video: Video) -> bool:
    video.refresh_from_db()
    return video.status == Video.Status.READY


def is_encoding() -> bool:
    return Job.objects.filter(kind="video", status=Job.Status.RUNNING).exclude(segments=[]).exists()


def test_a_worker_killed_in_the_middle_of_an_encode_costs_only_its_chunk(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    video = upload(make_clip("landscape", tmp_path, seconds=70, size="640x360"))
    first = start_worker(**SHORT_LEASE)
    wait_until(is_encoding)

    kill(first)
    start_worker(**SHORT_LEASE)
    wait_until(lambda: is_ready(video))

    encode = Encode.of(video)
    assert encode.duration_s == pytest.approx(70, abs=0.1)
    assert max(Job.objects.values_list("attempt", flat=True)) >= 2


def test_ffmpeg_dies_with_its_worker(start_worker: StartWorker, bucket: str, tmp_path: Path) -> None:
    upload(make_clip("landscape", tmp_path, seconds=70, size="640x360"))
    worker = start_worker()
    wait_until(is_encoding)

    assert encoders(bucket)
    kill(worker)
    deadline = time.monotonic() + 10
    while encoders(bucket) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert encoders(bucket) == []


def encoders(bucket: str) -> list[str]:
    """The processes that read a source of this test."""
    pattern = f"{settings.S3_ENDPOINT_URL}/{bucket}/"
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_three_workers_at_once_share_the_work_and_repeat_none(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    videos = [upload(make_clip(kind, tmp_path, seconds=10)) for kind in ("landscape", "no_audio", "portrait")]
    for _ in range(3):
        start_worker()

    wait_until(lambda: all(is_ready(video) for video in videos))

    assert set(Job.objects.values_list("attempt", flat=True)) == {1}
    assert len(set(Job.objects.values_list("worker", flat=True))) > 1


def test_a_look_at_a_source_that_takes_longer_than_a_lease_keeps_it(
    bucket: str, tmp_path: Path, settings: Any
) -> None:
    settings.ENCODE_LEASE_S = 1
    video = upload(make_clip("no_audio", tmp_path, seconds=3))
    looked_at = pipeline.look_at(video)

    def slowly(_video: Video) -> Any:
        time.sleep(2.5)
        assert not Job.objects.claimable().exists()
        return looked_at

    with mock.patch("videos.pipeline.look_at", side_effect=slowly):
        pipeline.work(Job.Lane.FIRST)

    assert Job.objects.get(kind="plan").status == Job.Status.DONE
