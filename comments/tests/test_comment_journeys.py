"""Journeys of comments and danmaku, with two real browsers and real processes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import Report, User
from comments.models import Comment, Danmaku
from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.test_journeys import sign_up, upload, wait_for_player
from videos.models import Video
from videos.tests.clips import make_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]


LATE_S = 4  # later messages are dropped
# The message's x in px and the playhead in s, for each frame that shows the message.
NOTE_WHAT_FLIES = """() => {
  window.flown = { places: [], times: [] };
  const note = () => {
    const flying = document.querySelector(".danmaku > span");
    if (flying) {
      window.flown.places.push(flying.getBoundingClientRect().x);
      window.flown.times.push(document.querySelector("[data-player]").currentTime);
    }
    requestAnimationFrame(note);
  };
  note();
}"""


@pytest.fixture
def other(chromium: Browser) -> Iterator[BrowserContext]:
    """Yield a second person's browser."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def watched(visitor: BrowserContext, site: str, clips: Path) -> Page:
    """Return the creator's page of a fully encoded video of 30 s, paused."""
    page = visitor.new_page()
    sign_up(page, site, "creator")
    upload(page, site, make_clip("landscape", clips, seconds=30))
    # A seek beyond the encoded part would be clamped to its end.
    wait_for_player(page, "!player.paused && player.currentTime > 0.2 && player.available > 29")
    page.evaluate("document.querySelector('[data-player]').pause()")
    return page


def open_as(context: BrowserContext, site: str, username: str) -> Page:
    """Return the page of the only video in another person's browser, paused."""
    page = context.new_page()
    sign_up(page, site, username)
    page.goto(f"{site}/watch/{Video.objects.get().public_id}/")
    wait_for_player(page, "!player.paused && player.currentTime > 0.2 && player.available > 29")
    page.evaluate("document.querySelector('[data-player]').pause()")
    return page


def test_comment_reply_like_pin_and_delete_between_two_people(
    watched: Page, other: BrowserContext, site: str
) -> None:
    page = open_as(other, site, "Alice")
    composer = page.get_by_label("Your comment")
    composer.fill("Look at 0:12, @creator!\nSecond line <b>")
    composer.press("Control+Enter")
    comment = page.get_by_role("article", name="Comment by Alice")
    expect(comment).to_contain_text("Second line <b>")
    expect(composer).to_have_value("")

    comment.get_by_role("link", name="0:12").click()
    wait_for_player(page, "player.currentTime >= 12")
    comment.get_by_role("button", name="Like").click()
    expect(comment.get_by_role("button", name="Like")).to_have_attribute("aria-pressed", "true")

    watched.reload()
    seen = watched.get_by_role("article", name="Comment by Alice")
    seen.get_by_role("link", name="Reply").click()
    watched.get_by_label("Reply to Alice").fill("I see")
    watched.get_by_role("button", name="Reply", exact=True).click()
    expect(watched.get_by_role("article", name="Comment by creator")).to_contain_text("I see")
    seen.hover()
    seen.get_by_label("Comment actions").click()
    seen.get_by_role("button", name="Pin").click()
    expect(watched.get_by_text("Pinned by creator")).to_be_visible()

    page.reload()
    page.locator("summary", has_text="1 reply").click()
    expect(page.get_by_role("article", name="Comment by creator")).to_contain_text("I see")
    comment.get_by_label("Comment actions").click()
    comment.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This comment was deleted.")).to_be_visible()

    root, reply = Comment.objects.order_by("pk")
    assert (root.like_count, root.mentions, reply.parent) == (1, ["creator"], root)
    assert root.deleted_at


def test_too_long_comment_is_refused_and_kept_in_the_form(watched: Page) -> None:
    composer = watched.get_by_label("Your comment")
    composer.fill("x" * 2003)
    expect(watched.get_by_text("-3", exact=True)).to_be_visible()
    watched.get_by_role("button", name="Comment", exact=True).click()

    expect(watched.get_by_role("alert").filter(has_text="too long")).to_be_visible()
    assert len(watched.get_by_label("Your comment").input_value()) == 2003


def test_danmaku_posted_in_one_browser_flies_in_another_at_its_time(
    watched: Page, other: BrowserContext, site: str
) -> None:
    watched.evaluate("document.querySelector('[data-player]').currentTime = 0")
    page = open_as(other, site, "Alice")
    page.evaluate("document.querySelector('[data-player]').currentTime = 16")
    wait_for_player(page, "!video.seeking && Math.abs(player.currentTime - 16) < 0.5")
    line = page.get_by_placeholder("Send danmaku at this moment")
    line.fill("here it flies")
    line.press("Enter")
    expect(line).to_have_value("")

    # The message was posted after this page read the danmaku, and the page is not reloaded.
    watched.evaluate(NOTE_WHAT_FLIES)
    watched.get_by_role("region", name="Video player").focus()
    watched.keyboard.press("k")
    flying = watched.locator(".danmaku > span", has_text="here it flies")
    flying.wait_for(state="attached")
    watched.wait_for_function(
        "() => { const { places, times } = window.flown;"
        " return times.at(-1) > times[0] + 0.5 && places.at(-1) < places[0] - 50; }"
    )
    flown = watched.evaluate("window.flown")
    watched.keyboard.press("d")

    # The message appears at its moment, and moves to the left while the video plays.
    assert 16 <= flown["times"][0] < 16 + LATE_S
    assert flown["times"] == sorted(flown["times"])
    assert flown["places"] == sorted(flown["places"], reverse=True)
    expect(flying).to_be_hidden()
    expect(watched.get_by_role("button", name=re.compile("Danmaku")).first).to_have_attribute(
        "aria-pressed", "false"
    )
    assert Danmaku.objects.get().offset_ms == pytest.approx(16_000, abs=500)


def test_danmaku_is_reported_and_deleted(watched: Page, other: BrowserContext, site: str) -> None:
    page = open_as(other, site, "Alice")
    page.evaluate("document.querySelector('[data-player]').currentTime = 5")
    wait_for_player(page, "!video.seeking && Math.abs(player.currentTime - 5) < 0.5")
    line = page.get_by_placeholder("Send danmaku at this moment")
    line.fill("rude words")
    line.press("Enter")
    expect(line).to_have_value("")

    watched.reload()
    watched.evaluate("document.querySelector('[data-player]').play()")
    watched.locator(".danmaku > span", has_text="rude words").wait_for(state="attached")
    watched.evaluate("document.querySelector('[data-player]').pause()")
    watched.get_by_label("Danmaku list").click()
    watched.get_by_role("button", name="Report “rude words”").click()
    dialog = watched.get_by_role("dialog", name="Report")
    dialog.get_by_role("radio").first.check()
    dialog.get_by_role("button", name="Submit report").click()
    expect(dialog).to_be_hidden()
    report = Report.objects.get()

    watched.get_by_label("Danmaku list").click()
    remove = watched.get_by_role("button", name="Delete “rude words”")
    remove.click()
    expect(remove).to_be_hidden()

    flying = Danmaku.objects.get()
    assert (report.case.target_type, report.case.target_id) == ("danmaku", flying.public_id)
    assert flying.deleted_by == User.objects.get(username="creator")
