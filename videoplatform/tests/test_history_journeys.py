"""A video that is watched on a phone and continued on a laptop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Response, expect

from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.test_journeys import sign_up, upload, wait_for_player
from videos.tests.clips import make_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]


def has_reported(answer: Response, position_s: float) -> bool:
    """Return whether ``answer`` is that to a report from ``position_s`` on."""
    report: Any = answer.request.post_data_json
    return answer.url.endswith("/views/") and report["position_s"] >= position_s


def test_video_continues_on_another_device_until_the_history_is_cleared(
    chromium: Browser, site: str, clips: Path
) -> None:
    phone = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, locale="en")
    phone.set_default_timeout(PATIENCE_MS)
    page = phone.new_page()
    sign_up(page, site, "traveller")
    upload(page, site, make_clip("copiable", clips, seconds=150, size="160x90", rate="10"))
    wait_for_player(page, "!player.paused")
    with page.expect_response(lambda answer: has_reported(answer, 60)):
        page.evaluate("document.querySelector('[data-player]').currentTime = 60")

    laptop = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    laptop.set_default_timeout(PATIENCE_MS)
    laptop.add_cookies([dict(cookie) for cookie in phone.cookies()])  # type: ignore[misc]
    other = laptop.new_page()
    other.goto(site)
    shelf = other.get_by_role("region", name="Continue watching")
    percent = shelf.get_by_role("progressbar", name="Watched").get_attribute("value")
    assert 40 <= int(percent or 0) < 60
    shelf.get_by_role("heading", level=3).get_by_role("link").click()
    wait_for_player(other, "player.currentTime >= 60 && player.currentTime < 100")

    # A player reports its last position when its page goes away, which adds the video again.
    other.goto(f"{site}/history/")
    # A tap on the phone clears it for both.
    page.goto(f"{site}/history/")
    page.locator("summary", has_text="Clear history").tap()
    page.get_by_role("button", name="Clear history").tap()
    expect(page.get_by_role("heading", name="No watched videos yet")).to_be_visible()
    other.goto(site)
    expect(shelf).to_be_hidden()
    phone.close()
    laptop.close()
