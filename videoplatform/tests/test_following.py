"""The feed of followed channels: its videos, its order, and the dots of new ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Channel, Follow, User
from accounts.tests.factories import UserFactory
from live.tests.factories import BroadcastFactory, StreamFactory
from videos.models import FeedVisit, Video
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def followed(person: User) -> Channel:
    channel: Channel = UserFactory().channel
    Follow.objects.create(follower=person, channel=channel)
    return channel


def published(channel: Channel, title: str, hours_ago: float = 1, **fields: Any) -> Video:
    at = timezone.now() - timedelta(hours=hours_ago)
    video: Video = VideoFactory(channel=channel, title=title, published_at=at, **fields)
    return video


def shown(client: Client, path: str = "/following/") -> list[str]:
    return [video.title for video in client.get(path).context["page"].videos]


def test_feed_has_the_videos_of_followed_channels_newest_first(signed_in: Client, followed: Channel) -> None:
    published(followed, "Older", 2)
    published(followed, "Newer", 1)
    published(UserFactory().channel, "Of a stranger")

    assert shown(signed_in) == ["Newer", "Older"]


def test_feed_has_videos_for_followers_and_none_that_is_not_out(signed_in: Client, followed: Channel) -> None:
    published(followed, "For followers", visibility="followers")
    kept_back: tuple[dict[str, Any], ...] = (
        {"visibility": "private"},
        {"visibility": "unlisted"},
        {"visibility": "password"},
        {"withheld": "hidden"},
        {"is_playable": False},
        {"status": "failed"},
        {"publish_at": timezone.now() + timedelta(days=1)},
    )
    for number, fields in enumerate(kept_back):
        published(followed, f"Hidden {number}", **fields)

    assert shown(signed_in) == ["For followers"]


def test_video_is_new_until_its_feed_was_seen(signed_in: Client, person: User, followed: Channel) -> None:
    FeedVisit.objects.create(user=person, visited_at=timezone.now() - timedelta(hours=3))
    published(followed, "Seen", 4)
    published(followed, "New", 1)

    def new(path: str, name: str) -> list[str]:
        listed = signed_in.get(path).context[name]
        return [video.title for video in getattr(listed, "videos", listed) if video.is_new]

    assert new("/", "recent") == ["New"], "home shows it, and does not count as a visit"
    assert new("/following/", "page") == ["New"]
    assert new("/following/", "page") == []
    assert new("/", "recent") == []


def test_nothing_is_new_before_the_first_visit(signed_in: Client, followed: Channel) -> None:
    published(followed, "A video")

    page = signed_in.get("/following/").context["page"]

    assert [video.is_new for video in page.videos] == [False]


def test_later_pages_do_not_count_as_a_visit(signed_in: Client, person: User, followed: Channel) -> None:
    videos = [published(followed, str(number), number) for number in range(26)]
    first = signed_in.get("/following/").context["page"]
    FeedVisit.objects.all().delete()

    assert shown(signed_in, f"/following/{first.next_query}") == [video.title for video in videos[24:]]
    assert not FeedVisit.objects.exists()


def test_home_shows_recent_videos_of_followed_channels_to_their_followers(
    signed_in: Client, followed: Channel
) -> None:
    published(followed, "Recent")
    published(followed, "Old", 24 * 40)

    assert [video.title for video in signed_in.get("/").context["recent"]] == ["Recent"]
    assert signed_in.get("/?category=music").context["recent"] == []
    assert Client().get("/").context["recent"] == []


def test_feed_begins_with_channels_that_are_live_and_the_latest_followed(
    signed_in: Client, person: User, followed: Channel
) -> None:
    later = UserFactory().channel
    Follow.objects.create(follower=person, channel=later)
    Follow.objects.create(follower=UserFactory(), channel=later)
    for channel in (later, UserFactory().channel):
        BroadcastFactory(stream=StreamFactory(channel=channel))

    page = signed_in.get("/following/").context

    assert [channel.pk for channel in page["channels"]] == [later.pk, followed.pk]
    assert [state["username"] for state in page["live_now"]] == [later.username]


def test_person_who_follows_nobody_is_told_how(signed_in: Client) -> None:
    assert "You do not follow any channels yet" in signed_in.get("/following/").content.decode()


def test_feed_is_for_people_who_are_signed_in() -> None:
    assert Client().get("/following/").status_code == 302
