"""Journeys of the live page and the live studio, on touch screens and after mistakes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import Decision
from accounts.tests.factories import UserFactory
from live import services
from live.chat import room_moderation as chat_moderation
from live.models import Stream
from live.tests.publisher import publishing
from videoplatform.tests.conftest import PATIENCE_MS, phones
from videoplatform.tests.sites import Site
from videoplatform.tests.test_live_journeys import (
    post,
    sign_in,
    somebody,
    streamer,
    wait_until_playing,
    watch,
)

__all__ = ["streamer"]  # a fixture

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]


# The number of the lines of a message, or its name, that lie below the button of a chat line.
COVERED_WORDS = """(line) => {
  const flag = line.querySelector("[data-report]").getBoundingClientRect();
  const words = document.createRange();
  let covered = 0;
  for (const part of line.querySelectorAll(".chat-person, .chat-text")) {
    words.selectNodeContents(part);
    covered += [...words.getClientRects()].filter((box) =>
      box.right > flag.left && box.left < flag.right
      && box.bottom > flag.top && box.top < flag.bottom).length;
  }
  return covered;
}"""


def test_viewers_resume_after_a_broadcast_was_briefly_private(
    chromium: Browser, live_site: Site, streamer: Stream
) -> None:
    key = services.rotate_stream_key(streamer)
    sideways = chromium.new_context(
        viewport={"width": 844, "height": 390}, has_touch=True, is_mobile=True, locale="en"
    )
    sideways.set_default_timeout(PATIENCE_MS)
    with (
        publishing(live_site.rtmp_url, key),
        somebody(chromium, live_site, streamer.channel.owner) as studio,
    ):
        phone = sideways.new_page()
        watch(phone, live_site, streamer)
        wait_until_playing(phone)
        stage = phone.locator("live-stage").bounding_box()
        assert stage is not None
        assert (stage["y"], stage["height"]) == (0, 390)
        # Zoomed in with two fingers, the page keeps its layout.
        fingers = sideways.new_cdp_session(phone)
        fingers.send("Emulation.setPageScaleFactor", {"pageScaleFactor": 2})
        phone.wait_for_function("visualViewport.scale === 2")
        expect(phone.locator("live-stage")).to_have_css("height", "390px")
        expect(phone.locator("html")).to_have_css("--visible", "390px")
        fingers.send("Emulation.setPageScaleFactor", {"pageScaleFactor": 1})

        theatre_fills_the_window(studio, live_site, streamer)

        studio.goto(f"{live_site.url}/studio/live/")
        visibility = studio.get_by_label("Visibility")
        # Declining the confirmation changes nothing.
        visibility.select_option("private")
        studio.get_by_role("button", name="Keep public").click()
        expect(visibility).to_have_value("public")
        visibility.select_option("private")
        studio.get_by_role("button", name="Make private").click()
        expect(phone.get_by_text("This stream is now private")).to_be_visible()

        visibility.select_option("public")
        wait_until_playing(phone)
    sideways.close()


def theatre_fills_the_window(page: Page, site: Site, streamer: Stream) -> None:
    """Switch theatre mode on and off by mouse and key; the stage takes all that the chat leaves."""
    page.set_viewport_size({"width": 1440, "height": 900})
    watch(page, site, streamer)
    wait_until_playing(page)
    stage, chat = page.locator("live-stage"), page.locator("chat-room")
    usual = stage.bounding_box()
    page.locator("[data-player]").hover()
    page.get_by_role("button", name="Theater mode").click()
    expect(page.locator("[data-live]")).to_have_class(re.compile("is-theatre"))
    wide, beside = stage.bounding_box(), chat.bounding_box()
    assert usual is not None
    assert wide is not None
    assert beside is not None
    assert (wide["x"], wide["y"], wide["height"]) == (0, 0, 900)
    assert wide["width"] + beside["width"] == 1440
    assert wide["width"] > usual["width"] + 50
    page.keyboard.press("t")
    expect(page.locator("[data-live]")).not_to_have_class(re.compile("is-theatre"))
    assert stage.bounding_box() == usual


def test_studio_names_what_a_signal_lacks(chromium: Browser, live_site: Site, streamer: Stream) -> None:
    key = services.rotate_stream_key(streamer)
    # A silent encoder, whose first frames no decoder can begin with: the next keyframe comes after 10 s.
    lacking = ("-an", "-bsf:v", r"noise=drop=eq(n\,0)")
    with somebody(chromium, live_site, streamer.channel.owner) as studio:
        studio.goto(f"{live_site.url}/studio/live/")
        health = studio.locator("stream-health")
        expect(health.get_by_text("No signal yet")).to_be_visible()
        with publishing(live_site.rtmp_url, key, gop=300, options=lacking):
            expect(health.get_by_text("Waiting for its first keyframe")).to_be_visible()
            expect(health.get_by_text("No audio. Check the audio sources")).to_be_visible()

            # A new key disconnects the encoder, and the preview says what to do about it.
            studio.get_by_role("button", name="Create new key").click()
            studio.get_by_role("dialog").get_by_role("button", name="Create new key").click()
            expect(studio.get_by_label("Stream key", exact=True)).to_be_in_viewport()
            expect(studio.get_by_text("If you created a new key, enter it in your encoder.")).to_be_visible()
            expect(health.get_by_text("Signal lost. Waiting for your encoder")).to_be_visible()


def test_chat_leaves_a_connection_that_died_without_a_close(
    chromium: Browser, live_site: Site, streamer: Stream
) -> None:
    with (
        somebody(chromium, live_site, UserFactory(username="alice")) as alice,
        somebody(chromium, live_site, UserFactory(username="bob")) as bob,
    ):
        watch(alice, live_site, streamer)
        expect(alice.locator("chat-room.is-open")).to_be_visible()
        post(alice, "good evening")
        expect(alice.get_by_role("log").locator(".chat-line:not(.is-pending)")).to_have_count(1)
        balancer = live_site.balancer
        assert balancer is not None
        balancer.swallow()

        watch(bob, live_site, streamer)
        expect(bob.locator("chat-room.is-open")).to_be_visible()
        post(bob, "are you still there?")

        # Within 30 s, Alice reads what she missed, and can write again.
        expect(alice.get_by_role("log").get_by_text("are you still there?")).to_be_visible(timeout=30_000)
        post(alice, "yes")
        expect(bob.get_by_role("log").get_by_text("yes")).to_be_visible()


def test_new_stream_key_is_shown_after_reload_and_language_change(
    chromium: Browser, live_site: Site, streamer: Stream
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    context.set_default_timeout(PATIENCE_MS)
    sign_in(context, live_site, streamer.channel.owner)
    page = context.new_page()
    page.goto(f"{live_site.url}/studio/live/")
    page.get_by_role("button", name="Create stream key").click()
    shown = page.get_by_label("Stream key", exact=True)
    expect(shown).to_have_value(re.compile("^live_"))
    expect(shown).to_be_in_viewport()
    key = shown.input_value()
    assert services.owner_of_key(key) == streamer

    page.reload()
    expect(page.get_by_label("Stream key", exact=True)).to_have_value(key)
    page.get_by_role("button", name="Language and appearance").click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.get_by_label("推流码", exact=True)).to_have_value(key)
    assert services.owner_of_key(key) == streamer
    context.close()


def test_edits_and_moderation_reach_open_pages_at_once(
    visitor: BrowserContext, chromium: Browser, live_site: Site, streamer: Stream
) -> None:
    moderator = UserFactory(username="moderator", is_superuser=True)
    with (
        somebody(chromium, live_site, UserFactory(username="alice")) as alice,
        somebody(chromium, live_site, moderator) as mod,
    ):
        reader = visitor.new_page()
        for page in (alice, mod, reader):
            watch(page, live_site, streamer)
            expect(page.locator("chat-room.is-open")).to_be_visible()

        # Stacked marks are clipped to their line.
        climbing = "z" + "\u0301" * 40
        post(alice, climbing)
        line = reader.get_by_role("log").locator(".chat-line", has_text=climbing)
        expect(line).to_have_css("overflow", "clip")
        # A page that shows the message is in the room and receives later events.
        for page in (alice, mod):
            expect(page.get_by_role("log").locator(".chat-line", has_text=climbing)).to_be_visible()

        report_flags_leave_words_free(chromium, live_site, streamer, alice)

        # An edited title reaches every open page at once.
        services.edit_stream(streamer, title="Testing the wind", category="music")
        expect(reader.get_by_role("heading", name="Testing the wind")).to_be_visible()
        expect(reader.locator("[data-live-category]")).to_have_text("Music")

        # A refused message starts no slow-mode wait.
        chat_moderation.set_mode(stream=streamer, by=moderator, slow_s=120, emotes_only=True)
        expect(alice.locator("[data-part=mode-slow_s]")).to_be_visible()
        post(alice, "words")
        expect(alice.get_by_role("alert").filter(has_text="emoji")).to_be_visible()
        expect(alice.get_by_text("You can chat again in")).to_be_hidden()
        chat_moderation.set_mode(stream=streamer, by=moderator, slow_s=0, emotes_only=False)
        expect(alice.locator("[data-part=mode-slow_s]")).to_be_hidden()

        # After a time-out or ban, the author may write as soon as a moderator lifts it.
        box = alice.get_by_role("textbox", name="Message")
        moderate_alice(mod, "Time out for 10 minutes")
        expect(alice.get_by_role("log").get_by_text("Removed by a moderator").first).to_be_visible()
        post(alice, "why?")
        expect(alice.get_by_text("You can chat again in")).to_be_visible()
        moderate_alice(mod, "Lift restriction")
        expect(alice.get_by_text("You can chat again in")).to_be_hidden()
        moderate_alice(mod, "Ban")
        expect(box).to_be_disabled()
        moderate_alice(mod, "Lift restriction")
        expect(box).to_be_enabled()
        expect(alice.locator("chat-room.is-open")).to_be_visible()
        post(alice, "thank you")
        expect(reader.get_by_role("log").get_by_text("thank you")).to_be_visible()
    trail = Decision.objects.order_by("pk").values_list("action", flat=True)
    assert [*trail] == ["time_out", "undo", "ban", "undo"]


def report_flags_leave_words_free(chromium: Browser, site: Site, streamer: Stream, alice: Page) -> None:
    """Read long messages on a phone, upright and sideways, and report one by touch."""
    post(alice, "words that fill several lines " * 6)
    for context in phones(chromium):
        sign_in(context, site, UserFactory())
        phone = context.new_page()
        watch(phone, site, streamer)
        line = phone.locator(".chat-line", has_text="several lines")
        line.scroll_into_view_if_needed()
        assert line.evaluate(COVERED_WORDS) == 0
        line.locator("[data-report]").tap()
        dialog = phone.get_by_role("dialog")
        dialog.get_by_role("radio").first.check()
        # A page behind a dialog leaves no stripe.
        assert phone.evaluate("document.documentElement.clientWidth === innerWidth")
        dialog.locator("[type=submit]:not([formmethod=dialog])").tap()
        # One word of thanks is enough.
        expect(
            phone.locator(".toast, .message").get_by_text(re.compile("Thank you|谢谢|感谢"))
        ).to_have_count(1)
        context.close()


def moderate_alice(mod: Page, act: str) -> None:
    """Choose an action from the menu of Alice's first message, which may be deleted already."""
    line = mod.locator(".chat-line[data-username=alice]").first
    line.hover()
    line.get_by_role("button", name="Moderate alice").click()
    mod.get_by_role("menuitem", name=act, exact=True).click()
