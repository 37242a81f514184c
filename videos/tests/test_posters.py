"""Posters that owners choose or upload, by the API and in the studio, with real S3."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import UserFactory
from common import storage
from common.models import PendingDeletion
from videos.models import Video
from videos.services import recordings
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


@pytest.fixture
def owner() -> User:
    return UserFactory()


@pytest.fixture
def video(bucket: str, owner: User) -> Video:
    """Return a video with two stills to choose from."""
    video = VideoFactory(channel=owner.channel, poster_times_s=[1.0, 65.0])
    video.storyboard_key = f"{video.encode_prefix}storyboard-1/index.vtt"
    video.save(update_fields=["storyboard_key"])
    for number, (key, _) in enumerate(video.poster_choices):
        storage.put_bytes(key, f"still {number}".encode())
    return video


@pytest.fixture
def api(owner: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(owner)
    return client


def picture(size: tuple[int, int] = (1600, 1000), kind: str = "JPEG", **options: Any) -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", size, "#3366cc").save(out, kind, **options)
    return SimpleUploadedFile(f"a.{kind.lower()}", out.getvalue())


def stored(key: str) -> bytes:
    return storage.client().get_object(Bucket=settings.S3_BUCKET, Key=key)["Body"].read()


def test_owner_sees_the_offered_stills(api: APIClient, video: Video) -> None:
    answer = api.get(f"/api/v1/videos/{video.public_id}/poster/").json()

    assert [(one["number"], one["at_s"], one["is_chosen"]) for one in answer["choices"]] == [
        (0, 1.0, False),
        (1, 65.0, False),
    ]
    assert "storyboard-1/poster-1.jpg?" in answer["choices"][1]["url"]


def test_chosen_still_becomes_the_poster_and_outlives_its_storyboard(api: APIClient, video: Video) -> None:
    answer = api.patch(f"/api/v1/videos/{video.public_id}/poster/", {"choice": 1}, format="json")

    video.refresh_from_db()
    assert answer.status_code == 200
    assert [one["is_chosen"] for one in answer.json()["choices"]] == [False, True]
    assert video.has_own_poster
    assert stored(video.poster_key) == b"still 1"
    assert answer.json()["poster_url"].split("?")[0].endswith(video.poster_key)


@pytest.mark.parametrize("number", [2, 50])
def test_still_that_is_not_offered_is_refused(number: int, api: APIClient, video: Video) -> None:
    answer = api.patch(f"/api/v1/videos/{video.public_id}/poster/", {"choice": number}, format="json")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "no_such_choice")


def test_uploaded_picture_is_encoded_anew_without_its_metadata(api: APIClient, video: Video) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "a secret place"

    address = f"/api/v1/videos/{video.public_id}/poster/"
    answer = api.post(address, {"file": picture(exif=exif)}, format="multipart")

    video.refresh_from_db()
    data = stored(video.poster_key)
    image = Image.open(io.BytesIO(data))
    assert answer.status_code == 200
    assert (image.format, image.size) == ("JPEG", (800, 1280))
    assert not image.getexif()
    assert b"secret" not in data


def test_small_picture_is_not_enlarged(api: APIClient, video: Video) -> None:
    address = f"/api/v1/videos/{video.public_id}/poster/"
    api.post(address, {"file": picture((320, 180), "PNG")}, format="multipart")

    video.refresh_from_db()
    assert Image.open(io.BytesIO(stored(video.poster_key))).size == (320, 180)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "invalid_image"),
        (b"x" * (5 * 1024**2 + 1), "too_large"),
    ],
)
def test_file_that_is_no_usable_picture_is_refused(
    data: bytes, code: str, api: APIClient, video: Video
) -> None:
    file = SimpleUploadedFile("a.jpg", data)
    answer = api.post(f"/api/v1/videos/{video.public_id}/poster/", {"file": file}, format="multipart")

    video.refresh_from_db()
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    assert video.poster_key == ""


def test_previous_poster_of_the_owner_is_deleted(api: APIClient, video: Video) -> None:
    api.patch(f"/api/v1/videos/{video.public_id}/poster/", {"choice": 0}, format="json")
    before = Video.objects.get(pk=video.pk).poster_key
    api.post(f"/api/v1/videos/{video.public_id}/poster/", {"file": picture()}, format="multipart")

    assert [row.path for row in PendingDeletion.objects.all()] == [before]


def test_only_the_owner_changes_the_poster(video: Video) -> None:
    client = APIClient()
    client.force_authenticate(UserFactory())

    answer = client.patch(f"/api/v1/videos/{video.public_id}/poster/", {"choice": 0}, format="json")

    assert answer.status_code == 403


def test_end_of_a_broadcast_keeps_the_owners_poster(bucket: str, owner: User) -> None:
    video = recordings.start_recording(
        channel=owner.channel, title="Live", category="gaming", visibility="public"
    )
    own = f"{video.posters_prefix}own-1.jpg"
    Video.objects.filter(pk=video.pk).update(poster_key=own)
    run = recordings.open_run(video, is_continuous=False, began_at=video.created_at)
    recordings.append_segment(run, duration_s=4.0, size_bytes=1)

    recordings.finish_recording(video, poster_key="live/poster.jpg")

    video.refresh_from_db()
    assert video.poster_key == own


def test_studio_offers_stills_and_takes_a_picture(client: Client, owner: User, video: Video) -> None:
    client.force_login(owner)
    address = f"/studio/{video.public_id}/poster/"

    page = client.get(f"/studio/{video.public_id}/").content.decode()
    chosen = client.post(address, {"choice": "1"}, follow=True).content.decode()
    nothing = client.post(address, {})
    refused = client.post(address, {"file": SimpleUploadedFile("a.txt", b"text")})
    uploaded = client.post(address, {"file": picture()})

    assert page.count('class="poster-choice"') == 2
    assert "Use the frame at 1:05" in page
    assert "Poster changed." in chosen
    assert 'value="1" aria-pressed="true"' in chosen
    assert (nothing.status_code, "Choose an image." in nothing.content.decode()) == (422, True)
    assert (refused.status_code, "Cannot read this image." in refused.content.decode()) == (422, True)
    assert uploaded.status_code == 302
    assert Video.objects.get(pk=video.pk).poster_key.startswith(f"{video.posters_prefix}own-")
