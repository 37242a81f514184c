"""A script that makes the moving picture of README: ten seconds of the real site.

With a platform running that has its demo content and a broadcast, as for
``docs.make_screenshots``::

    .venv/bin/python -m docs.make_film http://127.0.0.1:8000 demo.json
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from docs.make_screenshots import FOLDER, Studio, play_until
from videoplatform.testing.browser import find_browser
from videos.transcoding.tools import ffmpeg_path

SIZE = (1120, 700)
FRAME_S = 0.11
QUALITY = "60"
WATCHED = "Seven birds at dusk"
SAID = "我也想飞"


class Film:
    """Frames of pages, each with the time until the next one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.list = folder / "frames.txt"
        self.count = 0

    def roll(self, page: Page, seconds: float, act: Callable[[float], None] = lambda _share: None) -> None:
        """Film a page; ``act`` gets the share of the time that has passed before each frame."""
        begun = time.monotonic()
        with self.list.open("a") as frames:
            while (passed := time.monotonic() - begun) < seconds:
                act(passed / seconds)
                path = self.folder / f"{self.count}.jpg"
                page.screenshot(path=path, type="jpeg", quality=92)
                time.sleep(max(0.0, FRAME_S - (time.monotonic() - begun - passed)))
                frames.write(f"file '{path}'\nduration {time.monotonic() - begun - passed:.3f}\n")
                self.count += 1

    def write(self, path: Path) -> None:
        subprocess.run(
            [
                ffmpeg_path(), "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(self.list),
                "-vf", "scale=840:-1:flags=lanczos,fps=9", "-c:v", "libwebp_anim",
                "-quality", QUALITY, "-compression_level", "6", "-loop", "0", str(path),
            ],
            check=True,
        )  # fmt: skip


def home(studio: Studio, film: Film) -> None:
    with studio.page("/", size=SIZE, dark=True) as page:
        page.wait_for_load_state("networkidle")

        def point(share: float) -> None:
            page.mouse.move(SIZE[0] * (0.75 - 0.4 * share), SIZE[1] * (0.7 - 0.25 * share))

        film.roll(page, 2, point)


def watch(studio: Studio, film: Film, path: str) -> None:
    with studio.page(path, who="yun", size=SIZE, dark=True) as page:
        play_until(page, 2.5)
        field = page.locator("video-danmaku [name=text]")
        film.roll(page, 1.2)
        field.fill(SAID)
        film.roll(page, 0.4)
        field.press("Enter")
        film.roll(page, 3)


def live(studio: Studio, film: Film) -> None:
    with (
        studio.page("/@lumi/live/", who="benoit", size=SIZE, dark=True) as page,
        studio.page("/@lumi/live/", who="yun", size=SIZE) as other,
    ):
        for one in (page, other):
            one.wait_for_function("() => document.querySelector('[data-player]')?.currentTime > 0.5")
        film.roll(page, 1)
        for who, words in ((other, "直播延迟不到一秒！"), (page, "Less than a second. Wow.")):
            box = who.get_by_role("textbox").last
            box.fill(words)
            box.press("Enter")
            film.roll(page, 1.3)


def main(site: str, demo: str) -> None:
    passwords = {one["username"]: one["password"] for one in json.loads(Path(demo).read_text())["accounts"]}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(
            executable_path=find_browser(),
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        listed = browser.new_context().request.get(f"{site}/api/v1/videos/").json()["results"]
        watched = next(f"/watch/{video['id']}/" for video in listed if video["title"] == WATCHED)
        studio, film = Studio(browser, site, passwords), Film(Path(folder))
        home(studio, film)
        watch(studio, film, watched)
        live(studio, film)
        film.write(FOLDER / "film.webp")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
