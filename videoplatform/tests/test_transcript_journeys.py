"""Journeys with the transcript beside a video."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from videoplatform.tests.test_journeys import wait_for_player
from videoplatform.tests.test_player_journeys import publish_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

ADD_CAPTIONS = """async ([language, text]) => {
  const id = document.querySelector("[data-player]").dataset.video;
  const body = new FormData();
  body.append("language", language);
  body.append("file", new File([text], "captions.vtt"));
  const token = document.cookie.match(/csrftoken=([^;]+)/)[1];
  const options = { method: "POST", body, headers: { "X-CSRFToken": token } };
  return (await fetch(`/api/v1/videos/${id}/captions/`, options)).status;
}"""


def captions(count: int, *, every_ms: int = 2000, word: str = "Line") -> str:
    """Return WebVTT with ``count`` cues, one after the other."""
    cues = []
    for number in range(count):
        start_ms = number * every_ms
        times = [
            f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
            for ms in (start_ms, start_ms + 1900)
        ]
        cues.append(f"{times[0]} --> {times[1]}\n{word} {number}\n")
    return "WEBVTT\n\n" + "\n".join(cues)


def caption(page: Page, language: str, text: str) -> None:
    assert page.evaluate(ADD_CAPTIONS, [language, text]) == 201


def test_transcript_is_searched_clicked_and_follows_the_video(
    visitor: BrowserContext, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    publish_clip(page, site, clips)
    caption(page, "en", captions(3000))
    caption(page, "de", captions(10, word="Zeile"))
    page.reload()
    panel = page.get_by_role("region", name="Transcript")
    page.evaluate("performance.clearResourceTimings()")
    page.keyboard.press("k")

    # The words are fetched when it is opened, in the reader's language.
    assert "captions/en" not in page.evaluate(
        "performance.getEntriesByType('resource').map(e => e.name).join()"
    )
    panel.get_by_role("heading", name="Transcript").click()
    expect(panel.get_by_role("listitem").first).to_contain_text("Line 0")

    # A line goes to its time and is marked.
    panel.get_by_role("button", name="Line 5", exact=False).first.click()
    wait_for_player(page, "player.currentTime >= 10 && player.currentTime < 13")
    expect(panel.locator("[aria-current]")).to_contain_text("Line 5")

    # The search shows the matches alone.
    panel.get_by_role("searchbox").fill("LINE 299")
    expect(panel.get_by_role("status")).to_have_text("11 matches")
    expect(panel.locator("li:not([hidden]) mark").first).to_have_text("Line 299")
    panel.get_by_role("searchbox").fill("")
    expect(panel.get_by_role("status")).to_have_text("")

    # It stops following while its reader scrolls, and goes on when asked.
    panel.get_by_role("list").hover()
    page.mouse.wheel(0, 4000)
    panel.get_by_role("button", name="Back to current line").click()
    expect(panel.locator("[aria-current]")).to_be_in_viewport()

    # Another language, and the player draws its captions once.
    panel.get_by_label("Language").select_option("de")
    expect(panel.get_by_role("listitem").first).to_contain_text("Zeile 0")
    assert page.evaluate("document.querySelector('[data-player] video').textTracks.length") == 2
