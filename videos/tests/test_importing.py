"""Imports by address, from a real web server into real storage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from time import sleep
from typing import Any
from unittest import mock

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.tests.factories import UserFactory
from common import deletion, storage
from common.buckets import Rate
from common.rates import RATES
from common.tests.servers import POLL_S
from videos import ends, import_extras, importing, pipeline, queue, services
from videos.models import Job, UploadCharge, Video
from videos.publishing import LeaseLost
from videos.services.errors import BadUrl, EnoughForToday, StorageFull, TooManyImports
from videos.tests.clips import make_clip
from videos.transcoding.errors import FetchFailed, FetchRefused, LimitsExceeded, NoRoomToStore

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


class FileServer(ThreadingHTTPServer):
    """A web server with one body for every address."""

    body = b""
    status = 200
    pause_s = 0.0  # after each byte
    is_announced = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/films/My%20film.mp4?key=1"


class FileHandler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        if self.server.is_announced:
            self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        if not self.server.pause_s:
            self.wfile.write(self.server.body)
            return
        for byte in self.server.body:
            self.wfile.write(bytes([byte]))
            sleep(self.server.pause_s)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def server(settings: Settings, bucket: str) -> Iterator[FileServer]:
    settings.IMPORT_NETWORKS = [ip_network("127.0.0.0/8")]
    server = FileServer(("127.0.0.1", 0), FileHandler)
    threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def claimed(url: str) -> Job:
    """Return the claimed job of a new import."""
    owner: User = UserFactory()
    services.import_video(channel=owner.channel, url=url)
    job = queue.claim([Job.Lane.BULK])
    assert job is not None
    return job


def unfinished_uploads() -> list[Any]:
    return storage.client().list_multipart_uploads(Bucket=django_settings.S3_BUCKET).get("Uploads", [])


@pytest.mark.ffmpeg
@pytest.mark.slow
def test_imported_file_becomes_a_ready_private_video(server: FileServer, clips: Path) -> None:
    server.body = make_clip("landscape", clips, seconds=9).read_bytes()
    owner: User = UserFactory()
    video = services.import_video(channel=owner.channel, url=server.url)

    while pipeline.work(Job.Lane.BULK):
        pass

    video.refresh_from_db()
    assert (video.status, video.visibility, video.title) == ("ready", "private", "My film")
    assert (video.import_url, video.source_size_bytes) == ("", len(server.body))
    assert storage.size_of(video.source_key) == len(server.body)
    assert UploadCharge.objects.get(channel=owner.channel).size_bytes == len(server.body)
    assert unfinished_uploads() == []


def test_private_address_is_refused_for_good(server: FileServer, settings: Settings) -> None:
    settings.IMPORT_NETWORKS = []
    job = claimed(server.url)

    with pytest.raises(FetchRefused):
        importing.fetch_source(job)


@pytest.mark.parametrize(("status", "error"), [(404, FetchRefused), (503, FetchFailed)])
def test_answer_of_the_server_decides_about_another_attempt(
    server: FileServer, status: int, error: type[Exception]
) -> None:
    server.status = status

    with pytest.raises(error):
        importing.fetch_source(claimed(server.url))


def test_file_above_the_limit_is_refused_and_leaves_nothing(server: FileServer, settings: Settings) -> None:
    server.body, settings.MAX_UPLOAD_BYTES = b"x" * 2000, 1000
    job = claimed(server.url)

    with pytest.raises(LimitsExceeded):
        importing.fetch_source(job)

    assert list(storage.keys_under(job.video.prefix)) == []
    assert unfinished_uploads() == []


# In a transaction of the test, the thread that renews the lease would wait for the lock of SQLite.
@pytest.mark.django_db(transaction=True)
def test_cancelled_import_leaves_nothing(server: FileServer, settings: Settings) -> None:
    settings.ENCODE_LEASE_S = 0
    server.body = b"x" * 1_000_000
    job = claimed(server.url)
    services.cancel_encode(job.video)

    with pytest.raises(LeaseLost):
        importing.fetch_source(job)

    assert list(storage.keys_under(job.video.prefix)) == []
    assert unfinished_uploads() == []


@pytest.mark.parametrize("error", [LeaseLost(), RuntimeError("a caption file")])
def test_import_that_ends_behind_its_stored_file_leaves_nothing(server: FileServer, error: Exception) -> None:
    job = claimed(server.url)

    with (
        mock.patch.object(import_extras, "bring", side_effect=error),
        pytest.raises(type(error)),
    ):
        importing.fetch_source(job)
    deletion.delete_pending()

    assert list(storage.keys_under(job.video.prefix)) == []


def test_deletion_of_a_cancelled_import_spares_the_file_of_its_retry(server: FileServer) -> None:
    server.body = b"x" * 1000
    video = (first := claimed(server.url)).video
    with mock.patch.object(ends, "finish_row", side_effect=LeaseLost), pytest.raises(LeaseLost):
        importing.fetch_source(first)
    services.cancel_encode(video)
    video.refresh_from_db()
    services.retry_video(video)
    second = queue.claim([Job.Lane.BULK])
    assert second is not None

    importing.fetch_source(second)
    deletion.delete_pending()

    video.refresh_from_db()
    assert list(storage.keys_under(video.prefix)) == [video.source_key]


def test_lease_is_renewed_while_bytes_trickle(
    server: FileServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.body, server.pause_s = b"x" * 20, 0.1
    job = claimed(server.url)
    settings.ENCODE_LEASE_S = 1
    renewed: list[int] = []

    def renew(held: Job) -> bool:
        renewed.append(held.pk)
        return True

    monkeypatch.setattr(Job, "renew_lease", renew)

    importing.fetch_source(job)

    assert len(renewed) > 1


def test_failed_import_is_named_and_can_be_retried(server: FileServer, client: Client) -> None:
    server.status = 404
    owner: User = UserFactory()
    video = services.import_video(channel=owner.channel, url=server.url)
    pipeline.work(Job.Lane.BULK)
    video.refresh_from_db()
    failed = (video.status, video.failure_code, video.can_retry)
    server.status, server.body = 200, b"not media"

    services.retry_video(video)
    Job.objects.update(not_before=timezone.now())
    pipeline.work(Job.Lane.BULK)

    video.refresh_from_db()
    assert failed == ("failed", "import_failed", True)
    assert (video.import_url, video.source_size_bytes) == ("", 9)


def test_form_of_an_address_is_checked_before_anything_is_queued() -> None:
    owner: User = UserFactory()

    for url in ("ftp://example.org/a", "http://me:word@example.org/", "file:///etc/passwd", "x"):
        with pytest.raises(BadUrl):
            services.import_video(channel=owner.channel, url=url)

    assert not Video.objects.exists()


def test_unfinished_imports_of_a_person_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MAX_IMPORTS", 1)
    owner: User = UserFactory()
    services.import_video(channel=owner.channel, url="https://example.org/a.mp4")

    with pytest.raises(TooManyImports):
        services.import_video(channel=owner.channel, url="https://example.org/b.mp4")


def test_retry_of_an_import_counts_as_an_unfinished_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MAX_IMPORTS", 1)
    owner: User = UserFactory()
    first = services.import_video(channel=owner.channel, url="https://example.org/a.mp4")
    services.cancel_encode(first)
    services.import_video(channel=owner.channel, url="https://example.org/b.mp4")
    first.refresh_from_db()

    with pytest.raises(TooManyImports):
        services.retry_video(first)


def test_import_is_refused_on_a_full_disk_and_after_the_daily_limit(settings: Settings) -> None:
    owner: User = UserFactory()
    settings.S3_DATA_DIR, settings.UPLOAD_MIN_FREE_BYTES = "/", 1000
    with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=1000)), pytest.raises(StorageFull):
        services.import_video(channel=owner.channel, url="https://example.org/a.mp4")

    settings.S3_DATA_DIR, settings.RATE_LIMITS, settings.MAX_UPLOAD_BYTES_PER_DAY = "", True, 1000
    UploadCharge.objects.create(channel=owner.channel, size_bytes=1000)
    with pytest.raises(EnoughForToday):
        services.import_video(channel=owner.channel, url="https://example.org/a.mp4")


@pytest.mark.parametrize("is_announced", [True, False])
@pytest.mark.parametrize("limit", ["disk", "day", "kept"])
def test_file_without_room_is_refused_and_leaves_nothing(
    server: FileServer, settings: Settings, limit: str, is_announced: bool
) -> None:
    server.body, server.is_announced = b"x" * 2000, is_announced
    job = claimed(server.url)
    settings.S3_DATA_DIR, settings.UPLOAD_MIN_FREE_BYTES = "/" if limit == "disk" else "", 1000
    if limit == "day":
        settings.RATE_LIMITS, settings.MAX_UPLOAD_BYTES_PER_DAY = True, 1999
    if limit == "kept":
        settings.MAX_BYTES_KEPT_PER_PERSON = 1999

    with (
        mock.patch("shutil.disk_usage", return_value=mock.Mock(free=2999)),
        pytest.raises(NoRoomToStore) as refused,
    ):
        importing.fetch_source(job)

    assert refused.value.parameters == {"limit": limit}
    assert list(storage.keys_under(job.video.prefix)) == []
    assert unfinished_uploads() == []
    assert not UploadCharge.objects.exists()


@pytest.mark.redis
def test_page_takes_the_rate_of_uploads(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMITS = True
    monkeypatch.setitem(RATES, "upload", Rate(1, 86_400))
    client.force_login(UserFactory())

    answers = [
        client.post("/upload/import/", {"url": "https://example.org/a.mp4"}).status_code for _ in range(2)
    ]

    assert answers == [302, 422]
    assert Video.objects.count() == 1


def test_owner_imports_on_the_page_and_by_the_api(client: Client) -> None:
    client.force_login(UserFactory())

    page = client.post("/upload/import/", {"url": " https://example.org/films/a.mp4 "})
    refused = client.post("/upload/import/", {"url": "nowhere"})
    api = client.post("/api/v1/videos/import/", {"url": "https://example.org/b.mp4", "title": "B"})
    wrong = client.post("/api/v1/videos/import/", {"url": "ftp://example.org/b.mp4"})

    assert (page.status_code, refused.status_code, api.status_code, wrong.status_code) == (302, 422, 202, 400)
    assert wrong.json()["errors"][0]["attr"] == "url"
    assert "example.org" not in str(api.json()), "the address may hold a key"
    assert {video.title for video in Video.objects.all()} == {"a", "B"}
