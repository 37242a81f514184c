"""Home, search, channels, and the pages for when something is wrong."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.tests.factories import UserFactory
from videoplatform import pages
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

Queries = Callable[[int], AbstractContextManager[object]]


def titles(html: str) -> list[str]:
    return re.findall(r'class="tile-title[^>]*><a href="[^"]*" title="([^"]*)"', html)


def test_home_shows_what_is_listed_newest_first(client: Client) -> None:
    now = timezone.now()
    VideoFactory(title="Old", published_at=now - timedelta(days=2), encoded=False)
    VideoFactory(title="New", published_at=now, encoded=False)
    VideoFactory(title="Secret", visibility="private", encoded=False)
    VideoFactory(title="By link", visibility="unlisted", encoded=False)

    html = client.get("/").content.decode()

    assert titles(html) == ["New", "Old"]


def test_an_empty_home_offers_the_first_step(client: Client) -> None:
    html = client.get("/").content.decode()

    assert 'href="/upload/">' in html
    assert "The drum is still empty" in html


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("address", ["/", "/search/?q=video", "/search/?tag=none&q=video"])
def test_lists_cost_the_same_however_long(
    client: Client, django_assert_num_queries: Queries, count: int, address: str
) -> None:
    VideoFactory.create_batch(count, encoded=False, poster_key="videos/a/b/poster.jpg")
    with django_assert_num_queries(2):  # who is live, or which channels are found, as well
        client.get(address)


@pytest.mark.parametrize("count", [1, 3])
def test_a_channel_costs_the_same_however_long(
    client: Client, django_assert_num_queries: Queries, count: int
) -> None:
    channel = UserFactory(username="lumi").channel
    VideoFactory.create_batch(count, channel=channel, encoded=False)

    with django_assert_num_queries(3):
        client.get("/@lumi/")


@pytest.mark.parametrize("ordering", ["", "-views", "-likes"])
def test_more_goes_on_where_the_page_ended_and_repeats_nothing(client: Client, ordering: str) -> None:
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


def test_more_is_only_cards_for_htmx_and_a_page_without_it(client: Client) -> None:
    VideoFactory.create_batch(30, encoded=False)
    following = re.search(r'hx-get="([^"]+)"', client.get("/").content.decode())
    assert following is not None
    address = f"/{following[1]}"

    assert b"<html" not in client.get(address, headers={"HX-Request": "true"}).content
    assert b"<html" in client.get(address).content


@pytest.mark.parametrize("after", ["x", "W10", "WzEsMl0", "bnVsbA", "é", "WyIyMDI2IiwiYSJd"])
def test_a_position_that_we_did_not_write_is_the_beginning(client: Client, after: str) -> None:
    VideoFactory(encoded=False)

    assert client.get("/", {"after": after}).status_code == 200


def test_filters_narrow_and_unknown_ones_are_ignored(client: Client) -> None:
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
    assert "Nothing found" in client.get("/search/?q=zzzz").content.decode()


def test_what_people_write_is_text_and_never_markup(client: Client) -> None:
    hostile = "<script>alert(1)</script>"
    video = VideoFactory(title=hostile, description=f"{hostile} javascript:alert(1)", encoded=False)
    video.channel.display_name = hostile
    video.channel.save()

    for address in ("/", f"/search/?q={hostile}", video.get_absolute_url(), video.channel.get_absolute_url()):
        assert "<script>alert" not in client.get(address).content.decode()


def test_a_channel_is_found_in_any_case_and_answers_under_its_own_name(client: Client) -> None:
    UserFactory(username="Lumi")

    assert client.get("/@lumi/").headers["Location"] == "/@Lumi/"
    assert client.get("/@Lumi/").status_code == 200
    assert client.get("/@nobody/").status_code == 404


def test_a_suspended_channel_is_not_there(client: Client) -> None:
    UserFactory(username="gone", is_active=False)

    assert client.get("/@gone/").status_code == 404


def test_pages_say_their_language_and_theme(client: Client) -> None:
    client.cookies["theme"] = "dark"
    client.cookies["django_language"] = "zh-hans"

    html = client.get("/").content.decode()

    assert '<html lang="zh-Hans" data-theme="dark">' in html


def test_a_theme_we_do_not_know_is_none(client: Client) -> None:
    client.cookies["theme"] = '"><script>'

    assert '<html lang="en">' in client.get("/").content.decode()


def test_what_is_not_there_has_a_page(client: Client) -> None:
    response = client.get("/nothing/")

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_when_we_break_the_page_needs_nothing(django_assert_num_queries: Queries) -> None:
    with django_assert_num_queries(0):
        response = pages.server_error(RequestFactory().get("/"))

    assert response.status_code == 500
    assert "Something of ours broke" in response.content.decode()


@pytest.mark.parametrize("address", ["/", "/search/", "/accounts/login/", "/accounts/signup/"])
def test_every_page_has_one_heading_one_main_and_names_for_its_controls(client: Client, address: str) -> None:
    VideoFactory(encoded=False)

    html = client.get(address).content.decode()

    assert len(re.findall(r"<h1\b", html)) == 1
    assert len(re.findall(r"<main\b", html)) == 1
    assert 'href="#main"' in html
    for attributes, body in re.findall(r"<button\b([^>]*)>(.*?)</button>", html, re.DOTALL):
        text = re.sub(r"<[^>]*>", "", body).strip()
        assert text or "aria-label=" in attributes
