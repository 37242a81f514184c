"""Journeys of trims: the owner cuts a video on its page, and watches it to the very end."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.test_journeys import sign_up, upload, wait_for_player
from videos.models import Video
from videos.tests.counting import BITS, counting

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

SECONDS, RATE = 20, 25
# Each frame that is shown is read back: its stripes are the bits of its number in the source.
WATCH = f"""() => {{
  const video = document.querySelector("[data-player] video");
  const canvas = new OffscreenCanvas({BITS}, 1);
  const context = canvas.getContext("2d", {{ willReadFrequently: true }});
  window.shown = [];
  window.read = () => {{
    context.drawImage(video, 0, 0, {BITS}, 1);
    const {{ data }} = context.getImageData(0, 0, {BITS}, 1);
    let number = 0;
    for (let bit = 0; bit < {BITS}; bit++) if (data[4 * bit] > 128) number += 2 ** bit;
    return number;
  }};
  const next = () => {{
    const number = window.read();
    if (window.shown.at(-1) !== number) window.shown.push(number);
    video.requestVideoFrameCallback(next);
  }};
  video.requestVideoFrameCallback(next);
}}"""


def places(page: Page, name: str, seconds: float) -> tuple[float, float, float]:
    """Return where a handle of the editor stands, across and down, and where a time does."""
    handle = page.get_by_role("slider", name=name, exact=True)
    handle.scroll_into_view_if_needed()
    strip = page.locator(".trim-strip").bounding_box()
    box = handle.bounding_box()
    assert strip
    assert box
    across = strip["x"] + strip["width"] * seconds / SECONDS
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, across


def drag(page: Page, name: str, seconds: float) -> None:
    """Drag a handle to a time with the mouse."""
    from_x, y, to_x = places(page, name, seconds)
    page.mouse.move(from_x, y)
    page.mouse.down()
    page.mouse.move(to_x, y, steps=8)
    page.mouse.up()


def drag_by_finger(page: Page, name: str, seconds: float) -> None:
    from_x, y, to_x = places(page, name, seconds)
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def touch(kind: str, *points: float) -> None:
        touched = [{"x": x, "y": y} for x in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    touch("touchStart", from_x)
    for step in range(1, 9):
        touch("touchMove", from_x + (to_x - from_x) * step / 8)
    touch("touchEnd")
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_owner_trims_beginning_and_middle_and_watches_to_the_very_end(
    visitor: BrowserContext, site: str, tmp_path: Path
) -> None:
    clip = counting(tmp_path / "clip.mp4", SECONDS, str(RATE), "-g", "50", "-preset", "ultrafast")
    page = visitor.new_page()
    sign_up(page, site, "editor")
    upload(page, site, clip)
    wait_for_player(page, "!player.paused && player.currentTime > 0.5")
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while (video := Video.objects.get()).status != Video.Status.READY or not video.has_storyboard:
        assert time.monotonic() < deadline, video.status
        time.sleep(0.2)

    page.goto(f"{site}/studio/{video.public_id}/")
    page.get_by_role("link", name="Trim").click()
    expect(page.get_by_text("Nothing is cut yet.")).to_be_visible()
    drag(page, "Start of the video", 3.0)
    # A frame at a time, and a second.
    start = page.get_by_role("slider", name="Start of the video")
    start.press("ArrowRight")
    start.press("Shift+ArrowLeft")
    start.press("Shift+ArrowRight")
    page.evaluate("document.querySelector('[data-player]').currentTime = 8")
    page.get_by_role("button", name="Cut out a part").click()
    drag(page, "End of cut 1", 12.5)
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Redo").click()

    # A finger moves the end, and undo brings it back in one step.
    drag_by_finger(page, "End of the video", 17.0)
    end = page.get_by_role("textbox", name="End of the video")
    expect(end).to_have_value(re.compile(r"0:1[67]\."))
    page.get_by_role("button", name="Undo").click()
    expect(end).to_have_value("0:20.000")

    # The preview jumps over the cut.
    page.evaluate("document.querySelector('[data-player]').currentTime = 7.5")
    page.get_by_role("button", name="Preview").click()
    wait_for_player(page, "player.currentTime > 12.4 && !player.paused")
    page.get_by_role("button", name="Stop preview").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Restore the original")).to_be_visible()

    video = Video.objects.get()
    (first, middle) = video.kept_parts or []
    assert first == pytest.approx([3, 8], abs=0.15)
    assert middle == pytest.approx([12.5, SECONDS], abs=0.15)
    kept = [number for start_s, end_s in (first, middle) for number in _frames(start_s, end_s)]
    page.goto(f"{site}/watch/{video.public_id}/")
    page.evaluate(WATCH)
    wait_for_player(page, "video.ended")
    shown = page.evaluate("window.shown")
    assert set(shown) <= set(kept)
    assert all(before < after for before, after in pairwise(shown))
    assert len(shown) > len(kept) / 4
    assert page.evaluate("window.read()") == kept[-1]
    assert page.evaluate("document.querySelector('[data-player] video').currentTime") == pytest.approx(
        len(kept) / RATE, abs=0.05
    )

    # And back.
    page.goto(f"{site}/studio/{video.public_id}/trim/")
    page.get_by_role("button", name="Restore the original").click()
    expect(page.get_by_text("Nothing is cut yet.")).to_be_visible()
    assert Video.objects.get().duration_s == pytest.approx(SECONDS, abs=0.1)


def _frames(start_s: float, end_s: float) -> range:
    return range(round(start_s * RATE), round(end_s * RATE))
