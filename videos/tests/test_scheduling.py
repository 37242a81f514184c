"""Videos that become public at a time of their own, and premieres."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import outbox
from accounts.models import Follow, Notification, OutboxEntry, User
from accounts.tests.factories import UserFactory
from videos import services
from videos.models import Video
from videos.services import scheduling
from videos.services.errors import BadMoment
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def scheduled(*, is_premiere: bool = False, late: timedelta = -HOUR, **fields: Any) -> Video:
    """Return a video that is ``late`` for its moment, by default an hour early."""
    video: Video = VideoFactory(published_at=None, **fields)
    services.edit_video(video, publish_at=timezone.now() + HOUR, is_premiere=is_premiere)
    Video.objects.filter(pk=video.pk).update(publish_at=timezone.now() - late)
    video.refresh_from_db()
    return video


def state(video: Video) -> tuple[str, bool]:
    video.refresh_from_db()
    return video.visibility, video.publish_at is None


def playlist(video: Video) -> str:
    return f"/videos/{video.public_id}/hls/{video.encode_key}/multivariant.m3u8"


@pytest.fixture
def follower() -> User:
    person: User = UserFactory()
    return person


def test_scheduled_video_is_private_until_its_moment_and_public_after(client: Client) -> None:
    video = scheduled()
    services.publish_due()
    before = client.get(f"/watch/{video.public_id}/").status_code

    Video.objects.update(publish_at=timezone.now())
    services.publish_due()

    assert (before, client.get(f"/watch/{video.public_id}/").status_code) == (404, 200)
    assert state(video) == ("public", True)
    assert video.published_at is not None
    assert [one["id"] for one in client.get("/api/v1/videos/").json()["results"]] == [video.public_id]


def test_video_that_was_out_before_is_published_with_the_date_of_its_moment(client: Client) -> None:
    newer: Video = VideoFactory(published_at=timezone.now() - timedelta(days=1))
    video = scheduled(late=timedelta(seconds=1))
    Video.objects.filter(pk=video.pk).update(published_at=timezone.now() - timedelta(days=7))

    services.publish_due()

    video.refresh_from_db()
    assert video.published_at is not None
    assert timezone.now() - video.published_at < HOUR
    results = client.get("/api/v1/videos/").json()["results"]
    assert [one["id"] for one in results] == [video.public_id, newer.public_id]


def test_followers_are_notified_once_of_a_published_video(
    follower: User, django_capture_on_commit_callbacks: Any
) -> None:
    video = scheduled(late=timedelta(seconds=1))
    Follow.objects.create(follower=follower, channel=video.channel)

    for _ in range(2):
        services.publish_due()
        outbox.work()
        services.edit_video(video, publish_at=timezone.now() + HOUR)
        Video.objects.update(publish_at=timezone.now())

    notified = Notification.objects.filter(person=follower)
    assert [(each.kind, each.data["title"]) for each in notified] == [("video_published", video.title)]


@pytest.mark.parametrize("taken_back", [{"visibility": "private"}, {"withheld": "hidden"}])
def test_followers_are_not_notified_of_a_video_that_was_taken_back(
    taken_back: dict[str, str], follower: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.notifications.FOLLOWERS_AT_ONCE", 1)
    video = scheduled(late=timedelta(seconds=1))
    for person in (follower, UserFactory()):
        Follow.objects.create(follower=person, channel=video.channel)
    services.publish_due()
    outbox.work()
    Video.objects.update(**taken_back)

    for _ in range(3):
        outbox.work()

    notified = Notification.objects.filter(kind="video_published")
    assert [each.person for each in notified] == [follower]
    assert not OutboxEntry.objects.exists()


def test_error_of_one_video_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = scheduled(late=HOUR), scheduled(late=timedelta(minutes=1))
    publish = scheduling._publish

    def fail_for_first(video: Video) -> None:
        if video == first:
            raise LookupError
        publish(video)

    monkeypatch.setattr(scheduling, "_publish", fail_for_first)
    services.publish_due()

    assert (state(first), state(second)) == (("private", False), ("public", True))


def test_schedule_that_was_changed_meanwhile_is_not_carried_out() -> None:
    video = scheduled(late=timedelta(seconds=1))
    seen = Video.objects.get(pk=video.pk)
    services.edit_video(video, visibility="unlisted")

    scheduling._publish(seen)

    assert state(video) == ("unlisted", True)


@pytest.mark.parametrize(("is_premiere", "visibility"), [(True, "private"), (False, "unlisted")])
def test_due_video_with_another_visibility_than_its_schedule_set_is_not_published(
    is_premiere: bool, visibility: str
) -> None:
    video = scheduled(is_premiere=is_premiere, late=HOUR)
    seen = Video.objects.get(pk=video.pk)
    Video.objects.update(visibility=visibility)

    services.publish_due()
    scheduling._publish(seen)

    assert state(video) == (visibility, False)


@pytest.mark.parametrize(
    ("fields", "published"),
    [
        ({"status": "ready"}, True),
        ({"status": "processing"}, True),
        ({"status": "processing", "is_playable": False}, False),
        ({"status": "failed"}, False),
        ({"withheld": "hidden"}, False),
    ],
)
def test_video_that_nobody_can_watch_waits(fields: dict[str, Any], published: bool) -> None:
    video = scheduled(late=HOUR)
    Video.objects.update(**fields)

    services.publish_due()

    assert state(video)[1] is published


@pytest.mark.parametrize("publish_at", [timedelta(seconds=-1), timedelta(days=1000)])
def test_moment_in_the_past_or_far_ahead_is_refused(publish_at: timedelta) -> None:
    video: Video = VideoFactory()

    with pytest.raises(BadMoment), transaction.atomic():
        services.edit_video(video, publish_at=timezone.now() + publish_at)

    assert Video.objects.get(pk=video.pk).publish_at is None


def test_owner_schedules_changes_and_cancels_by_the_api(client: Client) -> None:
    video: Video = VideoFactory()
    client.force_login(video.channel.owner)
    path, at = f"/api/v1/videos/{video.public_id}/", (timezone.now() + HOUR).replace(microsecond=0)

    def patch(**fields: Any) -> tuple[int, Any]:
        response = client.patch(path, fields, content_type="application/json")
        body = response.json()
        return response.status_code, (body.get("visibility"), body.get("publish_at"), body.get("is_premiere"))

    iso = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert patch(publish_at=iso) == (200, ("private", iso, False))
    assert patch(is_premiere=True) == (200, ("public", iso, True))
    assert patch(title="Other") == (200, ("public", iso, True))
    assert patch(publish_at="2001-01-01T00:00:00Z")[0] == 400
    assert patch(visibility="public") == (200, ("public", None, False))


def test_studio_form_schedules_and_keeps_a_schedule(client: Client) -> None:
    video: Video = VideoFactory()
    client.force_login(video.channel.owner)
    form = {"title": "T", "category": "other", "visibility": "scheduled", "comments_mode": "open"}
    at = (timezone.now() + HOUR).replace(second=0, microsecond=0)
    path = f"/studio/{video.public_id}/"

    missing = client.post(path, form)
    saved = client.post(path, form | {"publish_at": at.isoformat(), "is_premiere": "on"})
    page = client.get(path).content.decode()
    Video.objects.update(publish_at=at - 2 * HOUR)
    kept = client.post(path, form | {"publish_at": (at - 2 * HOUR).isoformat(), "is_premiere": "on"})

    assert (missing.status_code, saved.status_code, kept.status_code) == (422, 302, 302)
    assert f'value="{at:%Y-%m-%dT%H:%M}"' in page
    video.refresh_from_db()
    assert (video.visibility, video.is_premiere, video.publish_at) == ("public", True, at - 2 * HOUR)


def test_studio_form_refuses_to_turn_a_late_video_into_a_premiere(client: Client) -> None:
    video = scheduled(late=HOUR)
    client.force_login(video.channel.owner)
    assert video.publish_at is not None
    form = {"title": "T", "category": "other", "visibility": "scheduled", "comments_mode": "open"}

    refused = client.post(
        f"/studio/{video.public_id}/",
        form | {"publish_at": video.publish_at.isoformat(), "is_premiere": "on"},
    )

    assert refused.status_code == 422
    assert str(BadMoment.sentence) in refused.content.decode()
    assert state(video) == ("private", False)


def test_moment_that_passes_while_the_form_is_saved_is_shown_as_an_error(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    video: Video = VideoFactory()
    client.force_login(video.channel.owner)
    at = timezone.now() + HOUR
    form = {"title": "T", "category": "other", "visibility": "scheduled", "publish_at": at.isoformat()}
    monkeypatch.setattr("videos.forms.scheduled_fields", lambda *_args, **_named: {})
    monkeypatch.setattr("videos.services.scheduling.timezone", SimpleNamespace(now=lambda: at + HOUR))

    refused = client.post(f"/studio/{video.public_id}/", form)

    assert refused.status_code == 422
    assert str(BadMoment.sentence) in refused.content.decode()


def test_form_that_was_sent_as_shown_keeps_the_seconds_of_a_schedule(client: Client) -> None:
    video = scheduled(late=HOUR)
    at = video.publish_at
    assert at is not None
    Video.objects.update(publish_at=at.replace(second=30))
    client.force_login(video.channel.owner)
    form = {"title": "T", "category": "other", "visibility": "scheduled", "comments_mode": "open"}

    saved = client.post(f"/studio/{video.public_id}/", form | {"publish_at": f"{at:%Y-%m-%dT%H:%M}"})

    video.refresh_from_db()
    assert (saved.status_code, video.publish_at) == (302, at.replace(second=30))


def test_premiere_shows_its_page_but_no_media_before_it_begins(client: Client) -> None:
    video = scheduled(is_premiere=True, poster_key="poster")
    video.captions.create(language="en", key="captions", cue_count=1)
    api = f"/api/v1/videos/{video.public_id}/"

    html = client.get(f"/watch/{video.public_id}/").content.decode()

    assert video.title in html
    assert "<count-down" in html
    assert "m3u8" not in html
    assert client.get(playlist(video)).status_code == 404
    assert client.get(f"/embed/{video.public_id}/").status_code == 404
    assert client.get(f"/watch/{video.public_id}/poster.jpg").status_code == 404
    assert client.get(api).json()["playback"] is None
    assert client.get(f"{api}captions/").json()["results"] == []
    assert client.get("/api/v1/videos/").json()["results"] == []
    client.force_login(video.channel.owner)
    assert client.get(playlist(video)).status_code == 200


def test_people_talk_before_a_premiere(client: Client, follower: User) -> None:
    video = scheduled(is_premiere=True)
    client.force_login(follower)

    posted = client.post(f"/api/v1/videos/{video.public_id}/comments/", {"text": "Soon!"})
    html = client.get(f"/watch/{video.public_id}/").content.decode()

    assert posted.status_code == 201
    assert "Soon!" in html
    assert "<new-comments" in html


def test_premiere_begins_on_time_and_joins_everyone_at_the_clock(client: Client, follower: User) -> None:
    video = scheduled(is_premiere=True, late=timedelta(seconds=3), duration_s=60.0)
    Follow.objects.create(follower=follower, channel=video.channel)

    services.publish_due()
    outbox.work()

    html = client.get(f"/watch/{video.public_id}/").content.decode()
    position = float(html.split('data-position="')[1].split('"')[0])
    assert client.get(playlist(video)).status_code == 200
    assert 3 <= position < 30
    assert [each.kind for each in Notification.objects.filter(person=follower)] == ["premiere"]


def test_premiere_whose_encode_is_late_begins_when_it_is_ready() -> None:
    video = scheduled(is_premiere=True, late=HOUR, status="processing", duration_s=60.0)
    services.publish_due()
    waits = state(video)

    Video.objects.update(status="ready")
    services.publish_due()

    assert (waits, state(video)) == (("public", False), ("public", True))
    assert video.premiere_s is not None
    assert video.premiere_s < 30


def test_premiere_that_is_over_is_an_ordinary_video(client: Client) -> None:
    video: Video = VideoFactory(premiered_at=timezone.now() - HOUR, duration_s=60.0, is_premiere=True)

    html = client.get(f"/watch/{video.public_id}/").content.decode()

    assert "<premiere-bar" not in html
    assert "<new-comments" not in html
    assert client.get(f"/embed/{video.public_id}/").status_code == 200


def test_studio_counts_down_to_the_moment(client: Client) -> None:
    video = scheduled()
    client.force_login(video.channel.owner)

    html = client.get("/studio/").content.decode()

    left = float(html.split('data-left="')[1].split('"')[0])
    assert 3500 < left <= 3600
    assert isinstance(video.publish_at, datetime)


def test_look_for_due_videos_takes_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    scheduled()

    with django_assert_num_queries(2):
        services.publish_due()
