"""Journeys in the captions editor."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from videoplatform.tests.test_journeys import wait_for_player
from videoplatform.tests.test_player_journeys import publish_clip
from videoplatform.tests.test_transcript_journeys import caption, captions

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]


def test_captions_are_corrected_split_undone_drafted_and_published(
    visitor: BrowserContext, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    address = publish_clip(page, site, clips)
    caption(page, "en", captions(10))
    page.goto(f"{address.replace('/watch/', '/studio/')}captions/en/edit/")
    rows = page.locator(".cue")
    expect(rows).to_have_count(10)
    publish = page.get_by_role("button", name="Publish", exact=True)
    expect(publish).to_be_disabled()

    # A chosen cue moves the video, and its text is drafted while it is written.
    rows.nth(3).get_by_role("button").first.click()
    wait_for_player(page, "player.currentTime >= 6 && player.currentTime < 7")
    text = page.get_by_label("Text")
    text.fill("Hello there & you")
    expect(page.get_by_text("Draft saved on this device")).to_be_visible()

    # Split at the cursor, and undo.
    text.evaluate("field => field.setSelectionRange(5, 5)")
    text.press("Alt+Enter")
    expect(rows).to_have_count(11)
    page.keyboard.press("Control+z")
    expect(rows).to_have_count(10)
    page.keyboard.press("Control+Shift+z")
    expect(rows).to_have_count(11)

    # Problems are said beside the cue.
    page.get_by_label("Text").fill("")
    expect(page.locator(".cue.is-chosen .cue-problems")).to_contain_text("No text")
    page.get_by_label("Text").fill("Hello again")
    expect(page.get_by_role("button", name="1 problem")).to_be_hidden()

    # The draft survives a reload.
    page.reload()
    page.get_by_role("button", name="Continue with the draft").click()
    expect(rows).to_have_count(11)

    # Published captions are those of the player.
    publish.click()
    expect(page.get_by_text("Published", exact=True)).to_be_visible()
    page.goto(address)
    page.get_by_role("heading", name="Transcript").click()
    expect(page.get_by_role("region", name="Transcript").get_by_text("there & you")).to_be_visible()
    expect(page.get_by_role("region", name="Transcript").get_by_text("Hello again")).to_be_visible()


def test_captions_that_changed_elsewhere_are_not_overwritten_unasked(
    visitor: BrowserContext, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    address = publish_clip(page, site, clips)
    caption(page, "en", captions(3))
    page.goto(f"{address.replace('/watch/', '/studio/')}captions/en/edit/")
    page.locator(".cue").nth(0).get_by_role("button").first.click()
    page.get_by_label("Text").fill("Mine")
    caption(page, "en", captions(4, word="Theirs"))

    page.keyboard.press("Control+s")
    expect(page.get_by_text("changed elsewhere after your draft")).to_be_visible()
    page.get_by_role("button", name="Discard draft").click()
    expect(page.locator(".cue")).to_have_count(4)
    expect(page.locator(".cue").first).to_contain_text("Theirs 0")
