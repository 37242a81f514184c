"""SQLite under concurrent uploads, encodes and page views: no request and no worker meets a lock."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.tests.factories import UserFactory
from common import storage
from videos import pipeline, services
from videos.models import Job, Video
from videos.tests.clips import make_clip

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.ffmpeg,
    pytest.mark.storage,
    pytest.mark.redis,
    pytest.mark.slow,
]

MINUTE_S = 60


def repeatedly(act: Callable[[], object], until: float, errors: list[BaseException]) -> threading.Thread:
    """Call ``act`` over and over in a thread with its own connection."""

    def loop() -> None:
        try:
            while time.monotonic() < until:
                act()
        except Exception as error:  # noqa: BLE001 -- handed to the test, which raises it
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=loop)
    thread.start()
    return thread


def test_concurrent_uploads_encodes_and_views_meet_no_lock(bucket: str, clips: Path) -> None:
    clip = make_clip("landscape", clips, seconds=9)
    channel = UserFactory().channel
    body = clip.read_bytes()
    numbers = itertools.count()

    def upload() -> None:
        started = services.start_upload(
            channel=channel, title=f"Clip {next(numbers)}", filename="clip.mp4", size_bytes=len(body)
        )
        sent = storage.client().upload_part(
            Bucket=settings.S3_BUCKET,
            Key=started.video.source_key,
            UploadId=started.multipart_id,
            PartNumber=1,
            Body=body,
        )
        services.finish_upload(started, parts=[{"number": 1, "etag": sent["ETag"]}])
        time.sleep(1)

    def browse() -> None:
        # Each visit is one of another person: the rates of an address are not in question.
        client = Client(REMOTE_ADDR=f"2001:db8:{next(numbers):x}::1")
        assert client.get("/").status_code == 200
        for video in Video.objects.listed().order_by("-pk")[:2]:
            assert client.get(f"/api/v1/videos/{video.public_id}/").status_code == 200
            services.record_watching(video, position_s=10, viewer=str(next(numbers)))
        time.sleep(0.05)

    def encode() -> None:
        if not pipeline.work(Job.Lane.BULK):
            time.sleep(0.1)

    errors: list[BaseException] = []
    until = time.monotonic() + MINUTE_S
    acts = [upload, encode, encode, encode, browse, browse, browse]
    for thread in [repeatedly(act, until, errors) for act in acts]:
        thread.join(MINUTE_S + 60)

    assert errors == []
    # On a slow machine, the minute may end before any video is ready.
    while not Video.objects.filter(status="ready").exists():
        assert pipeline.work(Job.Lane.BULK)
    assert not Video.objects.filter(status="failed").exists()
    assert not Job.objects.exclude(error_code="").exists()
