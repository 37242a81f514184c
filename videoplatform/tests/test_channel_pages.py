"""The pages of a channel: its tabs, and the lists behind them."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.tests.factories import UserFactory
from accounts.viewers import Viewer
from videos import services
from videos.models import Clip, Video
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return UserFactory(username="lamplighter")


def tabs(client: Client, path: str = "/@lamplighter/") -> list[str]:
    page = client.get(path).content.decode()
    nav = page[page.index('class="channel-tabs"') :]
    return re.findall(r">([^<>\s][^<>]*)</a>", nav[: nav.index("</nav>")])


def titles(client: Client, query: str) -> list[str]:
    return [video.title for video in client.get(f"/@lamplighter/{query}").context["page"].videos]


def test_tabs_lead_to_lists_that_have_something(client: Client, owner: User) -> None:
    VideoFactory(channel=owner.channel)
    assert tabs(client) == ["Videos", "About"]

    services.create_playlist(owner, title="Private")
    assert tabs(client) == ["Videos", "About"]
    services.create_playlist(owner, title="Evenings", visibility="public")

    assert tabs(client) == ["Videos", "Playlists", "About"]
    # A tab does not disappear below its reader.
    assert tabs(client, "/@lamplighter/clips/") == ["Videos", "Playlists", "Clips", "About"]


def test_videos_are_sorted_and_searched_within_the_channel(client: Client, owner: User) -> None:
    VideoFactory(channel=owner.channel, title="Harbour lights", view_count=9)
    VideoFactory(channel=owner.channel, title="Street lights", view_count=90)
    VideoFactory(channel=owner.channel, title="Rain", view_count=1)
    VideoFactory(title="Lights of another")

    assert titles(client, "") == ["Rain", "Street lights", "Harbour lights"]
    assert titles(client, "?ordering=-views") == ["Street lights", "Harbour lights", "Rain"]
    assert titles(client, "?q=lights") == ["Street lights", "Harbour lights"]
    assert (
        "No video of this channel contains these words."
        in client.get("/@lamplighter/?q=nothing").content.decode()
    )


def test_playlists_are_the_public_ones_with_a_video_that_the_visitor_may_watch(
    client: Client, owner: User
) -> None:
    for visibility in ("public", "unlisted", "private"):
        services.create_playlist(owner, title=visibility.title(), visibility=visibility)
    shown = services.create_playlist(owner, title="Evenings", visibility="public")
    hidden = VideoFactory(channel=owner.channel, visibility=Video.Visibility.PRIVATE)
    services.add_to_playlist(shown, hidden, Viewer(owner))

    rows = client.get("/@lamplighter/playlists/").context["rows"]

    assert [(one.title, count, video) for one, count, video in rows] == [
        ("Evenings", 1, None),
        ("Public", 0, None),
    ]


def test_clips_are_those_of_public_videos(client: Client, owner: User) -> None:
    public, private = VideoFactory(channel=owner.channel), VideoFactory(visibility="private")
    for video in (public, private):
        Clip.objects.create(video=video, maker=owner, title=video.title, start_s=0, end_s=10)

    assert [clip.video for clip in client.get("/@lamplighter/clips/").context["clips"]] == [public]


def test_about_shows_words_with_links_and_numbers_of_listed_videos(client: Client, owner: User) -> None:
    channel = owner.channel
    channel.bio = "Lamps.\nhttps://example.org/a and <b>javascript:alert(1)</b>"
    channel.save()
    VideoFactory(channel=channel, view_count=1_000)
    VideoFactory(channel=channel, view_count=234)
    VideoFactory(channel=channel, view_count=5_000, visibility=Video.Visibility.UNLISTED)

    page = client.get("/@lamplighter/about/").content.decode()

    assert 'href="https://example.org/a" rel="nofollow"' in page
    assert 'href="javascript' not in page
    assert "&lt;b&gt;" in page
    assert ">1,234<" in page


@pytest.mark.parametrize("tab", ["", "playlists/", "clips/", "about/"])
def test_pages_of_a_closed_account_are_not_found(client: Client, owner: User, tab: str) -> None:
    assert client.get(f"/@LampLighter/{tab}").status_code in {200, 301}
    owner.is_active = False
    owner.save()

    assert client.get(f"/@lamplighter/{tab}").status_code == 404


@pytest.mark.parametrize("count", [1, 5])
def test_query_count_of_the_playlists_is_constant(
    client: Client, owner: User, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for number in range(count):
        one = services.create_playlist(owner, title=f"List {number}", visibility="public")
        services.add_to_playlist(one, VideoFactory(), Viewer(owner))

    # The channel, two tabs, its stream, playlists, their numbers and first videos.
    with django_assert_num_queries(7):
        client.get("/@lamplighter/playlists/")
