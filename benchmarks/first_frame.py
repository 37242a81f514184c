"""The times from "upload complete" to playback in a browser, and from a jump to playback in the middle.

.venv/bin/python -m benchmarks.first_frame [seconds ...]    one minute and fifteen by default
.venv/bin/python -m benchmarks.first_frame hevc 3600

The jump comes as soon as the video plays, so the middle is not encoded yet.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks import baseline, harness
from videoplatform.testing.browser import find_browser
from videos.transcoding.chunks import SEGMENT_S

VIDEO = "document.querySelector('[data-player] video')"
MOVES = f"(from) => {{ const video = {VIDEO}; return video && video.currentTime > from + 0.05 }}"
ROUNDS = 3


def measure(page: Page, on: harness.Platform, token: str, path: Path, middle_s: float) -> tuple[float, float]:
    """Return the seconds from completing the upload, and from a jump, to moving frames; delete the video."""
    video, parts = harness.send(on, token, path)
    started = time.monotonic()
    harness.complete(on, token, video, parts)
    # Like the upload page: open the video once it is playable.
    harness.wait_for(on, token, video, "is_playable", True)
    page.goto(f"{on.url}/watch/{video}/")
    page.wait_for_function(MOVES, arg=0, polling=50, timeout=60_000)
    taken_s = time.monotonic() - started
    jumped = time.monotonic()
    page.evaluate(f"document.querySelector('[data-player]').currentTime = {middle_s}")
    page.wait_for_function(MOVES, arg=middle_s, polling=50, timeout=600_000)
    jump_s = time.monotonic() - jumped
    page.goto("about:blank")
    on.api(token).delete(f"videos/{video}/").raise_for_status()
    time.sleep(3)  # until the workers have noticed
    return taken_s, jump_s


def main(lengths: list[int], codec: str) -> None:
    with harness.platform() as on, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        page = browser.new_page()
        token = harness.register(on)
        page.goto(on.url)  # warms up the browser, as a viewer's is
        for seconds in lengths:
            path = harness.clip(seconds, codec=codec)
            middle = seconds // 2 // SEGMENT_S
            rounds = [measure(page, on, token, path, middle * SEGMENT_S) for _ in range(ROUNDS)]
            taken_s, jump_s = map(statistics.median, zip(*rounds, strict=True))
            floor_s = baseline.first_segment_s(path)
            harness.report(
                "first_frame",
                codec=codec,
                length_s=seconds,
                taken_s=taken_s,
                ffmpeg_first_segment_s=floor_s,
                ratio=taken_s / floor_s,
                jump_s=jump_s,
                ffmpeg_middle_segment_s=baseline.first_segment_s(path, segment=middle),
            )
        browser.close()


if __name__ == "__main__":
    named = [argument for argument in sys.argv[1:] if not argument.isdecimal()]
    main(
        [int(argument) for argument in sys.argv[1:] if argument.isdecimal()] or [60, 900], *named or ["h264"]
    )
