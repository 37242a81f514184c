"""Playlists in a real browser: saving a video, and ordering a list with mouse, finger and keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import User
from accounts.viewers import Viewer
from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.test_journeys import sign_up
from videos import services
from videos.models import Playlist
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow, pytest.mark.storage]


def list_of(username: str, titles: str) -> Playlist:
    owner = User.objects.get(username=username)
    playlist = services.create_playlist(owner, title="Evening")
    for title in titles:
        services.add_to_playlist(playlist, VideoFactory(title=title), Viewer(owner))
    return playlist


def shown(page: Page) -> str:
    return "".join(page.locator("sortable-list h3").all_inner_texts())


def middle(page: Page, place: int) -> tuple[float, float]:
    box = page.locator("[data-part=grip]").nth(place).bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_list_is_ordered_by_mouse_and_keys(visitor: BrowserContext, site: str) -> None:
    page = visitor.new_page()
    sign_up(page, site, "curator")
    page.goto(f"{site}{list_of('curator', 'abcd').get_absolute_url()}")

    x, y = middle(page, 0)
    to = middle(page, 2)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, (y + to[1]) / 2, steps=4)
    page.mouse.move(x, to[1] + 10, steps=4)
    with page.expect_response("**/items/**"):
        page.mouse.up()
    assert shown(page) == "bcad"

    grip = page.get_by_role("button", name="Move b", exact=True)
    grip.focus()
    with page.expect_response("**/items/**"):
        page.keyboard.press("End")
    expect(page.get_by_text("b: position 4 of 4")).to_be_attached()
    page.reload()
    assert shown(page) == "cadb"


def test_list_is_ordered_by_finger(chromium: Browser, site: str) -> None:
    phone = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, locale="en")
    phone.set_default_timeout(PATIENCE_MS)
    page = phone.new_page()
    sign_up(page, site, "walker")
    page.goto(f"{site}{list_of('walker', 'abc').get_absolute_url()}")
    x, y = middle(page, 0)
    end = middle(page, 1)[1] + 12

    touch = phone.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    with page.expect_response("**/items/**"):
        for at in (y + 20, y + 60, end):
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": at}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    assert shown(page) == "bac"
    phone.close()


def test_video_is_saved_to_a_new_list_and_to_watch_later(visitor: BrowserContext, site: str) -> None:
    page = visitor.new_page()
    sign_up(page, site, "collector")
    video = VideoFactory(title="Moonlit sea", is_playable=False, status="processing", visibility="unlisted")
    page.goto(f"{site}{video.get_absolute_url()}")

    page.get_by_role("link", name="Save").click()
    dialog = page.get_by_role("dialog", name="Save to playlist")
    dialog.get_by_role("button", name="Watch later").click()
    expect(dialog.get_by_role("button", name="Watch later", pressed=True)).to_be_visible()
    dialog.get_by_label("New playlist").fill("Calm")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("button", name="Calm", pressed=True)).to_be_visible()
    dialog.get_by_role("button", name="Watch later").click()
    expect(dialog.get_by_role("button", name="Watch later", pressed=False)).to_be_visible()

    held = services.holding(Playlist.objects.all(), video)
    assert [playlist.title for playlist in Playlist.objects.filter(pk__in=held)] == ["Calm"]
