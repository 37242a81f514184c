"""A script that makes the screenshots of README and docs/tour.md.

With a platform running (``bin/run``) on an empty ``DATA_DIR``::

    .venv/bin/python manage.py create_demo --json > demo.json
    .venv/bin/python manage.py publish_test &
    .venv/bin/python -m docs.make_screenshots http://127.0.0.1:8000 demo.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from videoplatform.testing.browser import find_browser

FOLDER = Path(__file__).parent / "screenshots"
DESKTOP, PHONE = (1440, 900), (390, 844)
CHAT = (
    ("benoit", "Is this really live?"),
    ("mira", "看左上角的时钟，只差一秒。"),
    ("benoit", "It is! Less than a second behind my encoder."),
    ("mira", "弹幕也可以飞过去。"),
)


class Studio:
    """A browser that opens pages for demo people, in any size, language and colour scheme."""

    def __init__(self, browser: Browser, site: str, passwords: dict[str, str]) -> None:
        self.browser, self.site, self.passwords = browser, site, passwords
        self.sessions: dict[str, Any] = {}

    @contextmanager
    def page(
        self,
        path: str,
        *,
        who: str = "",
        size: tuple[int, int] = DESKTOP,
        locale: str = "en",
        dark: bool = False,
    ) -> Iterator[Page]:
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=locale,
            color_scheme="dark" if dark else "light",
            storage_state=self.session(who) if who else None,
            is_mobile=size == PHONE,
            has_touch=size == PHONE,
        )
        page = context.new_page()
        page.goto(f"{self.site}{path}")
        yield page
        context.close()

    def session(self, who: str) -> Any:
        if who not in self.sessions:
            context = self.browser.new_context(locale="en")
            page = context.new_page()
            page.goto(f"{self.site}/accounts/login/")
            page.locator("[name=login]").fill(who)
            page.locator("[name=password]").fill(self.passwords[who])
            page.keyboard.press("Enter")
            page.wait_for_url(f"{self.site}/")
            self.sessions[who] = context.storage_state()
            context.close()
        return self.sessions[who]


IMAGES_ARE_LOADED = """() => [...document.images].every(
    (image) => image.complete || image.getBoundingClientRect().top > innerHeight)"""


def keep(page: Page, name: str) -> None:
    page.wait_for_load_state()
    page.wait_for_function(IMAGES_ARE_LOADED)
    page.screenshot(path=FOLDER / f"{name}.png")


def play_until(page: Page, seconds: float) -> None:
    """Play from shortly before ``seconds`` until then, so that danmaku are in flight."""
    begin = "([data, at]) => { const player = document.querySelector('[data-player]');"
    page.wait_for_function("() => document.querySelector('[data-player]')?.currentTime > 0.2")
    page.evaluate(f"{begin} player.currentTime = at; player.play() }}", ["", max(0.1, seconds - 4)])
    page.wait_for_function(f"{begin} return player.currentTime > at }}", arg=["", seconds])


def watching(studio: Studio, videos: dict[str, str]) -> None:
    with studio.page("/") as page:
        keep(page, "home-light")
    with studio.page("/", locale="zh-CN", dark=True) as page:
        keep(page, "home-zh-dark")
    with studio.page(videos["Seven birds at dusk"], who="yun", dark=True) as page:
        play_until(page, 8)
        keep(page, "watch-dark")
        page.get_by_role("heading", name="Comments").scroll_into_view_if_needed()
        page.mouse.wheel(0, 420)
        page.wait_for_timeout(1000)
        keep(page, "comments")
        page.evaluate("scrollTo(0, 0)")
        page.get_by_role("link", name="Report").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        keep(page, "report")
    with studio.page(videos["月光海 · Moonlit sea"], size=PHONE, locale="zh-CN", dark=True) as page:
        play_until(page, 4)
        keep(page, "watch-phone")
    with studio.page("/@lumi/") as page:
        keep(page, "channel")


def creating(studio: Studio, videos: dict[str, str]) -> None:
    with studio.page("/upload/", who="lumi") as page:
        keep(page, "upload")
    with studio.page("/studio/", who="lumi") as page:
        keep(page, "studio")
    edit = videos["走马灯 · The lantern of running horses"].replace("/watch/", "/studio/")
    with studio.page(edit, who="lumi") as page:
        keep(page, "edit")


def live(studio: Studio) -> None:
    with (
        studio.page("/@lumi/live/", who="benoit") as benoit,
        studio.page("/@lumi/live/", who="mira", size=PHONE, locale="zh-CN", dark=True) as mira,
    ):
        pages = {"benoit": benoit, "mira": mira}
        for page in pages.values():
            page.wait_for_function("() => document.querySelector('[data-player]')?.currentTime > 0.5")
        # The delay shrinks while the player finds what machine and network need.
        benoit.wait_for_function(
            "() => parseFloat(document.querySelector('[data-part=delay]').textContent) < 1", timeout=90_000
        )
        for who, words in CHAT:
            box = pages[who].get_by_role("textbox").last
            box.fill(words)
            box.press("Enter")
            expect(benoit.get_by_text(words).first).to_be_visible()
            expect(mira.get_by_text(words).first).to_be_visible()
        benoit.locator("[data-player]").hover()  # so that its controls show the delay
        keep(benoit, "live")
        keep(mira, "live-phone-zh")
    with studio.page("/studio/live/", who="lumi") as page:
        page.wait_for_timeout(6000)  # the page polls the health of the broadcast every few seconds
        keep(page, "studio-live")


def moderating(studio: Studio) -> None:
    with studio.page("/admin/", who="mira") as page:
        page.get_by_role("link", name="Open moderation desk").click()
        page.wait_for_timeout(2500)
        keep(page, "desk")
    with studio.page("/admin/", who="admin", dark=True) as page:
        expect(page.locator(".chart-picture svg").first).to_be_visible()
        keep(page, "admin-dark")
    with studio.page("/", who="benoit") as page:
        page.get_by_role("link", name="Notifications").click()
        expect(page.locator("#bell-menu .notifications")).to_be_visible()
        keep(page, "bell")


def main(site: str, demo: str) -> None:
    known = json.loads(Path(demo).read_text())
    passwords = {account["username"]: account["password"] for account in known["accounts"]}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(),
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        listed = browser.new_context().request.get(f"{site}/api/v1/videos/").json()["results"]
        videos = {video["title"]: f"/watch/{video['id']}/" for video in listed}
        studio = Studio(browser, site, passwords)
        live(studio)
        watching(studio, videos)
        creating(studio, videos)
        moderating(studio)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
