from datetime import UTC, datetime, timedelta
from unittest import mock
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config
from django.test import RequestFactory, override_settings

from videoplatform import storage

SIGNED_AT = datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("key", ["videos/abc/source", "a b/ü/视频.mp4", "odd/~'()*!&=+$,;:@.m4s"])
@override_settings(
    S3_BUCKET="media", S3_REGION="eu-central-1", S3_ACCESS_KEY_ID="AKIA/EX+1", S3_SECRET_ACCESS_KEY="secret"
)
def test_our_signature_is_the_one_boto3_makes(key: str) -> None:
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


def test_a_url_stays_the_same_for_a_whole_window() -> None:
    with mock.patch("videoplatform.storage.timezone.now") as now:
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
def test_browsers_reach_the_embedded_server_under_the_host_they_asked_for() -> None:
    request = RequestFactory().get("/", headers={"host": "192.168.1.5:8000"})

    assert storage.public_origin(request) == "http://192.168.1.5:8333"


@override_settings(S3_ENDPOINT_URL="https://s3.example.com", S3_PUBLIC_URL="")
def test_browsers_reach_a_configured_server_under_its_own_name() -> None:
    assert storage.public_origin(RequestFactory().get("/")) == "https://s3.example.com"


@override_settings(S3_ENDPOINT_URL="http://10.0.0.7:9000", S3_PUBLIC_URL="https://cdn.example.com/")
def test_a_public_url_wins() -> None:
    assert storage.public_base() == "https://cdn.example.com"


@pytest.mark.parametrize("prefix", ["", "/", "videos/", "videos"])
def test_deleting_a_whole_tree_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="refusing"):
        storage.delete_prefix(prefix)


@pytest.mark.storage
def test_a_stored_object_is_read_through_its_signed_url_and_not_without(bucket: str) -> None:
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
