"""Shelves of home: which videos are on them, in which order, each once, in how many queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Follow, User
from accounts.tests.factories import UserFactory
from live.tests.factories import BroadcastFactory, StreamFactory
from videoplatform.shelves import LEAST_ON_A_SHELF, MOST_ON_A_SHELF, by_category
from videos import services
from videos.models import TrendingVideo, Video, WatchedVideo
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


def made(count: int, **fields: Any) -> list[Video]:
    """Make listed videos of one channel, the first one the newest."""
    channel = fields.pop("channel", None) or UserFactory().channel
    now = timezone.now()
    return [
        VideoFactory(
            channel=channel,
            encoded=False,
            poster_key="videos/a/b/poster.jpg",
            **{"published_at": now - timedelta(minutes=number), **fields},
        )
        for number in range(count)
    ]


def rank(videos: list[Video]) -> None:
    for place, video in enumerate(videos, start=1):
        TrendingVideo.objects.create(video=video, place=place)


def watched(person: User, video: Video) -> None:
    now = timezone.now()
    WatchedVideo.objects.create(user=person, video=video, position_s=300, watched_at=now)


def shelves(client: Client, address: str = "/") -> dict[str, list[Video]]:
    """Return the videos of each shelf by its name, those of the large one under ``hero``."""
    context = client.get(address).context
    return {
        "hero": [context["hero"]] if context["hero"] else [],
        "continued": [entry.video for entry in context["continued"]],
        "recent": context["recent"],
        **{shelf.name: list(shelf.videos) for shelf in context["shelves"]},
    }


def test_person_has_each_video_on_one_shelf(signed_in: Client, person: User) -> None:
    videos = made(8, duration_s=600.0)
    Follow.objects.create(follower=person, channel=videos[0].channel)
    others = made(6)
    watched(person, videos[0])
    rank([videos[0], videos[1], *others])

    found = shelves(signed_in)

    assert found["hero"] == [], "a person who is signed in has shelves of their own"
    assert found["continued"] == videos[:1]
    assert found["recent"] == videos[1:]
    assert found["trending"] == others


def test_dismissed_video_is_on_no_shelf(signed_in: Client, person: User) -> None:
    videos = made(3, duration_s=600.0)
    Follow.objects.create(follower=person, channel=videos[0].channel)
    watched(person, videos[0])
    trending = made(LEAST_ON_A_SHELF + 1)
    rank(trending)
    for video in (videos[0], videos[1], trending[0]):
        services.dismiss(video, person)

    found = shelves(signed_in)

    assert (found["continued"], found["recent"]) == ([], videos[2:])
    assert found["trending"] == trending[1:]


@pytest.mark.parametrize("count", [LEAST_ON_A_SHELF - 1, LEAST_ON_A_SHELF])
def test_trending_videos_have_a_shelf_from_four_on(signed_in: Client, count: int) -> None:
    rank(made(count))

    assert ("trending" in shelves(signed_in)) is (count == LEAST_ON_A_SHELF)


def test_visitor_sees_the_first_landscape_video_that_trends_large_and_only_there(client: Client) -> None:
    portrait, *landscape = [*made(1, width_px=720, height_px=1280), *made(5)]
    rank([portrait, *landscape])

    found = shelves(client)

    assert found["hero"] == landscape[:1]
    assert found["trending"] == [portrait, *landscape[1:]]
    assert landscape[0] not in client.get("/").context["page"].videos


def test_visitor_of_a_site_without_trends_sees_its_most_watched_new_video(client: Client) -> None:
    made(4)
    [popular] = made(1, view_count=9)

    assert shelves(client)["hero"] == [popular]


def test_site_with_few_videos_has_the_grid_alone(client: Client) -> None:
    made(LEAST_ON_A_SHELF - 1, category="music")

    assert shelves(client) == {"hero": [], "continued": [], "recent": []}


def test_broadcast_stands_large_in_place_of_a_video(client: Client) -> None:
    rank(made(5))
    streams = [StreamFactory(channel=UserFactory().channel) for _ in range(2)]
    for stream in streams:
        BroadcastFactory(stream=stream)

    context = client.get("/").context

    assert context["hero"] is None
    assert context["hero_live"]["username"] == streams[1].username
    assert [shown["username"] for shown in context["live_now"]] == [streams[0].username]
    assert streams[1].username in client.get("/").content.decode()


def test_visitor_sees_categories_once_the_grid_has_a_second_page(client: Client) -> None:
    rank(made(6, category="music"))
    made(14, category="film", view_count=5)
    made(6, category="food", view_count=1)
    assert "category-film" in shelves(client)
    Video.objects.filter(category="food").delete()

    assert [name for name in shelves(client) if name.startswith("category")] == []


def test_categories_are_ordered_by_views_and_bounded() -> None:
    made(MOST_ON_A_SHELF + 2, category="film", view_count=1)
    made(LEAST_ON_A_SHELF, category="food", view_count=50)
    made(LEAST_ON_A_SHELF, category="news")
    made(LEAST_ON_A_SHELF, category="gaming", view_count=2)
    made(LEAST_ON_A_SHELF - 1, category="music", view_count=99)
    made(LEAST_ON_A_SHELF, category="other", view_count=99)

    found = by_category(Video.objects.order_by("pk"))

    assert [(shelf.name, len(shelf.videos)) for shelf in found] == [
        ("category-food", LEAST_ON_A_SHELF),
        ("category-film", MOST_ON_A_SHELF),
        ("category-gaming", LEAST_ON_A_SHELF),
    ]
    assert found[0].address == "/?category=food"


@pytest.mark.parametrize("address", ["/?category=music", "/?ordering=-views", "/?after=WzEsMV0"])
def test_narrowed_list_has_no_shelves(client: Client, address: str) -> None:
    rank(made(6))

    found = shelves(client, address)

    assert found == {"hero": [], "continued": [], "recent": []}


@pytest.mark.parametrize("count", [5, 12])
def test_visitor_needs_the_same_queries_at_any_length(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    rank(made(count, category="music"))
    for category in ("film", "food", "news"):
        made(count + 5, category=category)

    # Live streams, trending videos, the grid, and the newest videos for the categories.
    with django_assert_num_queries(4):
        client.get("/")


@pytest.mark.parametrize("count", [5, 12])
def test_person_needs_the_same_queries_at_any_length(
    signed_in: Client, person: User, django_assert_max_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    videos = made(count, duration_s=600.0)
    Follow.objects.create(follower=person, channel=videos[0].channel)
    for video in videos[: count // 2]:
        watched(person, video)
    rank(made(count))

    with django_assert_max_num_queries(20):
        signed_in.get("/")
