"""Moderation of videos, and notifications to their owners."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import charts, moderation, services
from accounts.models import Case, Notification, User
from accounts.notifications import sentence
from accounts.services import Role
from accounts.tests.factories import UserFactory
from videos import ends
from videos.models import Job, Video
from videos.services import recordings
from videos.tests.factories import VideoFactory
from videos.transcoding.errors import EncodeFailed

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


@pytest.fixture
def moderator() -> User:
    user = UserFactory()
    services.grant_role(user=user, role=Role.MODERATOR)
    return user


@pytest.mark.parametrize(
    ("withheld", "owner", "others"), [("", 200, 200), ("hidden", 200, 404), ("removed", 404, 404)]
)
def test_hidden_video_is_gone_for_strangers_and_removed_video_for_its_owner_too(
    withheld: str, owner: int, others: int, moderator: User
) -> None:
    video = VideoFactory(withheld=withheld)
    playlist = reverse("hls-multivariant", args=[video.public_id, video.encode_key])
    people = [video.channel.owner, UserFactory(), None, moderator]

    def answers(path: str) -> list[int]:
        return [status_for(person, path) for person in people]

    for path in (video.get_absolute_url(), f"/api/v1/videos/{video.public_id}/", playlist):
        assert answers(path) == [owner, others, others, 200], path
    assert answers(f"/embed/{video.public_id}/") == [others] * 4


def status_for(person: User | None, path: str) -> int:
    client = Client()
    if person:
        client.force_login(person)
    return client.get(path).status_code


def test_withheld_video_is_listed_only_in_its_owners_studio(moderator: User) -> None:
    owner = UserFactory(username="lumi")
    VideoFactory(title="Hidden one", withheld="hidden", channel=owner.channel)
    client = Client()
    client.force_login(owner)

    for path in ("/", "/@lumi/", "/search/?q=hidden", "/api/v1/videos/"):
        assert "Hidden one" not in client.get(path).content.decode()
    studio = client.get("/studio/").content.decode()
    assert "Hidden one" in studio
    assert "Hidden by moderators" in studio


@pytest.mark.parametrize("withheld", ["hidden", "removed"])
def test_owner_cannot_publish_a_withheld_video(withheld: str) -> None:
    video = VideoFactory(withheld=withheld, visibility="private")
    owner = APIClient()
    owner.force_authenticate(video.channel.owner)

    owner.patch(f"/api/v1/videos/{video.public_id}/", {"visibility": "public"})

    assert not Video.objects.get().can_watch(AnonymousUser())


def test_reported_video_is_removed_and_restored_by_undo(moderator: User) -> None:
    video = VideoFactory(title="Lamps", description="Cheap!", visibility="unlisted")
    reporter = APIClient()
    reporter.force_authenticate(UserFactory())
    body = {"target_type": "video", "target_id": video.public_id, "reason": "spam", "offset_s": 3}

    answer = reporter.post("/api/v1/reports/", body)
    decision = moderation.decide(Case.objects.get(), by=moderator, action="remove", reason="spam")
    gone = Video.objects.get()
    moderation.undo(decision, by=moderator)

    assert answer.status_code == 201
    assert not gone.can_watch(video.channel.owner)
    assert Video.objects.get().visibility == "unlisted"
    assert Video.objects.get().can_watch(AnonymousUser())


@pytest.mark.parametrize(
    "secret", [{"visibility": "private"}, {"status": "uploading"}, {"withheld": "hidden"}]
)
def test_invisible_video_cannot_be_reported(secret: dict[str, Any]) -> None:
    video = VideoFactory(**secret)
    client = APIClient()
    client.force_authenticate(UserFactory())

    body = {"target_type": "video", "target_id": video.public_id, "reason": "spam"}

    assert client.post("/api/v1/reports/", body).status_code == 404


def test_timed_out_person_cannot_upload(moderator: User) -> None:
    person = UserFactory()
    moderation.decide_about(person, by=moderator, action="time_out", duration=timedelta(days=1))
    client = APIClient()
    client.force_authenticate(person)

    answer = client.post("/api/v1/videos/", {"title": "a", "filename": "a.mp4", "size_bytes": 1})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "timed_out")


def notifications_of(video: Video) -> list[str]:
    return [sentence(notification) for notification in Notification.objects.of(video.channel.owner)]


def test_owner_is_notified_once_of_a_failed_encode() -> None:
    video = VideoFactory(title="Lamps", status="processing")

    same_seen_by_another_worker = Video.objects.get()
    ends.fail_video(video, EncodeFailed())
    ends.fail_video(same_seen_by_another_worker, EncodeFailed())

    assert notifications_of(video) == ["“Lamps” could not be processed"]


def test_owner_is_notified_once_of_a_ready_video(bucket: str) -> None:
    video = VideoFactory(title="Lamps", status="processing", is_playable=False)

    for _time in range(2):
        ends.complete(video.pk)

    assert notifications_of(video) == ["“Lamps” is ready to watch"]


def test_chart_of_encodes_counts_no_recordings() -> None:
    cache.clear()
    recording = recordings.start_recording(
        channel=UserFactory().channel, title="Live", category="gaming", visibility="public"
    )
    for _ in range(2):
        run = recordings.open_run(recording, is_continuous=False, began_at=timezone.now())
        recordings.append_segment(run, duration_s=4.0, size_bytes=1)

    drawn = charts.read(lambda permission: permission == "videos.change_video")

    assert [sum(line["counts"]) for line in drawn["charts"][0]["lines"]] == [0, 0]


@pytest.mark.parametrize("count", [1, 3])
def test_query_count_of_charts_is_constant(count: int, django_assert_num_queries: Any) -> None:
    cache.clear()
    VideoFactory.create_batch(count)
    Job.objects.update(claimed_at="2026-01-01T00:00Z")

    with django_assert_num_queries(3):
        drawn = charts.read(lambda permission: permission.startswith("videos."))

    assert [chart["name"] for chart in drawn["charts"]] == ["uploads", "encodes"]
    assert drawn["charts"][0]["lines"][0]["counts"][-1] == count
    with django_assert_num_queries(0):  # cached for a minute
        charts.read(lambda permission: permission.startswith("videos."))
