"""Home in a real browser: the menu of a tile with a finger and a mouse, the drum, and shelves."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, expect

from accounts.models import User
from common import storage
from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.test_journeys import sign_up
from videos import services
from videos.models import DismissedVideo, TrendingVideo, Video
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow, pytest.mark.storage]

STILLS = """WEBVTT

00:00.000 --> 00:04.000
0.jpg#xywh=0,0,160,90

00:04.000 --> 00:08.000
0.jpg#xywh=160,0,160,90
"""


def with_storyboard(video: Video) -> Video:
    """Store a storyboard of two stills."""
    folder = f"{video.encode_prefix}storyboard-1/"
    file = io.BytesIO()
    Image.new("RGB", (320, 90), "teal").save(file, "JPEG")
    storage.put_bytes(f"{folder}0.jpg", file.getvalue())
    storage.put_text(f"{folder}index.vtt", STILLS)
    video.storyboard_key = f"{folder}index.vtt"
    video.save(update_fields=["storyboard_key"])
    return video


def test_tile_turns_its_drum_and_its_menu_hides_the_video_until_undone(
    visitor: BrowserContext, site: str
) -> None:
    with_storyboard(VideoFactory(title="Lanterns"))
    VideoFactory(title="Rivers")
    page = visitor.new_page()
    sign_up(page, site, "mouse")
    page.goto(site)
    lanterns = page.locator(".grid li", has_text="Lanterns")
    drum = page.locator(".tile-drum")

    with page.expect_request("**/storyboard.vtt"):
        lanterns.hover()
    expect(drum).to_be_visible()
    expect(drum).to_have_attribute("style", re.compile("-"))
    page.mouse.move(1, 1)
    expect(drum).to_have_count(0)
    page.get_by_role("link", name="Lanterns", exact=True).focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(drum).to_be_visible()

    lanterns.hover()
    lanterns.locator("[data-tile-menu]").click()
    page.get_by_role("button", name="Save to Watch later").click()
    expect(page.get_by_text("Saved to Watch later")).to_be_visible()
    lanterns.locator("[data-tile-menu]").click()
    expect(page.get_by_role("button", name="Remove from Watch later")).to_be_focused()
    page.get_by_role("button", name="Not interested").click()
    expect(lanterns).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect(lanterns).to_be_visible()
    person = User.objects.get(username="mouse")
    assert not DismissedVideo.objects.exists()
    assert services.watch_later(person).items.count() == 1


def test_finger_hides_a_video_for_good(chromium: Browser, site: str) -> None:
    VideoFactory(title="Lanterns")
    phone = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, locale="en")
    phone.set_default_timeout(PATIENCE_MS)
    page = phone.new_page()
    sign_up(page, site, "finger")
    page.goto(site)

    page.locator("[data-tile-menu]").tap()
    menu = page.locator(".tile-actions")
    box = menu.bounding_box()
    assert box
    assert (box["x"], box["width"], round(box["y"] + box["height"])) == (0, 390, 844), "a sheet at the foot"
    page.get_by_role("button", name="Not interested").tap()
    expect(page.locator(".grid li")).to_be_hidden()
    page.goto(f"{site}/not-interested/")
    page.get_by_role("button", name="Show Lanterns again").tap()
    expect(page.get_by_role("heading", name="No hidden videos")).to_be_visible()
    page.goto(site)
    expect(page.locator(".grid li")).to_be_visible()
    phone.close()


def test_shelf_scrolls_by_its_buttons_and_by_keys(visitor: BrowserContext, site: str) -> None:
    for place in range(1, 10):
        TrendingVideo.objects.create(video=VideoFactory(title=f"Number {place}"), place=place)
    page = visitor.new_page()
    page.goto(site)
    strip = page.get_by_role("region", name="Trending this week").locator(".strip")
    back = page.get_by_role("button", name="Scroll back: Trending this week")
    forward = page.get_by_role("button", name="Scroll forward: Trending this week")
    expect(back).to_have_attribute("aria-disabled", "true")

    forward.click()

    expect(strip.get_by_role("link", name="Number 5", exact=True)).to_be_in_viewport()
    expect(back).to_have_attribute("aria-disabled", "false")
    strip.get_by_role("link", name="Number 9", exact=True).focus()
    expect(strip.get_by_role("link", name="Number 9", exact=True)).to_be_in_viewport()


def test_home_without_scripts_has_the_menu_as_a_page(chromium: Browser, site: str) -> None:
    VideoFactory(title="Lanterns")
    reader = chromium.new_context(java_script_enabled=False, locale="en")
    reader.set_default_timeout(PATIENCE_MS)
    page = reader.new_page()
    page.goto(site)

    page.get_by_role("link", name="More actions: Lanterns").click()

    expect(page.get_by_role("heading", name="Lanterns")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in to save videos")).to_be_visible()
    reader.close()
