"""Journeys of reporting and deciding: three browsers, one keyboard."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from accounts import moderation, services
from accounts.models import Decision, User
from accounts.services import Role
from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory
from live.tests.factories import BroadcastFactory, ChatMessageFactory
from videoplatform.tests.conftest import PATIENCE_MS, is_serious
from videoplatform.tests.test_journeys import upload, wait_for_player
from videos.models import Video
from videos.tests.clips import make_clip
from videos.tests.factories import VideoFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

OpenFor = Callable[[User], Page]


@pytest.fixture
def open_for(chromium: Browser, site: str) -> Iterator[OpenFor]:
    """Yield a function that opens a signed-in page; script errors and policy violations fail the test."""
    problems: list[str] = []
    contexts = []

    def open_page(user: User) -> Page:
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en")
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        client = Client()
        client.force_login(user)
        session = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", note)
        return page

    def note(message: Any) -> None:
        if is_serious(message):
            problems.append(message.text)

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def moderator(transactional_db: None) -> User:
    user = UserFactory(username="modena")
    services.grant_role(user=user, role=Role.MODERATOR)
    return user


def elsewhere(act: Callable[[], object]) -> None:
    """Run ``act`` in another thread, because Playwright keeps an event loop in this one."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def newest_notification(page: Page) -> str:
    """Open the bell and return its notifications."""
    page.get_by_role("link", name=re.compile("^Notifications")).click()
    return page.locator("#bell-menu .notifications").inner_text()


def test_reported_video_is_removed_and_restored_by_keyboard(
    site: str, open_for: OpenFor, moderator: User, clips: Path
) -> None:
    author, viewer = open_for(UserFactory(username="lampseller")), open_for(UserFactory(username="viewer"))
    upload(author, site, make_clip("landscape", clips, seconds=12))
    wait_for_player(author, "player.currentTime > 0.2")
    video = Video.objects.get()
    address = f"{site}{video.get_absolute_url()}"
    author.goto(f"{site}/studio/")

    # The viewer reports the frame at this position.
    viewer.goto(address)
    wait_for_player(viewer, "player.currentTime > 0.2")
    viewer.evaluate("document.querySelector('[data-player]').pause()")
    viewer.evaluate("document.querySelector('[data-player]').currentTime = 2.2")
    wait_for_player(viewer, "!video.seeking && player.currentTime > 2")
    viewer.get_by_role("link", name="Report").click()
    viewer.get_by_role("dialog").get_by_label("Spam or scam").check()
    viewer.get_by_role("dialog").get_by_role("button", name="Submit report").click()
    expect(viewer.get_by_text("Thank you. Moderators will review")).to_be_visible()

    # The moderator sees the reported frame, and decides with a number key.
    desk = open_for(moderator)
    desk.goto(f"{site}/admin/")
    desk.get_by_role("link", name="Open moderation desk").click()
    expect(desk.get_by_role("heading", name=video.title)).to_be_visible()
    wait_for_player(desk, "video.readyState >= 2 && Math.abs(player.currentTime - 2) < 0.6")
    desk.keyboard.press("3")
    expect(desk.get_by_role("button", name=re.compile("Remove"))).to_be_focused()
    desk.keyboard.press("3")
    expect(desk.get_by_text(f"Removed: “{video.title}”.")).to_be_visible()

    # The video is gone for everyone, and both people are notified.
    for page in (viewer, author):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 404
    assert f"Moderators removed “{video.title}”: Spam or scam" in newest_notification(author)
    assert f"Moderators reviewed your report of “{video.title}” and took action" in newest_notification(
        viewer
    )

    # Undo restores it.
    desk.keyboard.press("u")
    expect(desk.get_by_text("was restored.")).to_be_visible()
    viewer.goto(address)
    wait_for_player(viewer, "player.currentTime > 0.2")
    assert [*Decision.objects.order_by("pk").values_list("action", flat=True)] == ["remove", "undo"]


def test_bell_of_an_open_page_counts_new_notifications(site: str, open_for: OpenFor, moderator: User) -> None:
    person = UserFactory(username="lampseller")
    page = open_for(person)
    page.goto(site)
    bell = page.get_by_role("link", name=re.compile("^Notifications"))
    expect(bell).to_have_accessible_name("Notifications")

    how: dict[str, Any] = {"action": "time_out", "note": "We warned you.", "duration": timedelta(hours=1)}
    elsewhere(lambda: moderation.decide_about(person, by=moderator, **how))
    elsewhere(lambda: moderation.lift_all(person, by=moderator))

    expect(bell).to_have_accessible_name("Notifications: 2 unread")
    bell.click()
    expect(page.get_by_text("You cannot post or upload until")).to_be_visible()
    expect(page.get_by_text("We warned you.")).to_be_visible()
    expect(bell).to_have_accessible_name("Notifications")


def test_desk_is_used_by_keyboard(site: str, open_for: OpenFor, moderator: User) -> None:
    people = [UserFactory(username=f"channel{number}") for number in range(3)]
    for person in people:
        moderation.report(by=UserFactory(), target_type="channel", target_id=person.username, reason="spam")
    desk = open_for(moderator)

    desk.goto(f"{site}/admin/accounts/case/")
    expect(desk.get_by_role("link", name="Start")).to_be_visible()
    for key, number in (("n", 0), ("n", 1), ("n", 2), ("p", 1)):
        desk.keyboard.press(key)
        expect(desk.get_by_role("heading", level=1, name=f"@channel{number}")).to_be_visible()
        desk.wait_for_load_state()
    # An action that does not apply to a channel has no key.
    desk.keyboard.press("3")
    # A focused list does not take the keys of the desk.
    desk.keyboard.press("r")
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("d")
    expect(desk.get_by_label("Duration")).to_be_focused()
    desk.keyboard.press("4")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("Timed out: channel1.")).to_be_visible()

    assert not moderation.may_speak(people[1])
    assert Decision.objects.get().action == "time_out"


def test_first_page_of_the_admin_draws_charts(site: str, open_for: OpenFor) -> None:
    boss = UserFactory(username="boss", is_staff=True, is_superuser=True)
    page = open_for(boss)

    page.goto(f"{site}/admin/")

    expect(page.get_by_role("heading", name="Uploads")).to_be_visible()
    expect(page.get_by_role("img", name="Accounts: 1 in 30 days")).to_be_visible()
    expect(page.locator(".chart-picture svg").first).to_be_visible()
    page.locator("summary", has_text="Show as table").first.click()
    expect(page.get_by_role("columnheader", name="Reports").first).to_be_visible()


def test_admin_lists_are_readable(site: str, open_for: OpenFor) -> None:
    boss = UserFactory(username="boss", is_staff=True, is_superuser=True)
    words = "a long sentence about the weather " * 12
    CommentFactory(target=VideoFactory(title=words[:100]), text=words)
    ChatMessageFactory(text=words)
    BroadcastFactory()
    page = open_for(boss)

    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme="light" if width == 1440 else "dark")
        for model in ("live/chatmessage", "live/broadcast", "videos/video", "comments/comment"):
            page.goto(f"{site}/admin/{model}/")
            table = page.locator("#result_list")
            expect(table).to_be_visible()
            assert "{" not in table.inner_text(), model
            longest = "Math.max(...[...one.querySelectorAll('td, th')].map((cell) => cell.offsetWidth))"
            assert table.evaluate(f"(one) => {longest}") <= 420, (model, width)
