"""Uploads: limits, parts in storage, and recovery of half-done uploads."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections import namedtuple
from datetime import timedelta
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import EndpointConnectionError
from django.conf import settings as site
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Channel, User
from accounts.tests.factories import UserFactory
from common import deletion, storage
from videos import cleaning, services
from videos.models import Job, SegmentRun, Upload, UploadCharge, Video
from videos.services.errors import (
    NoRoomLeft,
    NotUploading,
    PartsMissing,
    StorageFull,
    StorageUnavailable,
    WrongSize,
)
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

MIB = 1024**2
Usage = namedtuple("Usage", "total used free")
AWAY = EndpointConnectionError(endpoint_url="http://s3")


@pytest.fixture
def channel() -> Channel:
    user: User = UserFactory()
    return user.channel


def begin(channel: Channel, size_bytes: int = 3, filename: str = "a.mp4") -> Upload:
    return services.start_upload(channel=channel, title="A", filename=filename, size_bytes=size_bytes)


def send(upload: Upload, number: int, body: bytes) -> dict[str, Any]:
    """Store a part with the site's own keys, with any length."""
    sent = storage.client().upload_part(
        Bucket=site.S3_BUCKET,
        Key=upload.video.source_key,
        UploadId=upload.multipart_id,
        PartNumber=number,
        Body=body,
    )
    return {"number": number, "etag": sent["ETag"]}


def put(url: str, body: bytes, **headers: str) -> int:
    """PUT any body to a presigned URL, as a misbehaving client would; return the status."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("PUT", f"{parts.path}?{parts.query}", body=body, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def url_of(upload: Upload, number: int = 1) -> str:
    [part] = services.presign_parts(upload, [number])
    return str(part["url"])


@pytest.mark.storage
@pytest.mark.parametrize("sent", [b"", b"ab", b"abcd", b"x" * MIB])
def test_part_with_a_wrong_length_is_not_stored(sent: bytes, bucket: str, channel: Channel) -> None:
    upload = begin(channel, size_bytes=3)

    assert put(url_of(upload), sent) == 403
    assert services.uploaded_parts(upload) == []


@pytest.mark.storage
def test_part_without_a_length_is_not_stored(bucket: str, channel: Channel) -> None:
    upload = begin(channel, size_bytes=3)
    parts = urlsplit(url_of(upload))
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)

    connection.request(
        "PUT", f"{parts.path}?{parts.query}", body=iter([b"abcd"]), headers={}, encode_chunked=True
    )
    status = connection.getresponse().status
    connection.close()

    assert status in {403, 411}
    assert services.uploaded_parts(upload) == []


@pytest.mark.storage
def test_parts_with_the_declared_lengths_are_stored(bucket: str, channel: Channel) -> None:
    upload = begin(channel, size_bytes=8 * MIB + 5)

    statuses = [put(url_of(upload, 1), b"x" * 8 * MIB), put(url_of(upload, 2), b"x" * 5)]
    swapped = [put(url_of(upload, 2), b"x" * 8 * MIB), put(url_of(upload, 1), b"x" * 5)]

    assert (statuses, swapped) == ([200, 200], [403, 403])
    assert [part.size_bytes for part in services.uploaded_parts(upload)] == [8 * MIB, 5]


@pytest.mark.storage
def test_part_with_an_md5_is_stored_only_if_it_matches(bucket: str, channel: Channel) -> None:
    upload = begin(channel, size_bytes=3)
    md5 = base64.b64encode(hashlib.md5(b"abc", usedforsecurity=False).digest()).decode()
    address = f"/api/v1/videos/{upload.video.public_id}/upload/parts/"
    asked = {"numbers": [1], "md5s": [md5]}

    [part] = api_of(channel.owner).post(address, asked, format="json").json()["parts"]
    uneven = api_of(channel.owner).post(address, {**asked, "numbers": [1, 1]}, format="json")
    without = put(part["url"], b"abc")
    damaged = put(part["url"], b"abd", **{"Content-MD5": md5})
    stored = services.uploaded_parts(upload)
    whole = put(part["url"], b"abc", **{"Content-MD5": md5})

    assert (without, damaged, stored, whole) == (403, 400, [], 200)
    assert (uneven.status_code, uneven.json()["errors"][0]["attr"]) == (400, "md5s")


@pytest.mark.storage
def test_upload_with_a_wrong_size_is_refused_and_deleted(bucket: str, channel: Channel) -> None:
    upload = begin(channel, size_bytes=3)
    part = send(upload, 1, b"x" * 40)

    with pytest.raises(WrongSize):
        services.finish_upload(upload, parts=[part])
    deletion.delete_pending()

    assert not Video.objects.exists()
    assert "Uploads" not in storage.client().list_multipart_uploads(Bucket=bucket)


@pytest.mark.storage
def test_thousand_part_urls_are_signed_without_storage_requests(bucket: str, channel: Channel) -> None:
    upload = begin(channel, size_bytes=1000 * 8 * MIB)

    with mock.patch("common.storage.client", side_effect=AssertionError):
        parts = services.presign_parts(upload, range(1, 1001))

    assert len({part["url"] for part in parts}) == 1000


def charged(channel: Channel) -> list[int]:
    return [*UploadCharge.objects.filter(channel=channel).order_by("pk").values_list("size_bytes", flat=True)]


@pytest.mark.storage
def test_deleting_a_video_does_not_refund_the_daily_limit(
    bucket: str, channel: Channel, settings: Any
) -> None:
    upload = begin(channel)
    video = services.finish_upload(upload, parts=[send(upload, 1, b"abc")])

    services.delete_video(video)

    assert charged(channel) == [3]


@pytest.mark.storage
def test_aborted_upload_is_charged_for_the_bytes_sent(bucket: str, channel: Channel) -> None:
    for sent in (b"", b"x" * 5):
        upload = begin(channel, size_bytes=8 * MIB + 5)
        if sent:
            send(upload, 2, sent)
        services.abort_upload(upload)

    assert charged(channel) == [0, 5]


@pytest.mark.storage
def test_upload_refused_by_storage_is_not_charged(bucket: str, channel: Channel) -> None:
    with (
        mock.patch.object(storage.client(), "create_multipart_upload", side_effect=AWAY),
        pytest.raises(StorageUnavailable),
    ):
        begin(channel)

    assert charged(channel) == [0]
    assert not Video.objects.exists()


def test_old_charges_are_deleted(channel: Channel) -> None:
    UploadCharge.objects.create(channel=channel, size_bytes=1)
    UploadCharge.objects.update(created_at=timezone.now() - timedelta(days=3))
    UploadCharge.objects.create(channel=channel, size_bytes=2)

    cleaning.clean_up()

    assert charged(channel) == [2]


@pytest.mark.storage
def test_upload_above_the_kept_bytes_limit_is_refused(bucket: str, channel: Channel, settings: Any) -> None:
    settings.MAX_BYTES_KEPT_PER_PERSON = 10 * 1024
    video = VideoFactory(channel=channel, source_size_bytes=4 * 1024)
    SegmentRun.objects.filter(video=video, kind="audio").update(bytes_stored=5 * 1024)

    begin(channel, size_bytes=1024)
    begin(UserFactory().channel, size_bytes=2048)
    with pytest.raises(NoRoomLeft, match=r"10.KB of 10.KB.*1.KB"):
        begin(channel, size_bytes=1024)
    services.delete_video(video)
    begin(channel, size_bytes=1024)


@pytest.mark.storage
def test_upload_to_a_full_disk_is_refused(bucket: str, channel: Channel, settings: Any) -> None:
    settings.S3_DATA_DIR, settings.UPLOAD_MIN_FREE_BYTES = "/", 1000
    with mock.patch("shutil.disk_usage", return_value=Usage(5000, 3900, 1100)):
        upload = begin(channel, size_bytes=60)
        begin(channel, size_bytes=100)  # declared uploads do not count against the disk
        with pytest.raises(StorageFull):
            begin(channel, size_bytes=101)
    with mock.patch("shutil.disk_usage", return_value=Usage(5000, 3950, 1050)), pytest.raises(StorageFull):
        url_of(upload)


@pytest.mark.storage
def test_expiry_of_an_upload_is_capped_at_seven_days(bucket: str, channel: Channel) -> None:
    upload = begin(channel)
    Upload.objects.update(created_at=timezone.now() - timedelta(days=6, hours=23))
    upload.refresh_from_db()

    services.keep_open(upload)

    assert timedelta() < upload.expires_at - timezone.now() <= timedelta(hours=1)


@pytest.mark.storage
def test_uncompletable_upload_is_deleted_after_a_month(bucket: str, channel: Channel) -> None:
    begin(channel)
    long_ago = timezone.now() - timedelta(days=31)
    Upload.objects.update(created_at=long_ago, completing_at=timezone.now())

    cleaning.clean_up()

    assert not Video.objects.exists()


def api_of(user: User) -> APIClient:
    client = APIClient(raise_request_exception=False, HTTP_HOST="127.0.0.1")
    client.force_authenticate(user)
    return client


@pytest.mark.storage
def test_api_answers_503_with_retry_after_while_storage_is_down(
    bucket: str, channel: Channel, settings: Any
) -> None:
    upload = begin(channel)
    part = send(upload, 1, b"abc")
    address = f"/api/v1/videos/{upload.video.public_id}/upload/"
    api = api_of(channel.owner)
    complete = {"parts": [part]}
    there = settings.S3_ENDPOINT_URL
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:9"

    answers = [
        api.post("/api/v1/videos/", {"title": "B", "filename": "b.mp4", "size_bytes": 3}, format="json"),
        api.get(address),
        api.post(f"{address}complete/", complete, format="json"),
    ]
    signed = api.post(f"{address}parts/", {"numbers": [1]}, format="json")
    settings.S3_ENDPOINT_URL = there
    later = api.post(f"{address}complete/", complete, format="json")

    for answer in answers:
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "storage_failed")
        assert int(answer.headers["Retry-After"]) > 0
    assert (signed.status_code, later.status_code) == (200, 202)


@pytest.mark.storage
def test_upload_can_be_aborted_while_storage_is_down(bucket: str, channel: Channel, settings: Any) -> None:
    upload = begin(channel)
    send(upload, 1, b"abc")
    there = settings.S3_ENDPOINT_URL
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:9"
    answer = api_of(channel.owner).delete(f"/api/v1/videos/{upload.video.public_id}/upload/")
    settings.S3_ENDPOINT_URL = there

    deletion.delete_pending()

    assert answer.status_code == 204
    assert "Uploads" not in storage.client().list_multipart_uploads(Bucket=bucket)
    assert charged(channel) == [3]


@pytest.mark.storage
def test_upload_without_a_multipart_id_is_cleaned_up(bucket: str, channel: Channel) -> None:
    upload = begin(channel)
    # S3 opened the upload, and SQL never learnt its id.
    Upload.objects.update(multipart_id="", expires_at=timezone.now())

    cleaning.clean_up()
    deletion.delete_pending()

    assert not Video.objects.exists()
    assert "Uploads" not in storage.client().list_multipart_uploads(Bucket=bucket)
    with pytest.raises(NotUploading):
        services.presign_parts(Upload(video=upload.video), [1])


def killed_after_joining(channel: Channel) -> tuple[Upload, dict[str, Any]]:
    """Return an upload and its part; storage has joined the parts, SQL does not know it."""
    upload = begin(channel)
    part = send(upload, 1, b"abc")
    with (
        mock.patch("videos.services.uploads._queue_plan", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        services.finish_upload(upload, parts=[part])
    return Upload.objects.select_related("video__channel").get(), part


@pytest.mark.storage
def test_completing_again_after_a_kill_uses_the_joined_object(bucket: str, channel: Channel) -> None:
    upload, part = killed_after_joining(channel)

    video = services.finish_upload(upload, parts=[part])

    assert video.status == Video.Status.PROCESSING
    assert Job.objects.filter(video=video).count() == 1
    assert not Upload.objects.exists()


def let_time_pass() -> None:
    Upload.objects.update(completing_at=timezone.now() - timedelta(hours=1), expires_at=timezone.now())


@pytest.mark.storage
def test_sweep_completes_an_upload_killed_after_joining(bucket: str, channel: Channel) -> None:
    killed_after_joining(channel)
    let_time_pass()

    cleaning.clean_up()  # the upload is complete in storage, so its age does not matter
    services.finish_interrupted_uploads()

    assert Video.objects.get().status == Video.Status.PROCESSING


@pytest.mark.storage
def test_sweep_completes_an_upload_killed_before_joining(bucket: str, channel: Channel) -> None:
    send(begin(channel), 1, b"abc")
    let_time_pass()

    services.finish_interrupted_uploads()

    video = Video.objects.get()
    assert video.status == Video.Status.PROCESSING
    assert storage.size_of(video.source_key) == 3


@pytest.mark.storage
def test_sweep_skips_an_upload_that_is_being_joined(bucket: str, channel: Channel) -> None:
    send(begin(channel), 1, b"abc")
    Upload.objects.update(completing_at=timezone.now())

    services.finish_interrupted_uploads()

    assert Video.objects.get().status == Video.Status.UPLOADING


@pytest.mark.storage
def test_sweep_completes_uploads_behind_incompletable_ones(bucket: str, channel: Channel) -> None:
    without_parts, too_large, unknown, good = (begin(channel) for _ in range(4))
    send(too_large, 1, b"x" * 40)
    send(good, 1, b"abc")
    storage.abort_multipart(unknown.video.source_key, unknown.multipart_id)
    let_time_pass()

    services.finish_interrupted_uploads()

    statuses = dict(Video.objects.values_list("pk", "status"))
    assert statuses == {
        without_parts.video.pk: Video.Status.UPLOADING,
        unknown.video.pk: Video.Status.UPLOADING,
        good.video.pk: Video.Status.PROCESSING,
    }
    assert not Upload.objects.exclude(completing_at=None).exists()


@pytest.mark.storage
def test_interrupted_upload_waits_while_storage_is_down(bucket: str, channel: Channel, settings: Any) -> None:
    send(begin(channel), 1, b"abc")
    let_time_pass()
    there = settings.S3_ENDPOINT_URL
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:9"
    services.finish_interrupted_uploads()
    away = Video.objects.get().status
    settings.S3_ENDPOINT_URL = there
    Upload.objects.update(completing_at=timezone.now() - timedelta(hours=1))

    services.finish_interrupted_uploads()

    assert (away, Video.objects.get().status) == (Video.Status.UPLOADING, Video.Status.PROCESSING)


@pytest.mark.storage
def test_wrong_etag_keeps_the_upload_open(bucket: str, channel: Channel) -> None:
    upload = begin(channel)
    part = send(upload, 1, b"abc")

    with pytest.raises(PartsMissing):
        services.finish_upload(upload, parts=[{**part, "etag": "0" * 32}])

    assert services.finish_upload(upload, parts=[part]).status == Video.Status.PROCESSING


@pytest.mark.storage
@pytest.mark.parametrize(
    "name",
    ["90%done.mp4", "shot%03d.mp4", "%d.mp4", "a\x00b.mp4", "half \ud83d letter.mp4", "x" * 149 + "😀 a.mp4"],
    ids=ascii,
)
def test_unusual_filename_is_accepted_and_stays_out_of_the_key(
    name: str, bucket: str, channel: Channel
) -> None:
    # json.dumps escapes lone surrogates, as browsers do.
    asked = json.dumps({"title": "A", "filename": name, "size_bytes": 3})

    answer = api_of(channel.owner).post("/api/v1/videos/", asked, content_type="application/json")

    assert answer.status_code == 201, answer.json()
    assert Video.objects.get().source_key == f"videos/{answer.json()['id']}/source"
