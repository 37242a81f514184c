"""Tests of home, search, channels and the error pages."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.tests.factories import UserFactory
from videoplatform import pages
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

Queries = Callable[[int], AbstractContextManager[object]]


def titles(html: str) -> list[str]:
    return re.findall(r'class="tile-title[^>]*><a href="[^"]*" title="([^"]*)"', html)


def test_home_shows_listed_videos_newest_first(client: Client) -> None:
    now = timezone.now()
    VideoFactory(title="Old", published_at=now - timedelta(days=2), encoded=False)
    VideoFactory(title="New", published_at=now, encoded=False)
    VideoFactory(title="Secret", visibility="private", encoded=False)
    VideoFactory(title="By link", visibility="unlisted", encoded=False)

    html = client.get("/").content.decode()

    assert titles(html) == ["New", "Old"]


def test_empty_home_offers_an_upload(client: Client) -> None:
    html = client.get("/").content.decode()

    assert 'href="/upload/">' in html
    assert "No videos yet" in html


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("address", "queries"),
    [("/", 3), ("/search/?q=video", 9), ("/search/?tag=none&q=video", 9)],
)
def test_list_needs_the_same_queries_at_any_length(
    client: Client, django_assert_num_queries: Queries, count: int, address: str, queries: int
) -> None:
    VideoFactory.create_batch(count, encoded=False, poster_key="videos/a/b/poster.jpg")
    # More queries: live streams and trending videos, or the channels and tags that match.
    is_bounded = "q=" in address and connection.vendor == "postgresql"
    with django_assert_num_queries(queries + 3 * is_bounded):
        client.get(address)


@pytest.mark.parametrize("count", [1, 3])
def test_channel_needs_the_same_queries_at_any_length(
    client: Client, django_assert_num_queries: Queries, count: int
) -> None:
    channel = UserFactory(username="lumi").channel
    VideoFactory.create_batch(count, channel=channel, encoded=False)

    # The channel, the tabs of playlists and clips, its stream and the videos.
    with django_assert_num_queries(5):
        client.get("/@lumi/")


@pytest.mark.parametrize("ordering", ["", "-views", "-likes"])
def test_pages_of_a_list_have_each_video_once(client: Client, ordering: str) -> None:
    now = timezone.now()
    for number in range(50):
        VideoFactory(
            title=f"Video {number:02}",
            published_at=now - timedelta(hours=number),
            view_count=100 - number // 3,
            like_count=50 - number // 2,
            encoded=False,
        )

    address, shown = f"/?ordering={ordering}", []
    while address:
        html = client.get(address, headers={"HX-Request": "true"}).content.decode()
        shown += titles(html)
        following = re.search(r'hx-get="([^"]+)"', html)
        address = f"/{following[1].replace('&amp;', '&')}" if following else ""

    assert len(shown) == len(set(shown)) == 50


def test_next_page_is_cards_for_htmx_and_a_whole_page_otherwise(client: Client) -> None:
    VideoFactory.create_batch(30, encoded=False)
    following = re.search(r'hx-get="([^"]+)"', client.get("/").content.decode())
    assert following is not None
    address = f"/{following[1]}"

    assert b"<html" not in client.get(address, headers={"HX-Request": "true"}).content
    assert b"<html" in client.get(address).content


@pytest.mark.parametrize("after", ["x", "W10", "WzEsMl0", "bnVsbA", "é", "WyIyMDI2IiwiYSJd"])
def test_invalid_cursor_shows_the_first_page(client: Client, after: str) -> None:
    VideoFactory(encoded=False)

    assert client.get("/", {"after": after}).status_code == 200


def test_known_filters_apply_and_unknown_ones_are_ignored(client: Client) -> None:
    VideoFactory(title="Short song", category="music", duration_s=60, encoded=False)
    VideoFactory(title="Long song", category="music", duration_s=4000, encoded=False)
    VideoFactory(title="Short film", category="film", duration_s=60, encoded=False)

    assert titles(client.get("/?category=music&length=short").content.decode()) == ["Short song"]
    assert len(titles(client.get("/?category=nonsense&length=huge&ordering=up").content.decode())) == 3


def test_search_finds_videos_and_channels(client: Client) -> None:
    VideoFactory(title="走马灯的夜", encoded=False)
    UserFactory(username="lantern")

    assert titles(client.get("/search/?q=走马灯").content.decode()) == ["走马灯的夜"]
    assert 'href="/@lantern/"' in client.get("/search/?q=lant").content.decode()
    assert "No results found" in client.get("/search/?q=zzzz").content.decode()


def test_user_text_is_escaped(client: Client) -> None:
    hostile = "<script>alert(1)</script>"
    video = VideoFactory(title=hostile, description=f"{hostile} javascript:alert(1)", encoded=False)
    video.channel.display_name = hostile
    video.channel.save()

    for address in ("/", f"/search/?q={hostile}", video.get_absolute_url(), video.channel.get_absolute_url()):
        assert "<script>alert" not in client.get(address).content.decode()


def test_channel_in_another_case_redirects_to_its_name(client: Client) -> None:
    UserFactory(username="Lumi")

    assert client.get("/@lumi/").headers["Location"] == "/@Lumi/"
    assert client.get("/@Lumi/").status_code == 200
    assert client.get("/@nobody/").status_code == 404


def test_suspended_channel_is_not_found(client: Client) -> None:
    UserFactory(username="gone", is_active=False)

    assert client.get("/@gone/").status_code == 404


def test_pages_have_the_chosen_language_and_theme(client: Client) -> None:
    client.cookies["theme"] = "dark"
    client.cookies["django_language"] = "zh-hans"

    html = client.get("/").content.decode()

    assert '<html lang="zh-Hans" data-theme="dark">' in html


def test_language_menu_names_each_language_in_itself(client: Client) -> None:
    client.cookies["django_language"] = "zh-hans"

    html = client.get("/").content.decode()

    assert re.findall(r'name="language" value="([\w-]+)"[^>]*>(\w+)<', html) == [
        ("en", "English"),
        ("zh-hans", "简体中文"),
    ]


def test_unknown_theme_is_ignored(client: Client) -> None:
    client.cookies["theme"] = '"><script>'

    assert '<html lang="en">' in client.get("/").content.decode()


def test_unknown_address_has_a_404_page(client: Client) -> None:
    response = client.get("/nothing/")

    assert response.status_code == 404
    assert "Page not found" in response.content.decode()


def test_server_error_page_needs_no_query(django_assert_num_queries: Queries) -> None:
    with django_assert_num_queries(0):
        response = pages.server_error(RequestFactory().get("/"))

    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()


@pytest.mark.parametrize("address", ["/", "/search/", "/accounts/login/", "/accounts/signup/"])
def test_page_has_one_heading_one_main_and_named_buttons(client: Client, address: str) -> None:
    VideoFactory(encoded=False)

    html = client.get(address).content.decode()

    assert len(re.findall(r"<h1\b", html)) == 1
    assert len(re.findall(r"<main\b", html)) == 1
    assert 'href="#main"' in html
    for attributes, body in re.findall(r"<button\b([^>]*)>(.*?)</button>", html, re.DOTALL):
        text = re.sub(r"<[^>]*>", "", body).strip()
        assert text or "aria-label=" in attributes
