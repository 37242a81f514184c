"""What people say to each other, in two real browsers against real processes."""

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


LATE_S = 4  # what comes up later than this is let go
# Where the message is, in px, and where the playhead, from the moment it is on the picture.
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
    """A second person's browser."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def watched(visitor: BrowserContext, site: str, tmp_path: Path) -> Page:
    """The creator's own page of a video of 30 s, as soon as it plays."""
    page = visitor.new_page()
    sign_up(page, site, "creator")
    upload(page, site, make_clip("landscape", tmp_path, seconds=30))
    wait_for_player(page, "!player.paused && player.currentTime > 0.2")
    page.evaluate("document.querySelector('[data-player]').pause()")
    return page


def open_as(context: BrowserContext, site: str, username: str) -> Page:
    """Somebody else on the page of the only video."""
    page = context.new_page()
    sign_up(page, site, username)
    page.goto(f"{site}/watch/{Video.objects.get().public_id}/")
    wait_for_player(page, "!player.paused && player.currentTime > 0.2")
    page.evaluate("document.querySelector('[data-player]').pause()")
    return page


def test_two_people_talk_below_a_video(watched: Page, other: BrowserContext, site: str) -> None:
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
    watched.get_by_label("Your reply to Alice").fill("I see")
    watched.get_by_role("button", name="Reply", exact=True).click()
    expect(watched.get_by_role("article", name="Comment by creator")).to_contain_text("I see")
    seen.hover()
    seen.get_by_label("What you can do with this comment").click()
    seen.get_by_role("button", name="Pin to the top").click()
    expect(watched.get_by_text("Pinned by creator")).to_be_visible()

    page.reload()
    page.locator("summary", has_text="1 reply").click()
    expect(page.get_by_role("article", name="Comment by creator")).to_contain_text("I see")
    comment.get_by_label("What you can do with this comment").click()
    comment.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This comment is no longer here.")).to_be_visible()

    root, reply = Comment.objects.order_by("pk")
    assert (root.like_count, root.mentions, reply.parent) == (1, ["creator"], root)
    assert root.deleted_at


def test_what_is_too_long_comes_back_and_is_counted(watched: Page) -> None:
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
    line = page.get_by_placeholder("Let something fly at this moment")
    line.fill("here it flies")
    line.press("Enter")
    expect(line).to_have_value("")

    # It was not there when this page read what flies, and the page is not loaded anew.
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

    # It came up with its moment, and went to the left while the picture went on.
    assert 16 <= flown["times"][0] < 16 + LATE_S
    assert flown["times"] == sorted(flown["times"])
    assert flown["places"] == sorted(flown["places"], reverse=True)
    expect(flying).to_be_hidden()
    expect(watched.get_by_role("button", name=re.compile("Danmaku")).first).to_have_attribute(
        "aria-pressed", "false"
    )
    assert Danmaku.objects.get().offset_ms == pytest.approx(16_000, abs=500)


def test_what_flew_is_reported_by_one_and_taken_away_by_another(
    watched: Page, other: BrowserContext, site: str
) -> None:
    page = open_as(other, site, "Alice")
    page.evaluate("document.querySelector('[data-player]').currentTime = 5")
    wait_for_player(page, "!video.seeking && Math.abs(player.currentTime - 5) < 0.5")
    line = page.get_by_placeholder("Let something fly at this moment")
    line.fill("rude words")
    line.press("Enter")
    expect(line).to_have_value("")

    watched.reload()
    watched.evaluate("document.querySelector('[data-player]').play()")
    watched.locator(".danmaku > span", has_text="rude words").wait_for(state="attached")
    watched.evaluate("document.querySelector('[data-player]').pause()")
    watched.get_by_label("What flew just now").click()
    watched.get_by_role("button", name="Report “rude words”").click()
    dialog = watched.get_by_role("dialog", name="Report")
    dialog.get_by_role("radio").first.check()
    dialog.get_by_role("button", name="Send the report").click()
    expect(dialog).to_be_hidden()
    report = Report.objects.get()

    watched.get_by_label("What flew just now").click()
    remove = watched.get_by_role("button", name="Delete “rude words”")
    remove.click()
    expect(remove).to_be_hidden()

    flying = Danmaku.objects.get()
    assert (report.case.target_type, report.case.target_id) == ("danmaku", flying.public_id)
    assert flying.deleted_by == User.objects.get(username="creator")
