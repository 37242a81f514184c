"""Journeys of the player with mouse, keyboard and touch, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FloatRect, Page, expect

from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.test_journeys import player, sign_up, upload, wait_for_player
from videos.tests.clips import make_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

SECONDS = 20


def publish_clip(page: Page, site: str, clips: Path) -> str:
    """Upload a clip as a new person; return the address of its page once the whole clip plays."""
    sign_up(page, site, "filmmaker")
    upload(page, site, make_clip("landscape", clips, seconds=SECONDS))
    wait_for_player(page, "video.readyState > 0")
    # A seek beyond the encoded part waits, and playback continues there by itself.
    page.evaluate("document.querySelector('[data-player]').currentTime = 12")
    wait_for_player(page, "!player.paused && video.currentTime > 12")
    page.evaluate("document.querySelector('[data-player]').currentTime = 0")
    wait_for_player(page, f"player.available > {SECONDS - 1}")
    return page.url


def box_of(page: Page, selector: str) -> FloatRect:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box


def test_player_is_controlled_by_mouse_and_keyboard(visitor: BrowserContext, site: str, clips: Path) -> None:
    page = visitor.new_page()
    address = publish_clip(page, site, clips)
    page.keyboard.press("k")
    wait_for_player(page, "player.paused")

    # The seek bar follows the mouse exactly.
    bar = box_of(page, "[data-part=seek-input]")
    for share in (0.37, 0.62):
        page.mouse.click(bar["x"] + share * bar["width"], bar["y"] + bar["height"] / 2)
        wait_for_player(page, f"Math.abs(player.currentTime - {share * SECONDS}) < 0.3")

    # A click on the shade above the bar counts as a click on the video.
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] - 30)
    wait_for_player(page, "!player.paused")

    # The controls stay while the mouse rests on the seek bar, and hide while it rests on the video.
    page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.wait_for_timeout(3000)
    assert page.evaluate("!document.querySelector('[data-player]').classList.contains('is-idle')")
    page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] - 150)
    wait_for_player(page, "player.classList.contains('is-idle')")

    # Tab reaches the hidden controls and shows them.
    page.mouse.move(5, 5)
    wait_for_player(page, "player.classList.contains('is-idle')")
    page.evaluate("document.querySelector('[data-player]').focus()")
    page.keyboard.press("Tab")
    wait_for_player(page, "player.contains(document.activeElement) && document.activeElement !== player")
    wait_for_player(page, "!player.classList.contains('is-idle')")

    # At the end, Replay restarts the video.
    page.keyboard.press("End")
    page.evaluate("document.querySelector('[data-player]').play()")
    wait_for_player(page, "player.ended")
    page.get_by_role("button", name="Replay").first.click()
    wait_for_player(page, "!player.paused && player.currentTime < 5")

    # An address of the very end plays to it.
    page.goto(f"{address}?t={SECONDS - 0.05}")
    wait_for_player(page, "player.ended")


def test_player_in_full_screen_fills_the_screen(visitor: BrowserContext, site: str, clips: Path) -> None:
    page = visitor.new_page()
    publish_clip(page, site, clips)
    page.keyboard.press("f")
    wait_for_player(page, "document.fullscreenElement === player")

    # The page's scroll bar takes no space.
    assert player(page, "Math.round(player.getBoundingClientRect().width) - window.innerWidth") == 0


def test_player_is_controlled_by_touch(chromium: Browser, site: str, clips: Path) -> None:
    laptop = chromium.new_page(locale="en")
    laptop.set_default_timeout(PATIENCE_MS)
    address = publish_clip(laptop, site, clips)
    laptop.close()
    phone = chromium.new_context(
        viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True, locale="zh-CN"
    )
    phone.set_default_timeout(PATIENCE_MS)
    page = phone.new_page()
    page.goto(address)
    wait_for_player(page, "!player.paused && player.currentTime > 0.2")
    frame = box_of(page, "[data-player]")

    # Each button is inside the player.
    page.touchscreen.tap(frame["x"] + frame["width"] / 2, frame["y"] + 20)
    for name in ("全屏", "设置：清晰度、倍速"):
        button = page.get_by_role("button", name=name).bounding_box()
        assert button is not None
        assert button["x"] + button["width"] <= frame["x"] + frame["width"]

    # The speed menu is a sheet that shows all speeds, including the chosen one.
    page.get_by_role("button", name="设置：清晰度、倍速").tap()
    page.get_by_role("menuitem", name="倍速").tap()
    for speed in ("0.25×", "正常", "2×"):
        expect(page.get_by_role("menuitemradio", name=speed, exact=True)).to_be_in_viewport(ratio=1)
    page.get_by_role("menuitemradio", name="1.5×").tap()
    wait_for_player(page, "video.playbackRate === 1.5")

    # Held sideways, the phone shows the whole player.
    page.set_viewport_size({"width": 640, "height": 320})
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("[data-player]")).to_be_in_viewport(ratio=1)
    phone.close()
