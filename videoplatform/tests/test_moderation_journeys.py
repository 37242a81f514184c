"""A journey of a comment, danmaku and a chat message: reported, decided by keyboard, removed, restored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from accounts.models import Decision, User
from accounts.services import Role, grant_role
from accounts.tests.factories import PASSWORD, UserFactory
from live import services
from live.tests.publisher import publishing
from videoplatform.tests.conftest import PATIENCE_MS, is_serious
from videoplatform.tests.sites import Site
from videoplatform.tests.test_journeys import upload, wait_for_player
from videoplatform.tests.test_live_journeys import post, sign_in
from videos.models import Video
from videos.tests.clips import make_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

COMMENT, DANMAKU, MESSAGE = "buy my lamps below", "buy my lamps above", "buy my lamps beside"
FLIES_AT_S = 6


@dataclass(slots=True)
class Pages:
    """The open pages of one person: a video, and a broadcast with its chat."""

    video: Page
    room: Page

    @property
    def comment(self) -> Locator:
        return self.video.get_by_text(COMMENT, exact=True)

    @property
    def flying(self) -> Locator:
        return self.video.locator(".danmaku > span", has_text=DANMAKU)

    @property
    def message(self) -> Locator:
        return self.room.get_by_role("log").get_by_text(MESSAGE, exact=True)


@contextmanager
def somebody(chromium: Browser, site: Site, user: User | None = None) -> Iterator[Pages]:
    """Yield the pages of a new browser; script errors and policy violations fail the test."""
    problems: list[str] = []

    def note(message: Any) -> None:
        if is_serious(message):
            problems.append(message.text)

    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    context.set_default_timeout(PATIENCE_MS)
    if user:
        sign_in(context, site, user)
    pages = Pages(context.new_page(), context.new_page())
    for page in (pages.video, pages.room):
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", note)
    yield pages
    context.close()
    assert problems == []


def open_both(pages: Pages, site: Site, video: Video, streamer: User) -> None:
    """Open both pages and pause both players, so that only other people change the pages."""
    pages.video.goto(f"{site.url}{video.get_absolute_url()}")
    stop(pages.video)
    pages.room.goto(f"{site.url}/@{streamer.username}/live/")
    wait_for_player(pages.room, "player.currentTime > 0")
    pages.room.evaluate("document.querySelector('[data-player] video').pause()")


def stop(page: Page) -> None:
    wait_for_player(page, "player.currentTime > 0.2")
    page.evaluate("document.querySelector('[data-player]').pause()")


def fly_to(page: Page, seconds: float) -> None:
    page.evaluate(f"document.querySelector('[data-player]').currentTime = {seconds}")
    wait_for_player(page, f"!video.seeking && Math.abs(player.currentTime - {seconds}) < 0.5")


def freeze_in_flight(pages: Pages) -> None:
    """Play until the danmaku is over the video, and pause there."""
    fly_to(pages.video, FLIES_AT_S - 1)
    pages.video.wait_for_function(
        "([from, text]) => document.querySelector('video-danmaku')"
        ".buckets.due(from, from + 5).some((one) => one.text === text)",
        arg=[FLIES_AT_S - 2, DANMAKU],
    )
    pages.video.evaluate("document.querySelector('[data-player]').play()")
    pages.flying.wait_for(state="attached")
    pages.video.evaluate("document.querySelector('[data-player]').pause()")


def send_report(page: Page) -> None:
    """Fill the report dialog and send it, by keyboard."""
    dialog = page.get_by_role("dialog", name="Report")
    expect(dialog.get_by_role("radio").first).to_be_focused()
    dialog.get_by_label("Spam or scam").press("Space")
    dialog.get_by_role("button", name="Submit report").press("Enter")
    expect(page.get_by_text("Thank you. Moderators will review")).to_be_visible()


def newest_notification(page: Page) -> str:
    """Open the bell and return its notifications."""
    page.get_by_role("link", name=re.compile("^Notifications")).click()
    notices = page.locator("#bell-menu .notifications")
    expect(notices).to_be_visible()
    return notices.inner_text()


@pytest.fixture
def streamer() -> User:
    user = UserFactory(username="streamer")
    services.stream_of(user.channel)
    return user


@pytest.fixture
def moderator() -> User:
    user = UserFactory(username="modena")
    grant_role(user=user, role=Role.MODERATOR)
    return user


def test_reported_content_is_removed_by_keyboard_and_restored(
    chromium: Browser, live_site: Site, streamer: User, moderator: User, clips: Path
) -> None:
    key = services.rotate_stream_key(services.stream_of(streamer.channel))
    with ExitStack() as stack:
        stack.enter_context(publishing(live_site.rtmp_url, key))
        author, viewer, stranger, desk = (
            stack.enter_context(somebody(chromium, live_site, user))
            for user in (UserFactory(username="lampseller"), UserFactory(username="viewer"), None, None)
        )
        everyone = (author, viewer, stranger)
        video = uploaded_by(streamer, chromium, live_site, clips)
        for pages in everyone:
            open_both(pages, live_site, video, streamer)

        # The author writes a comment, danmaku and a chat message.
        author.video.get_by_label("Your comment").fill(COMMENT)
        author.video.get_by_label("Your comment").press("Control+Enter")
        expect(author.comment).to_be_visible()
        fly_to(author.video, FLIES_AT_S)
        author.video.get_by_placeholder("Send danmaku at this moment").fill(DANMAKU)
        author.video.keyboard.press("Enter")
        author.flying.wait_for(state="attached")
        post(author.room, MESSAGE)

        # The others see them, and the viewer reports each by keyboard.
        for pages in (viewer, stranger):
            pages.video.reload()
            stop(pages.video)
            freeze_in_flight(pages)
            expect(pages.comment).to_be_visible()
            expect(pages.message).to_be_visible()
        report_all(viewer)

        # The moderator signs in and decides by keyboard only.
        page = desk.video
        go_to_the_desk(page, live_site, moderator)
        decide_all(page)

        # All three disappear without a reload.
        for pages in everyone:
            expect(pages.comment).to_have_count(0)
            expect(pages.flying).to_have_count(0)
            expect(pages.message).to_have_count(0)
            expect(pages.video.locator("#comment-count")).to_have_text("0")
        bell = author.video.get_by_role("link", name=re.compile("^Notifications"))
        expect(bell).to_have_accessible_name("Notifications: 3 unread")
        for_author, for_viewer = newest_notification(author.video), newest_notification(viewer.video)
        assert f"Moderators hid “{COMMENT}”: Spam or scam" in for_author
        assert f"Moderators removed “{DANMAKU}”: Spam or scam" in for_author
        assert re.search(r"You cannot post or upload until .+: Harassment or bullying", for_author)
        for title in (COMMENT, DANMAKU, MESSAGE):
            assert f"Moderators reviewed your report of “{title}” and took action" in for_viewer

        # The author cannot write any more.
        author.video.keyboard.press("Escape")
        author.video.get_by_label("Your comment").fill("why?")
        author.video.get_by_label("Your comment").press("Control+Enter")
        expect(author.video.get_by_role("alert").filter(has_text="not allowed")).to_be_visible()

        # Three undos restore all three at their places.
        for title in (MESSAGE, DANMAKU, COMMENT):
            page.keyboard.press("u")
            expect(page.get_by_text(f"Undone: “{title}” was restored.")).to_be_visible()
            page.wait_for_load_state()
        for pages in everyone:
            expect(pages.comment).to_be_visible()
            expect(pages.message).to_be_visible()
            expect(pages.video.locator("#comment-count")).to_have_text("1")
            freeze_in_flight(pages)
        author.video.get_by_label("Your comment").press("Control+Enter")
        expect(author.video.get_by_role("article", name="Comment by lampseller")).to_have_count(2)

    actions = [*Decision.objects.order_by("pk").values_list("action", flat=True)]
    assert actions == ["hide", "remove", "time_out", "undo", "undo", "undo"]


def uploaded_by(person: User, chromium: Browser, site: Site, clips: Path) -> Video:
    """Upload a video of 20 s, and return it as soon as it plays."""
    with somebody(chromium, site, person) as pages:
        upload(pages.video, site.url, make_clip("landscape", clips, seconds=20))
        wait_for_player(pages.video, "player.currentTime > 0.2")
    return Video.objects.get(source_key__gt="")


def report_all(viewer: Pages) -> None:
    comment = viewer.video.get_by_role("article", name="Comment by lampseller")
    comment.get_by_label("Comment actions").press("Enter")
    comment.get_by_role("link", name="Report").press("Enter")
    send_report(viewer.video)

    viewer.video.get_by_label("Danmaku list").press("Enter")
    viewer.video.get_by_role("button", name=f"Report “{DANMAKU}”").press("Enter")
    send_report(viewer.video)

    viewer.room.get_by_role("button", name="Report message from lampseller").press("Enter")
    send_report(viewer.room)


def go_to_the_desk(page: Page, site: Site, moderator: User) -> None:
    page.goto(f"{site.url}/admin/")
    page.get_by_label(re.compile("user ?name", re.IGNORECASE)).fill(moderator.username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Open moderation desk").press("Enter")


def decide_all(page: Page) -> None:
    """Hide the comment, remove the danmaku, and time out the author of the message for an hour."""
    arrive_at(page, COMMENT)
    page.keyboard.press("2")
    expect(page.get_by_role("button", name=re.compile("^2 ?Hide"))).to_be_focused()
    page.keyboard.press("2")
    page.keyboard.press("2")  # a repeated key decides nothing more
    expect(page.get_by_text(f"Hidden: “{COMMENT}”.")).to_be_visible()
    expect(page.get_by_text("already decided")).to_have_count(0)

    arrive_at(page, DANMAKU)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Removed: “{DANMAKU}”.")).to_be_visible()

    arrive_at(page, MESSAGE)
    # The desk marks the reported line of the chat. A message can be removed, and hiding it would be the same.
    reported = page.locator(".desk-chat > .is-reported")
    expect(reported).to_contain_text(MESSAGE)
    expect(reported).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")
    expect(page.get_by_role("button", name=re.compile("^2 ?Hide"))).to_be_disabled()
    page.keyboard.press("r")
    page.keyboard.type("Hara")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Reason")).to_have_value("harassment")
    page.get_by_label(re.compile("^Content")).press("End")
    page.keyboard.press("4")
    expect(page.get_by_role("button", name=re.compile("^4 ?Time out"))).to_be_focused()
    page.keyboard.press("4")
    expect(page.get_by_text("Timed out: lampseller.")).to_be_visible()


def arrive_at(page: Page, title: str) -> None:
    """Wait until the case is shown and its keys work."""
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    page.wait_for_load_state()
