"""The API of videos, as in the docs and for outside programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock
from urllib.request import Request, urlopen

import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import User
from accounts.tests.factories import UserFactory
from common import deletion, storage
from common.models import PendingDeletion
from videos import pipeline
from videos.models import Job, Upload, UploadCharge, Video
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

MIB = 1024 * 1024


def signed_in(user: User) -> APIClient:
    client = APIClient(HTTP_HOST="127.0.0.1")  # the S3 server of the tests is at this address, too
    client.force_authenticate(user)
    return client


@pytest.fixture
def alice() -> User:
    return UserFactory(username="alice")


@pytest.fixture
def api(alice: User) -> APIClient:
    return signed_in(alice)


def start(api: APIClient, size_bytes: int = 3, **fields: object) -> dict[str, Any]:
    answer = api.post(
        "/api/v1/videos/",
        {"title": "Harbour", "filename": "harbour.mp4", "size_bytes": size_bytes, **fields},
        format="json",
    )
    assert answer.status_code == 201, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def put(url: str, body: bytes) -> str:
    with urlopen(Request(url, data=body, method="PUT"), timeout=10) as answer:
        return str(answer.headers["ETag"])


@pytest.mark.storage
def test_upload_in_presigned_parts_starts_processing(
    api: APIClient, bucket: str, django_capture_on_commit_callbacks: Any
) -> None:
    created = start(api)
    [part] = created["upload"]["parts"]
    etag = put(part["url"], b"abc")

    with mock.patch("videos.queue.wake") as wake, django_capture_on_commit_callbacks(execute=True):
        answer = api.post(
            f"/api/v1/videos/{created['id']}/upload/complete/",
            {"parts": [{"number": 1, "etag": etag}]},
            format="json",
        )

    repeated = api.post(
        f"/api/v1/videos/{created['id']}/upload/complete/",
        {"parts": [{"number": 1, "etag": etag}]},
        format="json",
    )

    video = Video.objects.get()
    assert (answer.status_code, repeated.status_code) == (202, 202)
    assert (answer.json()["status"], answer.json()["is_playable"]) == ("processing", False)
    assert storage.size_of(video.source_key) == 3
    assert list(Job.objects.values_list("kind", "status")) == [("plan", "waiting")]
    wake.assert_called_once_with(Job.Lane.FIRST)


@pytest.mark.storage
def test_interrupted_upload_can_be_resumed_with_the_stored_parts(api: APIClient, bucket: str) -> None:
    created = start(api, size_bytes=9 * MIB)
    assert created["upload"]["part_count"] == 2
    put(created["upload"]["parts"][1]["url"], b"x" * MIB)

    state = api.get(f"/api/v1/videos/{created['id']}/upload/").json()
    again = api.post(f"/api/v1/videos/{created['id']}/upload/parts/", {"numbers": [1]}, format="json").json()

    assert state["part_size_bytes"] == 8 * MIB
    assert [(part["number"], part["size_bytes"]) for part in state["uploaded"]] == [(2, MIB)]
    assert [part["number"] for part in again["parts"]] == [1]


@pytest.mark.storage
def test_empty_file_fails_with_empty_file(api: APIClient, bucket: str) -> None:
    created = start(api, size_bytes=0)
    etag = put(created["upload"]["parts"][0]["url"], b"")
    parts = [{"number": 1, "etag": etag}]

    answer = api.post(f"/api/v1/videos/{created['id']}/upload/complete/", {"parts": parts}, format="json")
    while pipeline.work(Job.Lane.BULK):
        pass

    assert answer.status_code == 202
    failed = api.get(f"/api/v1/videos/{created['id']}/").json()
    assert (failed["status"], failed["failure"]["code"]) == ("failed", "empty_file")


@pytest.mark.storage
def test_completing_without_all_parts_is_refused_and_keeps_the_parts(api: APIClient, bucket: str) -> None:
    created = start(api, size_bytes=9 * MIB)
    etag = put(created["upload"]["parts"][1]["url"], b"x" * MIB)

    answer = api.post(
        f"/api/v1/videos/{created['id']}/upload/complete/",
        {"parts": [{"number": 2, "etag": etag}]},
        format="json",
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "parts_missing"
    assert Video.objects.get().status == "uploading"
    assert len(api.get(f"/api/v1/videos/{created['id']}/upload/").json()["uploaded"]) == 1


@pytest.mark.storage
def test_aborted_upload_leaves_no_video(api: APIClient, bucket: str) -> None:
    created = start(api)
    put(created["upload"]["parts"][0]["url"], b"abc")

    answer = api.delete(f"/api/v1/videos/{created['id']}/upload/")

    assert answer.status_code == 204
    assert not Video.objects.exists()
    assert not Upload.objects.exists()
    assert PendingDeletion.objects.count() == 1


@pytest.mark.storage
def test_abandoned_upload_is_cleaned_up(api: APIClient, bucket: str) -> None:
    from django.utils import timezone

    from videos.cleaning import clean_up

    created = start(api, size_bytes=9 * MIB)
    put(created["upload"]["parts"][1]["url"], b"x" * MIB)
    upload = Upload.objects.select_related("video").get()
    Upload.objects.update(expires_at=timezone.now())

    clean_up()
    deletion.delete_pending()

    assert not Video.objects.exists()
    with pytest.raises(storage.ClientError, match="NoSuchUpload"):
        storage.client().list_parts(
            Bucket=settings.S3_BUCKET, Key=upload.video.source_key, UploadId=upload.multipart_id
        )


@pytest.mark.storage
def test_browsers_may_send_parts_from_the_site_and_read_their_etags(api: APIClient, bucket: str) -> None:
    [part] = start(api)["upload"]["parts"]
    preflight = Request(
        part["url"],
        method="OPTIONS",
        headers={"Origin": "http://localhost:8000", "Access-Control-Request-Method": "PUT"},
    )

    with urlopen(preflight, timeout=5) as answer:
        allowed = answer.headers["Access-Control-Allow-Origin"]
    sent = Request(part["url"], data=b"abc", method="PUT", headers={"Origin": "http://localhost:8000"})
    with urlopen(sent, timeout=5) as answer:
        exposed = answer.headers["Access-Control-Expose-Headers"]

    assert allowed in {"*", "http://localhost:8000"}
    assert "etag" in exposed.lower()


def test_file_above_the_limit_is_refused_before_the_upload(api: APIClient, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 100

    answer = api.post(
        "/api/v1/videos/", {"title": "A", "filename": "a.mp4", "size_bytes": 101}, format="json"
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "limits_exceeded"
    assert answer.json()["errors"][0]["attr"] == "size_bytes"


@pytest.mark.storage
@pytest.mark.redis
def test_upload_above_the_daily_limit_is_refused_until_the_next_day(
    api: APIClient, alice: User, bucket: str, settings: Any
) -> None:
    settings.RATE_LIMITS = True
    settings.MAX_UPLOAD_BYTES_PER_DAY = 10
    start(api, size_bytes=6)
    more = {"title": "Harbour", "filename": "harbour.mp4", "size_bytes": 5}

    refused = api.post("/api/v1/videos/", more, format="json")
    others = signed_in(UserFactory()).post("/api/v1/videos/", more, format="json")
    UploadCharge.objects.filter(channel=alice.channel).update(created_at=timezone.now() - timedelta(hours=25))
    next_day = api.post("/api/v1/videos/", more, format="json")

    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (429, "daily_limit")
    assert int(refused.headers["Retry-After"]) > 0
    assert (others.status_code, next_day.status_code) == (201, 201)


@pytest.mark.storage
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/cron.d/evil.mp4", "evil.mp4"),
        ("C:\\temp\\CON.mp4", "CON.mp4"),
        ("a\r\nSet-Cookie: b.mp4", "a  Set-Cookie: b.mp4"),
        ("x" * 300 + ".mp4", "x" * 120 + "x" * 12 + ".mp4"),
    ],
)
def test_filename_is_cleaned_and_kept_out_of_the_key(
    given: str, kept: str, api: APIClient, bucket: str
) -> None:
    start(api, filename=given)

    video = Video.objects.get()

    assert video.source_filename == kept
    assert video.source_key == f"videos/{video.public_id}/source"


@pytest.mark.storage
def test_upload_does_not_exist_for_strangers(api: APIClient, bucket: str) -> None:
    created = start(api)
    stranger = signed_in(UserFactory())

    answers = [
        stranger.get(f"/api/v1/videos/{created['id']}/upload/").status_code,
        stranger.post(
            f"/api/v1/videos/{created['id']}/upload/parts/", {"numbers": [1]}, format="json"
        ).status_code,
        stranger.delete(f"/api/v1/videos/{created['id']}/upload/").status_code,
        stranger.get(f"/api/v1/videos/{created['id']}/").status_code,
    ]

    assert answers == [404, 404, 404, 404]


def test_video_has_all_fields_of_the_contract() -> None:
    video = VideoFactory()

    body = APIClient().get(f"/api/v1/videos/{video.public_id}/").json()

    assert set(body) >= {
        "id", "title", "description", "status", "progress_percent", "is_playable", "failure", "visibility",
        "duration_s", "width_px", "height_px", "channel", "views", "likes", "created_at", "published_at",
        "playback",
    }  # fmt: skip
    assert set(body["playback"]) >= {"hls_url", "poster_url", "storyboard_url", "captions"}
    assert body["progress_percent"] == 100


@pytest.mark.parametrize("count", [1, 3])
def test_list_query_count_is_constant(count: int, api: APIClient, django_assert_num_queries: Any) -> None:
    for _ in range(count):
        VideoFactory()

    with django_assert_num_queries(4):
        body = api.get("/api/v1/videos/").json()

    assert len(body["results"]) == count


def test_list_shows_public_playable_videos_only() -> None:
    shown = VideoFactory()
    VideoFactory(visibility="private")
    VideoFactory(visibility="unlisted")
    VideoFactory(status="failed")
    VideoFactory(status="processing", is_playable=False)

    results = APIClient().get("/api/v1/videos/").json()["results"]

    assert [video["id"] for video in results] == [shown.public_id]


def test_lists_are_filtered_and_ordered() -> None:
    short = VideoFactory(title="港口 harbour", duration_s=30, view_count=5, category="travel")
    long = VideoFactory(title="Film", duration_s=3000, view_count=9)
    client = APIClient()

    def ids(query: str) -> list[str]:
        return [video["id"] for video in client.get(f"/api/v1/videos/?{query}").json()["results"]]

    assert ids("q=港口") == [short.public_id]
    assert ids("length=long") == [long.public_id]
    assert ids("category=travel") == [short.public_id]
    assert ids(f"channel={long.channel.username.upper()}") == [long.public_id]
    assert ids("ordering=-views") == [long.public_id, short.public_id]
    assert client.get("/api/v1/videos/?ordering=title").status_code == 400


def test_pagination_by_equal_values_lists_each_video_once() -> None:
    for _ in range(5):
        VideoFactory(view_count=0)
    client = APIClient()
    url = "/api/v1/videos/?ordering=-views&page_size=2"
    seen: list[str] = []

    while url and len(seen) < 10:
        page = client.get(url).json()
        seen += [video["id"] for video in page["results"]]
        url = page["next"]

    assert len(seen) == len(set(seen)) == 5


def test_pages_follow_a_cursor() -> None:
    videos = [VideoFactory() for _ in range(3)]
    client = APIClient()

    first = client.get("/api/v1/videos/?page_size=2").json()
    second = client.get(first["next"]).json()

    assert [video["id"] for video in first["results"] + second["results"]] == [
        video.public_id for video in reversed(videos)
    ]
    assert second["next"] is None


def test_private_video_does_not_exist_for_strangers() -> None:
    video = VideoFactory(visibility="private")
    hls = f"/videos/{video.public_id}/hls/{video.encode_key}"

    for client in (APIClient(), signed_in(UserFactory())):
        assert client.get(f"/api/v1/videos/{video.public_id}/").status_code == 404
    for path in ("multivariant.m3u8", "720p.m3u8", "audio-0.m3u8"):
        assert APIClient().get(f"{hls}/{path}").status_code == 404


def test_private_video_plays_for_its_owner_by_session_and_by_token() -> None:

    video = VideoFactory(visibility="private")
    path = f"/videos/{video.public_id}/hls/{video.encode_key}/720p.m3u8"
    session = APIClient()
    session.force_login(video.channel.owner)
    _, token = tokens.create_token(user=video.channel.owner)

    assert session.get(path).status_code == 200
    assert APIClient().get(path, headers={"Authorization": f"Token {token}"}).status_code == 200
    assert APIClient().get(path, headers={"Authorization": "Token nonsense"}).status_code == 404


def test_playlists_of_a_video_made_private_are_refused_at_once() -> None:
    video = VideoFactory()
    path = f"/videos/{video.public_id}/hls/{video.encode_key}/multivariant.m3u8"
    assert APIClient().get(path).status_code == 200

    signed_in(video.channel.owner).patch(
        f"/api/v1/videos/{video.public_id}/", {"visibility": "private"}, format="json"
    )

    assert APIClient().get(path).status_code == 404


def test_only_the_owner_changes_a_video() -> None:
    video = VideoFactory(title="Before")
    path = f"/api/v1/videos/{video.public_id}/"

    assert APIClient().patch(path, {"title": "After"}, format="json").status_code == 401
    assert signed_in(UserFactory()).patch(path, {"title": "After"}, format="json").status_code == 403
    answer = signed_in(video.channel.owner).patch(
        path, {"title": "After", "tags": ["#Sea", "sea"], "comments_mode": "held"}, format="json"
    )

    body = answer.json()
    assert (answer.status_code, body["title"], body["tags"]) == (200, "After", ["sea"])
    assert body["comments_mode"] == "held"


def test_only_a_failed_video_can_be_retried() -> None:
    video = VideoFactory()

    answer = signed_in(video.channel.owner).post(f"/api/v1/videos/{video.public_id}/retry/")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "cannot_retry")


def test_unchanged_playlist_is_answered_304() -> None:
    video = VideoFactory()
    path = f"/videos/{video.public_id}/hls/{video.encode_key}/multivariant.m3u8"
    first = APIClient().get(path)

    again = APIClient().get(path, headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_liking_twice_counts_once(api: APIClient) -> None:
    video = VideoFactory()
    path = f"/api/v1/videos/{video.public_id}/like/"

    codes = [api.put(path).status_code, api.put(path).status_code]
    liked = api.get(f"/api/v1/videos/{video.public_id}/").json()
    api.delete(path)
    api.delete(path)

    assert codes == [204, 204]
    assert (liked["likes"], liked["is_liked"]) == (1, True)
    assert Video.objects.get().like_count == 0


@pytest.mark.storage
def test_deleting_a_video_schedules_the_deletion_of_its_objects(bucket: str) -> None:
    video = VideoFactory()

    answer = signed_in(video.channel.owner).delete(f"/api/v1/videos/{video.public_id}/")

    assert answer.status_code == 204
    assert PendingDeletion.objects.get().path == video.prefix


def test_upload_with_too_many_parts_is_refused(api: APIClient, alice: User) -> None:
    video = VideoFactory(channel=alice.channel, status="uploading")
    parts = [{"number": 1, "etag": "a"}] * 10_001

    answer = api.post(f"/api/v1/videos/{video.public_id}/upload/complete/", {"parts": parts}, format="json")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "max_length"


def test_video_lists_its_chapters() -> None:
    described = VideoFactory(duration_s=90, description="0:00 One\n0:30 Two\n1:00 Three")
    source = {"container": "mov", "duration_s": 90, "size_bytes": 1, "video": None, "audio": []}
    found = [{"start_s": 0, "title": ""}, {"start_s": 40.5, "title": "B"}]
    declared = VideoFactory(duration_s=90, source_json={**source, "chapters": found})

    answers = [
        APIClient().get(f"/api/v1/videos/{video.public_id}/").json() for video in (described, declared)
    ]

    assert [answer["chapters"] for answer in answers] == [
        [{"start_s": 0, "title": "One"}, {"start_s": 30, "title": "Two"}, {"start_s": 60, "title": "Three"}],
        [{"start_s": 0, "title": "Chapter 1"}, {"start_s": 40.5, "title": "B"}],
    ]
