"""Leases that are renewed in a thread, and the programs that end with them."""

from __future__ import annotations

import threading
import time

import pytest
from pytest_django.fixtures import Settings

from videos import services
from videos.leases import lease_kept
from videos.models import Job
from videos.publishing import LeaseLost
from videos.tests.factories import VideoFactory
from videos.transcoding.errors import EncodeFailed
from videos.transcoding.processes import run_short
from videos.transcoding.tools import ffmpeg_path

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]

ENDLESS = ["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=16x16:rate=1", "-f", "null", "-"]


@pytest.fixture
def job(settings: Settings) -> Job:
    settings.ENCODE_LEASE_S = 1
    video = VideoFactory()
    made: Job = Job.objects.create(video=video, encode_key=video.encode_key, kind="mp4")
    assert Job.objects.take(made, "host:1")
    return made


@pytest.mark.ffmpeg
def test_canceled_job_ends_its_program(job: Job) -> None:
    ended = []

    def work() -> None:
        with lease_kept(job):
            services.cancel_job(job)
            ended.append(run_short([ffmpeg_path(), *ENDLESS], timeout_s=60).exit_code)
            # The next one ends at once.
            ended.append(run_short([ffmpeg_path(), *ENDLESS], timeout_s=60).exit_code)
            raise EncodeFailed("FFmpeg was killed")

    began = time.monotonic()
    with pytest.raises(LeaseLost):
        work()

    assert all(code != 0 for code in ended)
    assert len(ended) == 2
    assert time.monotonic() - began < 30


def test_lost_lease_is_reported_at_the_end_of_the_block(job: Job) -> None:
    def work() -> None:
        with lease_kept(job):
            services.cancel_job(job)
            # The thread that renews the lease ends once it has found it lost.
            (renewing,) = (thread for thread in threading.enumerate() if thread.name == "lease")
            renewing.join(60)

    with pytest.raises(LeaseLost):
        work()


@pytest.mark.ffmpeg
def test_program_of_a_held_lease_runs_to_its_end_and_its_error_stands(job: Job) -> None:
    def work() -> None:
        with lease_kept(job):
            assert run_short([ffmpeg_path(), "-version"], timeout_s=60).exit_code == 0
            deadline = time.monotonic() + 60
            while Job.objects.get(pk=job.pk).lease_until == job.lease_until:
                assert time.monotonic() < deadline, "not renewed"
                time.sleep(0.05)
            raise EncodeFailed("bad media")

    with pytest.raises(EncodeFailed):
        work()

    assert Job.objects.held(job).exists()
