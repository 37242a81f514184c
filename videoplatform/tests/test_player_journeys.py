"""Journeys of the player with mouse, keyboard and touch, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from playwright.sync_api import Browser, BrowserContext, FloatRect, Page, expect

from comments.danmaku.buckets import forget_bucket
from comments.models import Danmaku
from videoplatform.tests.conftest import PATIENCE_MS, phones
from videoplatform.tests.test_journeys import player, sign_up, upload, wait_for_player
from videos.models import Video
from videos.services.captions import add_captions
from videos.tests.clips import make_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

SECONDS = 20

CHINESE = "今天的天气真好我们一起去公园散步吧然后再回家吃一顿热腾腾的火锅"
# Where the picture is: a player may be wider or higher than its video.
PICTURE = """() => {
  const video = document.querySelector("[data-player] video");
  const box = video.getBoundingClientRect();
  const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
  const [width, height] = [scale * video.videoWidth, scale * video.videoHeight];
  return { x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height };
}"""
# The lines of the captions, as they are broken: their widths, and the box of all of them.
CAPTION_LINES = """() => {
  const words = document.querySelector(".player-captions p > span");
  const box = words.parentElement.getBoundingClientRect();
  const widths = [...words.getClientRects()].map((line) => line.width);
  const { backgroundColor, color } = getComputedStyle(words);
  return { ...box.toJSON(), widths, backgroundColor, color };
}"""
# Each flying message's visible part, at every frame of some seconds.
FLIGHTS = """(length_ms) => new Promise((resolve) => {
  const layer = document.querySelector(".danmaku");
  const found = { overlaps: 0, most: 0, rows: {}, lowest: 0, ...layer.getBoundingClientRect().toJSON() };
  const until = performance.now() + length_ms;
  const look = () => {
    const all = [...layer.querySelectorAll("span")].map((one) => one.getBoundingClientRect());
    const seen = all.filter((one) => one.left < found.right && one.right > found.left);
    found.most = Math.max(found.most, seen.length);
    for (const [at, one] of seen.entries()) {
      found.rows[Math.round(one.top)] = true;
      found.lowest = Math.max(found.lowest, one.bottom);
      found.overlaps += seen.slice(at + 1).filter((other) =>
        one.left < other.right - 1 && other.left < one.right - 1
        && one.top < other.bottom - 1 && other.top < one.bottom - 1).length;
    }
    if (performance.now() < until) requestAnimationFrame(look);
    else resolve({ ...found, rows: Object.keys(found.rows).length });
  };
  look();
})"""


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


def add_chinese_captions(video: Video) -> None:
    """Add one cue for the whole video, of a sentence that takes two lines."""
    cue = f"WEBVTT\n\n00:00.000 --> 00:{SECONDS}.000\n{CHINESE}\n"
    add_captions(video, language="zh-Hans", file=ContentFile(cue.encode(), "captions.vtt"))


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

    # A drag away from the bar moves in finer steps, and seeks once, at its end.
    (left, y), width = (bar["x"], bar["y"] + bar["height"] / 2), bar["width"]
    page.mouse.move(left + 0.2 * width, y)
    page.mouse.down()
    page.mouse.move(left + 0.3 * width, y, steps=3)
    page.mouse.move(left + 0.3 * width, y - 250, steps=3)
    page.mouse.move(left + 0.9 * width, y - 250, steps=5)
    expect(page.locator("[data-part=tip-time]")).to_have_text(re.compile(r"^0:07 · 1/10$"))
    assert player(page, f"Math.abs(player.currentTime - {0.62 * SECONDS}) < 0.3")
    page.mouse.up()
    wait_for_player(page, f"Math.abs(player.currentTime - {0.36 * SECONDS}) < 0.3")

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

    # Danmaku are sent from the bar of the player, and its field goes back below the player.
    field = page.get_by_role("textbox", name="Danmaku")
    field.fill("Hello from full screen")
    field.press("Enter")
    expect(page.locator(".danmaku > span")).to_have_text("Hello from full screen")
    page.keyboard.press("f")
    page.wait_for_function("!document.fullscreenElement")
    wait_for_player(page, "!player.contains(document.querySelector('.danmaku-write'))")

    # Audio alone is a picture with its title, not a black rectangle.
    upload(page, site, make_clip("audio_only", clips, seconds=5))
    wait_for_player(page, "player.currentTime > 0.2")
    cover = page.locator(".player-cover")
    expect(cover).to_contain_text("audio only")
    expect(cover.locator(".player-cover-mark, img").first).to_be_visible()
    expect(page.locator("[data-player]")).to_have_css("background-image", re.compile("gradient"))


def test_player_is_controlled_by_touch(chromium: Browser, site: str, clips: Path) -> None:
    laptop = chromium.new_page(locale="en")
    laptop.set_default_timeout(PATIENCE_MS)
    address = publish_clip(laptop, site, clips)
    laptop.close()
    add_chinese_captions(Video.objects.get())
    phone = chromium.new_context(
        viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True, locale="zh-CN"
    )
    phone.set_default_timeout(PATIENCE_MS)
    page = phone.new_page()
    page.add_init_script("ScreenOrientation.prototype.lock = async (kind) => { window.turnedTo = kind; };")
    page.goto(address)
    wait_for_player(page, "!player.paused && player.currentTime > 0.2")
    frame = box_of(page, "[data-player]")

    # Each button is inside the player.
    page.touchscreen.tap(frame["x"] + 10, frame["y"] + 20)
    for name in ("字幕", "全屏", "设置：清晰度、倍速"):
        button = page.get_by_role("button", name=name).bounding_box()
        assert button is not None
        assert button["x"] + button["width"] <= frame["x"] + frame["width"]

    # A tap on the shade above the bar counts as a tap on the video, which hides the bar.
    page.touchscreen.tap(frame["x"] + 10, frame["y"] + 0.45 * frame["height"])
    wait_for_player(page, "player.classList.contains('is-idle')")
    # The tap that shows the controls presses no button that it makes appear.
    middle = (frame["x"] + frame["width"] / 2, frame["y"] + (frame["height"] - 76) / 2)
    page.touchscreen.tap(*middle)
    wait_for_player(page, "!player.classList.contains('is-idle') && !player.paused")

    # The large buttons in the middle pause and skip.
    big = page.locator(".player-centre").get_by_role("button", name="暂停")
    assert big.evaluate("(button) => [button.offsetWidth, button.offsetHeight]") == [64, 64]
    big.tap()
    wait_for_player(page, "player.paused")
    player(page, "(player.currentTime = 2)")
    page.get_by_role("button", name="前进 10 秒").tap()
    wait_for_player(page, "player.currentTime === 12")
    page.get_by_role("button", name="后退 10 秒").tap()
    wait_for_player(page, "player.currentTime === 2")
    page.locator(".player-centre").get_by_role("button", name="播放").tap()
    wait_for_player(page, "!player.paused && player.classList.contains('is-idle')")

    # A double tap at a side skips, and a third tap skips further.
    player(page, "(player.pause(), player.currentTime = 0)")
    for _tap in range(3):
        page.touchscreen.tap(frame["x"] + frame["width"] - 12, frame["y"] + 24)
    expect(page.locator("[data-part=ripple-text]")).to_have_text("+20 s")
    wait_for_player(page, "player.currentTime > 19")

    # A finger that stays plays faster as long as it stays.
    player(page, "(player.currentTime = 2, player.play())")
    touch = phone.new_cdp_session(page)
    spot = {"x": frame["x"] + 30, "y": frame["y"] + 30}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [spot]})
    wait_for_player(page, "video.playbackRate === 2 && player.classList.contains('is-held')")
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait_for_player(page, "video.playbackRate === 1 && !player.paused")

    # Full screen turns a wide video sideways.
    page.get_by_role("button", name="全屏").tap()
    page.wait_for_function("document.fullscreenElement && window.turnedTo === 'landscape'")
    page.evaluate("document.exitFullscreen()")
    page.wait_for_function("!document.fullscreenElement")

    # Turning the phone sideways fills the screen, and upright leaves it.
    page.touchscreen.tap(frame["x"] + 10, frame["y"] + 20)
    turn = """(type) => {
      Object.defineProperty(screen.orientation, "type", { value: type, configurable: true });
      screen.orientation.dispatchEvent(new Event("change"));
    }"""
    wait_for_player(page, "!player.paused")
    page.evaluate(turn, "landscape-primary")
    page.wait_for_function("document.fullscreenElement")
    page.evaluate(turn, "portrait-primary")
    page.wait_for_function("!document.fullscreenElement")

    # The speed menu is a sheet that shows all speeds, including the chosen one.
    page.get_by_role("button", name="设置：清晰度、倍速").tap()
    expect(page.get_by_role("menuitem", name="快捷键")).to_have_count(0)
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


def test_captions_and_danmaku_keep_to_the_frame_of_a_phone(chromium: Browser, site: str, clips: Path) -> None:
    laptop = chromium.new_page(locale="en")
    laptop.set_default_timeout(PATIENCE_MS)
    address = publish_clip(laptop, site, clips)
    laptop.close()
    video = Video.objects.get()
    add_chinese_captions(video)
    # Many of different lengths at once: more than the lanes hold.
    for number in range(40):
        text = f"{number} " + "弹幕" * (1 + number % 7)
        Danmaku.objects.create(
            target=video, author=video.channel.owner, offset_ms=2000 + 50 * number, text=text
        )
    forget_bucket(video, 2000)

    for phone in phones(chromium):
        page = phone.new_page()
        page.goto(address)
        wait_for_player(page, "!player.paused && player.currentTime > 0.2")
        page.evaluate("document.querySelector('[data-player]').scrollIntoView({ block: 'center' })")
        picture = page.evaluate(PICTURE)

        page.evaluate("document.querySelector('[data-player]').currentTime = 1.5")
        flights = page.evaluate(FLIGHTS, 5000)
        assert flights["overlaps"] == 0
        assert flights["most"] >= 3
        # More than half of the lanes' room is used, and nothing leaves the picture.
        assert flights["rows"] >= 3
        assert flights["lowest"] > picture["y"] + 0.3 * picture["height"]
        assert flights["left"] >= picture["x"] - 1
        assert flights["right"] <= picture["x"] + picture["width"] + 1
        assert flights["top"] >= picture["y"] - 1
        assert flights["bottom"] <= picture["y"] + picture["height"] + 1

        page.touchscreen.tap(picture["x"] + picture["width"] / 2, picture["y"] + 20)
        page.get_by_role("button", name=re.compile("^(字幕|Captions)$")).tap()
        expect(page.locator(".player-captions p")).to_have_text(CHINESE)
        lines = page.evaluate(CAPTION_LINES)
        # Dark backing, light letters, and lines of like length inside of the picture.
        assert (lines["backgroundColor"], lines["color"]) == ("rgba(0, 0, 0, 0.76)", "rgb(255, 255, 255)")
        assert min(lines["widths"]) > 0.5 * max(lines["widths"])
        assert lines["left"] >= picture["x"]
        assert lines["right"] <= picture["x"] + picture["width"]
        # Danmaku leave the lines of the captions free.
        assert page.evaluate(FLIGHTS, 500)["lowest"] <= lines["top"] + 1
