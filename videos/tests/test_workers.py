"""Real Celery workers, killed and run concurrently, on the database of the test."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import redis
from django.conf import settings

from common import disk, storage
from common.heartbeat import HEARTBEAT_KEY, HOSTS_KEY, PULSE_KEY
from videos import demand, pipeline, planning, sweeping
from videos.models import Job, Video
from videos.publishing import Encode
from videos.queue import this_host
from videos.tests.clips import make_clip
from videos.tests.factories import VideoFactory
from videos.tests.processes import Process, kill, start_celery
from videos.transcoding.tools import ffmpeg_path

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.ffmpeg,
    pytest.mark.storage,
    pytest.mark.redis,
    pytest.mark.slow,
]

SHORT_LEASE = {"ENCODE_LEASE_S": "3"}  # so that the next worker need not wait long
DEADLINE_S = 120
WORKER_ROLES = ("queue-default", "queue-encode", "worker")

StartWorker = Callable[..., Process]


@pytest.fixture
def start_worker(bucket: str, tmp_path: Path) -> Iterator[StartWorker]:
    """Yield a function that starts Celery workers of both queues on this test's database and bucket."""
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
        sweeping.sweep()
        time.sleep(1)


def is_ready(video: Video) -> bool:
    video.refresh_from_db()
    return video.status == Video.Status.READY


def is_on_first_segment() -> bool:
    return Job.objects.filter(kind="video", position=0, status=Job.Status.RUNNING).exists()


def is_on_bulk() -> bool:
    bulk = Job.objects.filter(kind="video", lane=Job.Lane.BULK, status=Job.Status.RUNNING)
    return bulk.exclude(run__segments=[]).exists()


# All workers of a test have one preset: chunks of different encoders do not fit together.
@pytest.mark.parametrize(
    ("is_there", "preset", "seconds"),
    [(is_on_first_segment, "medium", 12), (is_on_bulk, "ultrafast", 40)],
    ids=["first segment", "bulk"],
)
def test_encode_of_a_killed_worker_is_completed_by_the_next(
    is_there: Callable[[], bool], preset: str, seconds: int, start_worker: StartWorker, clips: Path
) -> None:
    video = upload(make_clip("landscape", clips, seconds=seconds, size="854x480"))
    first = start_worker(**SHORT_LEASE, ENCODE_PRESET=preset)
    sweeping.sweep()
    until(is_there, every_s=0.02)

    kill(first)
    assert not is_ready(video)
    start_worker(**SHORT_LEASE, ENCODE_PRESET=preset)
    wait_until(lambda: is_ready(video))

    encode = Encode.of(video)
    assert encode.duration_s == pytest.approx(seconds, abs=0.1)
    assert max(Job.objects.values_list("attempt", flat=True)) >= 2


def is_copying() -> bool:
    running = Job.objects.filter(kind="video", position__gt=0, status=Job.Status.RUNNING)
    return running.exclude(run__segments=[]).exists()


def test_copy_of_a_killed_worker_goes_on_behind_its_stored_chunks(
    start_worker: StartWorker, clips: Path, tmp_path: Path
) -> None:
    path = tmp_path / "half an hour.mp4"
    short = make_clip("copiable", clips, seconds=10)
    again = (ffmpeg_path(), "-v", "error", "-stream_loop", "179", "-i", str(short), "-c", "copy", str(path))
    subprocess.run(again, check=True)
    video = upload(path)
    first = start_worker(**SHORT_LEASE)
    sweeping.sweep()
    until(is_copying, every_s=0.02)

    kill(first)
    assert not is_ready(video)
    start_worker(**SHORT_LEASE)
    wait_until(lambda: is_ready(video))

    encode = Encode.of(video)
    runs = encode.runs_of(encode.rungs[0])
    assert [rung.name for rung in encode.rungs] == ["source"]
    assert sum(run.duration_s for run in runs) == pytest.approx(encode.plans["video"].end_s)
    assert {1, 2} <= {run.attempt for run in runs}


def test_chunk_that_is_divided_while_its_worker_dies_is_completed(
    start_worker: StartWorker, clips: Path
) -> None:
    video = upload(make_clip("landscape", clips, seconds=70, size="854x480"))
    first = start_worker(**SHORT_LEASE)
    sweeping.sweep()
    until(is_on_bulk, every_s=0.02)
    encode = Encode.of(Video.objects.get(pk=video.pk))
    assert demand.bring_forward(encode, encode.rungs[0], 12)

    kill(first)
    start_worker(**SHORT_LEASE)
    wait_until(lambda: is_ready(video))

    encode = Encode.of(video)
    for rendition in encode.renditions:
        names = [placed.name for placed in encode.segments(rendition)]
        assert [int(Path(name).stem) for name in names] == list(range(18)), rendition.name
        assert sum(placed.duration_s for placed in encode.segments(rendition)) == pytest.approx(70, abs=0.1)


def test_ffmpeg_dies_with_its_worker(start_worker: StartWorker, clips: Path) -> None:
    upload(make_clip("landscape", clips, seconds=70, size="640x360"))
    worker = start_worker()
    wait_until(lambda: bool(encoders()))

    kill(worker)
    wait_until(lambda: not encoders())


def encoders() -> list[str]:
    """Return the ids of the processes that write into the work folder of this test."""
    found = subprocess.run(
        ["pgrep", "-f", f"{disk.work_folder()}/"], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


def test_three_workers_share_the_jobs_and_repeat_none(start_worker: StartWorker, clips: Path) -> None:
    videos = [upload(make_clip(kind, clips, seconds=10)) for kind in ("landscape", "no_audio", "portrait")]
    for _ in range(3):
        start_worker()

    wait_until(lambda: all(is_ready(video) for video in videos))
    # The jobs of the last lane begin after the videos are ready.
    wait_until(lambda: not Job.objects.exclude(status=Job.Status.DONE).exists())

    assert set(Job.objects.values_list("attempt", flat=True)) == {1}
    assert len(set(Job.objects.values_list("worker", flat=True))) > 1


def test_long_probe_keeps_its_lease(bucket: str, clips: Path, settings: Any) -> None:
    settings.ENCODE_LEASE_S = 1
    video = upload(make_clip("no_audio", clips, seconds=3))
    looked_at = planning.look_at(video)

    def slowly(_video: Video) -> Any:
        time.sleep(2.5)
        assert not Job.objects.claimable().exists()
        return looked_at

    with mock.patch("videos.planning.look_at", side_effect=slowly):
        pipeline.work(Job.Lane.FIRST)

    assert Job.objects.get(kind="plan").status == Job.Status.DONE


def test_frozen_pool_has_no_heartbeat_while_its_parent_lives(start_worker: StartWorker) -> None:
    worker = start_worker()
    until(lambda: set(shown()) == {"queue-default", "queue-encode", "worker"})

    for pid in children_of(worker.pid):
        os.kill(pid, signal.SIGSTOP)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete(
            *(HEARTBEAT_KEY.format(role=role) for role in ("queue-default", "queue-encode", "worker"))
        )
        # The parent lives: it sends the next pulse, and no child executes it.
        for queue_name in ("default", "encode"):
            client.delete(PULSE_KEY.format(queue=queue_name))
        until(lambda: client.exists(PULSE_KEY.format(queue="encode")) == 1)
        until(lambda: client.hexists(HOSTS_KEY, this_host()))

    assert shown() == []
    for pid in children_of(worker.pid):
        os.kill(pid, signal.SIGCONT)
    until(lambda: "queue-encode" in shown())


def test_stopped_worker_returns_its_job_without_a_loss(start_worker: StartWorker, clips: Path) -> None:
    upload(make_clip("landscape", clips, seconds=70, size="640x360"))
    worker = start_worker(REMAP_SIGTERM="SIGQUIT", ENCODE_PRESET="medium")
    wait_until(is_on_bulk)  # for seconds: a first segment could be done before the signal arrives
    encoded = Job.objects.filter(kind="video", lane=Job.Lane.BULK, status=Job.Status.RUNNING)[0]

    worker.terminate()
    worker.wait(timeout=DEADLINE_S)

    encoded.refresh_from_db()
    assert (encoded.status, encoded.attempt, encoded.losses) == ("waiting", 1, 0)


def shown() -> list[str]:
    """Return the roles of workers with a heartbeat."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return [role for role in WORKER_ROLES if client.exists(HEARTBEAT_KEY.format(role=role))]


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(is_true: Callable[[], object], *, every_s: float = 0.1) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(every_s)
