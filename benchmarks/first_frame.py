"""The time from "upload complete" to playback in a browser, for one minute and for fifteen.

.venv/bin/python -m benchmarks.first_frame [seconds ...]
"""

from __future__ import annotations

import statistics
import sys
import time

from playwright.sync_api import Page, sync_playwright

from benchmarks import baseline, harness
from videoplatform.testing.browser import find_browser

MOVES = "() => { const v = document.querySelector('[data-player] video'); return v && v.currentTime > 0.05 }"
ROUNDS = 3


def measure(page: Page, on: harness.Platform, token: str, seconds: int) -> float:
    """Return the seconds from completing the upload to ``currentTime`` > 0.05; delete the video again."""
    video, parts = harness.send(on, token, harness.clip(seconds))
    started = time.monotonic()
    harness.complete(on, token, video, parts)
    # Like the upload page: open the video once it is playable.
    harness.wait_for(on, token, video, "is_playable", True)
    page.goto(f"{on.url}/watch/{video}/")
    page.wait_for_function(MOVES, polling=50, timeout=60_000)
    taken_s = time.monotonic() - started
    page.goto("about:blank")
    on.api(token).delete(f"videos/{video}/").raise_for_status()
    time.sleep(3)  # until the workers have noticed
    return taken_s


def main(lengths: list[int]) -> None:
    with harness.platform() as on, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        page = browser.new_page()
        token = harness.register(on)
        page.goto(on.url)  # warms up the browser, as a viewer's is
        for seconds in lengths:
            taken_s = statistics.median(measure(page, on, token, seconds) for _ in range(ROUNDS))
            floor_s = baseline.first_segment_s(harness.clip(seconds))
            harness.report(
                "first_frame",
                length_s=seconds,
                taken_s=taken_s,
                ffmpeg_first_segment_s=floor_s,
                ratio=taken_s / floor_s,
            )
        browser.close()


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [60, 900])
