"""New versions on real Celery workers that are killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from videos import services, sweeping
from videos.models import Video
from videos.publishing import Encode
from videos.tests.clips import make_clip
from videos.tests.processes import kill
from videos.tests.test_workers import (
    SHORT_LEASE,
    StartWorker,
    is_on_bulk,
    is_ready,
    start_worker,
    until,
    upload,
    wait_until,
)

__all__ = ["start_worker"]  # a fixture
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.ffmpeg,
    pytest.mark.storage,
    pytest.mark.redis,
    pytest.mark.slow,
]


def test_reencode_of_a_killed_worker_is_completed_by_the_next(start_worker: StartWorker, clips: Path) -> None:
    video = upload(make_clip("landscape", clips, seconds=40, size="854x480"))
    first = start_worker(**SHORT_LEASE)
    wait_until(lambda: is_ready(video))
    old_key = video.encode_key
    services.reencode(video)
    sweeping.sweep()
    until(is_on_bulk, every_s=0.02)

    kill(first)
    during = Video.objects.get(edition_of=None)
    start_worker(**SHORT_LEASE)
    wait_until(lambda: not Video.objects.filter(edition_of=video).exists())

    assert (during.encode_key, during.status) == (old_key, "ready")
    video.refresh_from_db()
    assert video.encode_key != old_key
    encode = Encode.of(video)
    assert encode.is_complete
    assert encode.duration_s == pytest.approx(40, abs=0.1)
    assert video.retired_encodes.count() == 1
