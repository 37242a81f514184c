"""The end of a video in a real browser: the next one, replay, loops, and the end in a frame."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.tests.factories import UserFactory
from videoplatform.tests.conftest import phones
from videoplatform.tests.test_journeys import player, sign_up, upload, wait_for_player
from videos.models import Video
from videos.tests.clips import make_clip
from videos.tests.factories import VideoFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

SECONDS = 8


def play_to_the_end(page: Page) -> None:
    player(page, f"(player.currentTime = {SECONDS - 0.6}, player.play())")
    wait_for_player(page, "player.ended && player.classList.contains('has-end')")


def test_end_screen_goes_on_unless_the_viewer_wants_otherwise(
    visitor: BrowserContext, chromium: Browser, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    sign_up(page, site, "filmmaker")
    upload(page, site, make_clip("landscape", clips, seconds=SECONDS))
    wait_for_player(page, f"player.available > {SECONDS - 1} && video.readyState > 0")
    video = Video.objects.get()
    for number in range(2):
        VideoFactory(channel=video.channel, title=f"Own {number}", encoded=False)
    following = VideoFactory(
        channel=UserFactory().channel, title="Harbour at dawn", category=video.category, encoded=False
    )
    address = f"{site}{video.get_absolute_url()}"
    page.goto(address)
    wait_for_player(page, "video.readyState > 0")

    # The part from A to B repeats until it is switched off.
    player(page, "(player.pause(), player.currentTime = 1)")
    page.keyboard.press("b")
    player(page, "(player.currentTime = 2)")
    page.keyboard.press("b")
    player(page, "(player.currentTime = 1.6, player.play())")
    wait_for_player(page, "player.section.isComplete && player.currentTime < 1.5")
    wait_for_player(page, "player.currentTime > 1.6")
    wait_for_player(page, "player.currentTime < 1.5")
    page.keyboard.press("b")
    wait_for_player(page, "player.currentTime > 2.5")

    # A loop never comes to the end.
    page.keyboard.press("r")
    player(page, f"(player.currentTime = {SECONDS - 0.6}, player.play())")
    wait_for_player(page, "!player.ended && player.currentTime < 3")
    page.keyboard.press("r")

    # Cancel stays, and Replay begins again.
    play_to_the_end(page)
    end = page.get_by_role("group", name="End of the video")
    expect(end).to_contain_text("Harbour at dawn")
    expect(end.get_by_role("link", name=re.compile("Own"))).to_have_count(2)
    page.keyboard.press("Escape")
    expect(end.get_by_role("button", name="Cancel")).to_be_hidden()
    end.get_by_role("button", name="Replay").click()
    wait_for_player(page, "!player.paused && !player.classList.contains('has-end') && player.currentTime < 5")

    # Autoplay that is off is remembered by the browser.
    play_to_the_end(page)
    end.get_by_role("switch", name="Autoplay").uncheck()
    page.reload()
    wait_for_player(page, "video.readyState > 0")
    play_to_the_end(page)
    expect(end.get_by_role("button", name="Cancel")).to_be_hidden()
    end.get_by_role("switch", name="Autoplay").check()
    page.wait_for_url(f"**{following.get_absolute_url()}")

    # In a frame of another site there is no next video.
    page.goto(f"{site}/embed/{video.public_id}/?autoplay")
    wait_for_player(page, "video.readyState > 0")
    play_to_the_end(page)
    expect(end.get_by_role("link", name=re.compile("Watch on"))).to_have_attribute(
        "href", video.get_absolute_url()
    )

    # A phone shows the countdown inside of its player, and a finger starts the next video at once.
    for phone in phones(chromium):
        small = phone.new_page()
        small.goto(address)
        wait_for_player(small, "video.readyState > 0")
        play_to_the_end(small)
        frame = small.locator("[data-player]").bounding_box()
        assert frame
        for name in (re.compile("Cancel|取消"), re.compile("Replay|重播|重新播放")):
            box = small.locator("end-screen").get_by_role("button", name=name).bounding_box()
            assert box
            assert box["height"] >= 44
            assert box["y"] >= frame["y"]
            assert box["y"] + box["height"] <= frame["y"] + frame["height"]
        small.locator("end-screen").get_by_role("link", name=re.compile("Play now|立即播放")).tap()
        small.wait_for_url(f"**{following.get_absolute_url()}")
