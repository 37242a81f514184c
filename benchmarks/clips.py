"""The time from a request that makes a clip to its playback in a browser.

The baseline is the page of the video itself at the same moment.

.venv/bin/python -m benchmarks.clips
"""

from __future__ import annotations

import statistics
import time

from playwright.sync_api import Page, sync_playwright

from benchmarks import harness
from videoplatform.testing.browser import find_browser

MOVES = (
    "() => { const video = document.querySelector('[data-player] video'); return video?.currentTime > %s }"
)
ROUNDS = 5
LENGTH_S = 60
CLIP_S = 20


def moving_s(page: Page, url: str, start_s: float, began: float) -> float:
    """Return the seconds from ``began`` until the player of ``url`` has moved beyond ``start_s``."""
    page.goto(url)
    page.wait_for_function(MOVES % (start_s + 0.05), polling=20, timeout=60_000)
    taken_s = time.monotonic() - began
    page.goto("about:blank")
    return taken_s


def main() -> None:
    with harness.platform() as on, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        page = browser.new_page()
        token = harness.register(on)
        video, parts = harness.send(on, token, harness.clip(LENGTH_S, size="1280x720"))
        harness.complete(on, token, video, parts)
        harness.wait_for(on, token, video, "status", "ready")
        moving_s(page, f"{on.url}/watch/{video}/", 0, time.monotonic())  # warms up the browser
        clips, pages = [], []
        for number in range(ROUNDS):
            start_s = 5.0 + number
            began = time.monotonic()
            body = {"title": "", "start_s": start_s, "end_s": start_s + CLIP_S}
            made = on.api(token).post(f"videos/{video}/clips/", json=body)
            made.raise_for_status()
            begin_s = made.json()["playback"]["in_s"]
            clips.append(moving_s(page, f"{on.url}/clips/{made.json()['id']}/", begin_s, began))
            pages.append(moving_s(page, f"{on.url}/watch/{video}/?t={start_s}", start_s, time.monotonic()))
        taken_s, page_s = statistics.median(clips), statistics.median(pages)
        harness.report("clips", clip_playing_s=taken_s, page_of_video_s=page_s, ratio=taken_s / page_s)
        browser.close()


if __name__ == "__main__":
    main()
