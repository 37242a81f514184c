from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError
from django.test import RequestFactory, override_settings

from common import storage

SIGNED_AT = datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("key", ["videos/abc/source", "a b/ü/视频.mp4", "odd/~'()*!&=+$,;:@.m4s"])
@override_settings(
    S3_BUCKET="media", S3_REGION="eu-central-1", S3_ACCESS_KEY_ID="AKIA/EX+1", S3_SECRET_ACCESS_KEY="secret"
)
def test_signature_equals_boto3_s(key: str) -> None:
    theirs = boto3.client(
        "s3",
        endpoint_url="http://localhost:8333",
        region_name="eu-central-1",
        aws_access_key_id="AKIA/EX+1",
        aws_secret_access_key="secret",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    with mock.patch("botocore.auth.get_current_datetime", return_value=SIGNED_AT.replace(tzinfo=None)):
        expected = theirs.generate_presigned_url(
            "get_object", Params={"Bucket": "media", "Key": key}, ExpiresIn=21_600
        )

    ours = storage.sign_get(
        key, base="http://localhost:8333", signed_at=SIGNED_AT, expires=timedelta(hours=6)
    )

    assert ours == expected


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("token", ["", "session+token/=="])
def test_signature_of_a_part_equals_boto3_s(style: Any, token: str, settings: Any) -> None:
    settings.S3_BUCKET, settings.S3_REGION, settings.S3_ADDRESSING_STYLE = "media", "eu-central-1", style
    settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = "AKIA/EX+1", "secret"
    settings.S3_SESSION_TOKEN = token
    settings.S3_PUBLIC_URL = "https://s3.example.com:8443"
    theirs = boto3.client(
        "s3",
        endpoint_url="https://s3.example.com:8443",
        region_name="eu-central-1",
        aws_access_key_id="AKIA/EX+1",
        aws_secret_access_key="secret",
        aws_session_token=token or None,
        config=Config(signature_version="s3v4", s3={"addressing_style": style}),
    )
    wanted = {"Bucket": "media", "Key": "videos/a/source", "UploadId": "id~/+=", "PartNumber": 12}
    with (
        mock.patch("botocore.auth.get_current_datetime", return_value=SIGNED_AT.replace(tzinfo=None)),
        mock.patch("common.storage.timezone.now", return_value=SIGNED_AT),
    ):
        expected = theirs.generate_presigned_url(
            "upload_part", Params={**wanted, "ContentLength": 8_388_608}, ExpiresIn=3600
        )
        ours = storage.part_url(
            "videos/a/source", "id~/+=", 12, size_bytes=8_388_608, expires=timedelta(hours=1)
        )

    assert ours.partition("?")[0] == expected.partition("?")[0]
    assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(expected).query)


def test_url_behind_a_proxy_that_changes_the_host_is_signed_as_the_storage_sees_it(settings: Any) -> None:
    settings.S3_PUBLIC_URL, settings.S3_SIGNED_URL = "https://media.example.org/s3", "http://10.0.0.7:9000"

    public = urlsplit(storage.media_url("videos/a/1.m4s"))
    settings.S3_PUBLIC_URL, settings.S3_SIGNED_URL = "http://10.0.0.7:9000", ""
    direct = urlsplit(storage.media_url("videos/a/1.m4s"))

    assert (public.netloc, public.path) == (
        "media.example.org",
        f"/s3/{settings.S3_BUCKET}/videos/a/1.m4s",
    )
    assert public.query == direct.query
    assert storage.internal_url("a").startswith(settings.S3_ENDPOINT_URL)


def test_url_is_signed_for_the_public_host(settings: Any) -> None:
    settings.S3_ENDPOINT_URL, settings.S3_PUBLIC_URL = "http://10.0.0.7:9000", "https://media.example.org"

    public = urlsplit(storage.media_url("videos/a/1.m4s"))
    settings.S3_PUBLIC_URL = ""
    direct = urlsplit(storage.media_url("videos/a/1.m4s"))

    assert (public.netloc, direct.netloc) == ("media.example.org", "10.0.0.7:9000")
    assert public.query != direct.query


def test_unset_keys_come_from_the_default_chain(settings: Any) -> None:
    settings.S3_ACCESS_KEY_ID = settings.S3_SECRET_ACCESS_KEY = ""
    role = Credentials("ASIAROLE", "secret", "of-the-role")

    with mock.patch("boto3.Session.get_credentials", return_value=role):
        url = storage.media_url("videos/a/1.m4s")
    with mock.patch("boto3.Session.get_credentials", return_value=None), pytest.raises(NoCredentialsError):
        storage.media_url("videos/a/1.m4s")

    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Credential"][0].startswith("ASIAROLE/")
    assert query["X-Amz-Security-Token"] == ["of-the-role"]


def test_client_has_short_timeouts_only_during_a_request() -> None:
    answering: Any = storage.request_origin_middleware(lambda _request: storage.client())

    web: Any = answering(RequestFactory().get("/"))
    worker: Any = storage.client()

    assert worker.meta.config.read_timeout > web.meta.config.read_timeout
    assert worker.meta.config.retries["total_max_attempts"] > web.meta.config.retries["total_max_attempts"]


def test_threads_share_one_client() -> None:
    with ThreadPoolExecutor(8) as threads:
        clients = {id(client) for client in threads.map(lambda _n: storage.client(), range(32))}

    assert len(clients) == 1


def test_url_stays_the_same_for_a_whole_window() -> None:
    with mock.patch("common.storage.timezone.now") as now:
        now.return_value = SIGNED_AT
        first = storage.media_url("avatars/a.jpg")
        now.return_value = SIGNED_AT + timedelta(minutes=59)
        same = storage.media_url("avatars/a.jpg")
        now.return_value = SIGNED_AT + timedelta(minutes=61)
        later = storage.media_url("avatars/a.jpg")

    assert first == same
    assert first != later


@pytest.mark.parametrize(
    ("duration_s", "hours"), [(None, 6), (60, 6), (4 * 3600, 8), (1000 * 3600, 7 * 24 - 1)]
)
def test_urls_live_six_hours_or_twice_the_video(duration_s: float | None, hours: int) -> None:
    assert storage.lifetime(duration_s) == timedelta(hours=hours)


@override_settings(S3_ENDPOINT_URL="http://127.0.0.1:8333", S3_PUBLIC_URL="", ALLOWED_HOSTS=["*"])
def test_embedded_server_is_reached_under_the_request_s_host() -> None:
    request = RequestFactory().get("/", headers={"host": "192.168.1.5:8000"})

    assert storage.public_origin(request) == "http://192.168.1.5:8333"


@override_settings(S3_ENDPOINT_URL="https://s3.example.com", S3_PUBLIC_URL="")
def test_configured_server_is_reached_under_its_own_name() -> None:
    assert storage.public_origin(RequestFactory().get("/")) == "https://s3.example.com"


@override_settings(S3_ENDPOINT_URL="http://10.0.0.7:9000", S3_PUBLIC_URL="https://cdn.example.com/")
def test_public_url_takes_precedence() -> None:
    assert storage.public_base() == "https://cdn.example.com"


@pytest.mark.parametrize("prefix", ["", "/", "videos/", "videos"])
def test_deleting_a_whole_tree_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="refusing"):
        storage.delete_prefix(prefix)


@pytest.mark.storage
def test_stored_object_is_readable_only_through_its_signed_url(bucket: str) -> None:
    storage.put_text("videos/x/a.m3u8", "#EXTM3U\n")
    url = storage.internal_url("videos/x/a.m3u8")

    with urlopen(url, timeout=5) as answer:
        body = answer.read()

    assert body == b"#EXTM3U\n"
    with pytest.raises(OSError, match="403"):
        urlopen(url.split("?")[0], timeout=5)
    with pytest.raises(OSError, match="403"):
        urlopen(url.replace("a.m3u8", "b.m3u8"), timeout=5)


@pytest.mark.storage
def test_deleting_a_prefix_leaves_its_neighbours(bucket: str) -> None:
    for key in ("videos/x/1.m3u8", "videos/x/y/2.m3u8", "videos/xy/3.m3u8"):
        storage.put_text(key, "#EXTM3U\n")

    deleted = storage.delete_prefix("videos/x/")

    assert deleted == 2
    assert list(storage.keys_under("videos/")) == ["videos/xy/3.m3u8"]


@pytest.mark.storage
def test_reading_beyond_the_end_is_empty(bucket: str) -> None:
    storage.put_text("videos/x/a.m3u8", "0123456789")

    assert storage.read_range("videos/x/a.m3u8", 8, 100) == b"89"
    assert storage.read_range("videos/x/a.m3u8", 100, 100) == b""
