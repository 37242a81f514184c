"""Upload defaults: the settings with which the videos of a channel begin."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Channel
from accounts.tests.factories import UserFactory
from videos import services
from videos.models import Video, VideoDefaults
from videos.services.recordings import start_recording
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

CHOSEN = {
    "visibility": "unlisted",
    "comments_mode": "held",
    "downloads": "mp4",
    "clipping": "followers",
    "category": "music",
}
AUDIENCE = {"comments_mode": "held", "downloads": "mp4", "clipping": "followers"}


@pytest.fixture
def channel() -> Channel:
    channel: Channel = UserFactory().channel
    VideoDefaults.objects.create(channel=channel, **CHOSEN)
    return channel


def settings_of(video: Video, names: dict[str, str]) -> dict[str, Any]:
    return {name: getattr(Video.objects.get(pk=video.pk), name) for name in names}


def test_upload_begins_with_the_defaults_of_its_channel(channel: Channel, monkeypatch: Any) -> None:
    monkeypatch.setattr("videos.services.uploads.open_multipart", lambda _upload: None)

    upload = services.start_upload(channel=channel, title="A film", filename="a.mp4", size_bytes=1)

    assert settings_of(upload.video, CHOSEN) == CHOSEN


def test_upload_keeps_the_settings_that_it_names(channel: Channel, monkeypatch: Any) -> None:
    monkeypatch.setattr("videos.services.uploads.open_multipart", lambda _upload: None)
    named = {"visibility": "private", "comments_mode": "closed", "category": "film"}

    upload = services.start_upload(channel=channel, title="A film", filename="a.mp4", size_bytes=1, **named)

    assert settings_of(upload.video, CHOSEN) == CHOSEN | named


def test_import_is_private_and_has_the_other_defaults(channel: Channel) -> None:
    video = services.import_video(channel=channel, url="https://example.org/a.mp4")

    assert settings_of(video, CHOSEN) == CHOSEN | {"visibility": "private"}


def test_recording_has_the_defaults_for_viewers_and_the_visibility_of_its_broadcast(channel: Channel) -> None:
    video = start_recording(channel=channel, title="Live", category="games", visibility="public")

    expected = AUDIENCE | {"visibility": "public", "category": "games"}
    assert settings_of(video, CHOSEN) == expected


def test_channel_without_defaults_begins_as_everyone_expects() -> None:
    video = services.import_video(channel=UserFactory().channel, url="https://example.org/a.mp4")

    expected = {"comments_mode": "open", "downloads": "off", "clipping": "everyone", "category": "other"}
    assert settings_of(video, expected) == expected


def test_page_saves_the_defaults_and_leaves_existing_videos(client: Client, channel: Channel) -> None:
    video = VideoFactory(channel=channel, clipping="nobody")
    client.force_login(channel.owner)
    answer = client.post(reverse("studio-defaults"), CHOSEN | {"clipping": "everyone"})

    assert answer.headers["location"] == reverse("studio")
    assert VideoDefaults.of(channel).clipping == "everyone"
    assert settings_of(video, {"clipping": ""}) == {"clipping": "nobody"}


def test_page_refuses_a_default_password(client: Client, channel: Channel) -> None:
    client.force_login(channel.owner)

    answer = client.post(reverse("studio-defaults"), CHOSEN | {"visibility": "password"})

    assert answer.status_code == 422
    assert VideoDefaults.of(channel).visibility == "unlisted"


def test_upload_page_chooses_the_defaults_and_offers_a_schedule(client: Client, channel: Channel) -> None:
    client.force_login(channel.owner)

    page = client.get(reverse("upload")).content.decode()

    assert '<option value="unlisted" selected>' in page
    assert '<option value="music" selected>' in page
    assert '<option value="scheduled">' in page


def test_draft_is_scheduled_by_one_request(client: Client, channel: Channel) -> None:
    """Hold the request of the upload page's *Schedule*."""
    video = VideoFactory(channel=channel, visibility="private", published_at=None)
    client.force_login(channel.owner)
    moment = timezone.now() + timedelta(days=1)

    body = {"publish_at": moment.isoformat(), "is_premiere": False}
    answer = client.patch(f"/api/v1/videos/{video.public_id}/", body, content_type="application/json")

    assert (answer.status_code, answer.json()["visibility"]) == (200, "private")
    assert datetime.fromisoformat(answer.json()["publish_at"]) == moment
