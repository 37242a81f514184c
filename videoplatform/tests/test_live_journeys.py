"""Journeys of live broadcasts: real encoders, real processes, a real browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import User
from accounts.tests.factories import UserFactory
from live import services
from live.models import Broadcast, Stream
from live.tests.publisher import publishing, unpublish
from videoplatform.testing import gstreamer
from videoplatform.tests.other_players import (
    SCRIPT_PLAYERS,
    frames_by_ffmpeg,
    frames_by_gstreamer,
    seconds_played_by,
)
from videoplatform.tests.sites import Site
from videos.models import Video

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

PATIENCE_S = 60


@pytest.fixture
def streamer() -> Stream:
    user = UserFactory(username="streamer")
    stream = services.stream_of(user.channel)
    return services.edit_stream(stream, title="Testing the air")


def sign_in(context: BrowserContext, site: Site, user: User) -> None:
    """Give a browser the session of ``user``, without the sign-in page, which has its own tests."""
    client = Client()
    client.force_login(user)
    cookie = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": site.url}])


@contextmanager
def somebody(chromium: Browser, site: Site, user: User | None = None) -> Iterator[Page]:
    """Yield a page in a new browser."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    context.set_default_timeout(PATIENCE_S * 1000)
    if user is not None:
        sign_in(context, site, user)
    yield context.new_page()
    context.close()


def watch(page: Page, site: Site, stream: Stream) -> None:
    page.goto(f"{site.url}/@{stream.username}/live/")


def wait_until_playing(page: Page) -> None:
    """Wait until the playhead has moved by a second."""
    page.wait_for_function(
        """() => {
          const video = document.querySelector('[data-player] video');
          if (!video || video.paused || video.readyState < 3) { window.playedFrom = undefined; return false; }
          window.playedFrom ??= video.currentTime;
          return video.currentTime > window.playedFrom + 1;
        }""",
        polling=100,
    )


def wait_for(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.2)


def post(page: Page, text: str) -> None:
    box = page.get_by_role("textbox", name="Message")
    box.fill(text)
    box.press("Enter")


def broadcast_of(stream: Stream) -> Broadcast:
    return Broadcast.objects.filter(stream=stream).latest("pk")


def wait_for_status(stream: Stream, status: str) -> None:
    wait_for(lambda: broadcast_of(stream).status == status, status)


def pids_of_encoders(ingest: subprocess.Popen[bytes]) -> list[int]:
    """Return the process ids of the FFmpegs of an ingest."""
    found = subprocess.run(["pgrep", "-g", str(ingest.pid), "ffmpeg"], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def test_viewers_chat_and_a_moderator_deletes_a_message(
    visitor: BrowserContext, chromium: Browser, live_site: Site, streamer: Stream
) -> None:
    moderator = UserFactory(username="moderator", is_superuser=True)
    key = services.rotate_stream_key(streamer)
    with (
        publishing(live_site.rtmp_url, key),
        somebody(chromium, live_site, UserFactory(username="alice")) as alice,
        somebody(chromium, live_site, moderator) as mod,
    ):
        reader = visitor.new_page()
        for page in (alice, mod, reader):
            watch(page, live_site, streamer)
        wait_until_playing(alice)

        post(alice, "good evening")
        post(mod, "welcome 欢迎")
        for page in (alice, mod, reader):
            expect(page.get_by_role("log").get_by_text("good evening")).to_be_visible()
            expect(page.get_by_role("log").get_by_text("welcome 欢迎")).to_be_visible()
        expect(reader.get_by_role("textbox", name="Message")).to_have_count(0)

        # Short words fly over the video; links and long messages stay in the chat.
        expect(reader.get_by_role("button", name="Chat as danmaku")).to_have_attribute("aria-pressed", "true")
        for text in ("read www.example.org/page", "long " * 12, "short words"):
            post(mod, text)
        flying = reader.locator(".danmaku > span")
        flying.filter(has_text="short words").wait_for(state="attached")
        expect(reader.get_by_role("log").get_by_text("www.example.org/page")).to_be_visible()
        assert flying.filter(has_text=re.compile("example|long")).count() == 0

        mod.get_by_role("log").get_by_text("good evening").hover()
        mod.get_by_role("button", name="Moderate alice").click()
        mod.get_by_role("menuitem", name="Delete").click()
        for page in (alice, mod, reader):
            expect(page.get_by_role("log").get_by_text("good evening")).to_have_count(0)
            expect(page.get_by_role("log").get_by_text("welcome 欢迎")).to_be_visible()


def test_waiting_page_shows_a_broadcast_until_a_report_removes_it(
    chromium: Browser, live_site: Site, streamer: Stream
) -> None:
    moderator = UserFactory(username="moderator", is_superuser=True, is_staff=True)
    key = services.rotate_stream_key(streamer)
    with (
        somebody(chromium, live_site, UserFactory(username="alice")) as alice,
        somebody(chromium, live_site, moderator) as mod,
    ):
        watch(alice, live_site, streamer)
        report = alice.locator(".about-actions").get_by_role("link", name="Report")
        expect(alice.get_by_role("heading", name="Testing the air")).to_be_visible()
        expect(report).to_be_hidden()
        with publishing(live_site.rtmp_url, key):
            wait_until_playing(alice)
            report.click()
            dialog = alice.get_by_role("dialog", name="Report")
            dialog.get_by_label("Spam or scam").check()
            dialog.get_by_role("button", name="Submit report").click()
            expect(alice.get_by_text("Thank you. Moderators will review")).to_be_visible()

            mod.goto(f"{live_site.url}/admin/accounts/case/")
            mod.get_by_role("link", name="Start").click()
            expect(mod.get_by_role("heading", level=1, name="Testing the air")).to_be_visible()
            mod.wait_for_load_state()
            mod.keyboard.press("3")
            mod.keyboard.press("Enter")
            expect(mod.get_by_text("Removed: “Testing the air”.")).to_be_visible()

            alice.wait_for_function("!document.querySelector('[data-player]')")
        wait_for_status(streamer, Broadcast.Status.ENDED)
        # An ended broadcast can still be reported.
        expect(report).to_be_visible()


def test_page_resumes_after_a_killed_publisher_reconnects(
    visitor: BrowserContext, live_site: Site, streamer: Stream
) -> None:
    services.edit_stream(streamer, title="")
    key = services.rotate_stream_key(streamer)
    page, late = visitor.new_page(), visitor.new_page()
    with publishing(live_site.rtmp_url, key) as encoder:
        watch(page, live_site, streamer)
        wait_until_playing(page)
        encoder.kill()
        encoder.wait()
        wait_for_status(streamer, Broadcast.Status.RECONNECTING)
        expect(page.get_by_text("Reconnecting").first).to_be_visible()
        page.wait_for_function("() => !document.querySelector('[data-player]').isLive")
        watch(late, live_site, streamer)
    # The broadcast goes on smaller: its best rendition has the size of the rung.
    with publishing(live_site.rtmp_url, key, size="426x240"):
        wait_for_status(streamer, Broadcast.Status.LIVE)
        wait_until_playing(page)
        page.wait_for_function("() => document.querySelector('[data-player]').isLive")
        page.reload()
        wait_until_playing(page)
        page.locator("[data-player]").hover()
        page.get_by_role("button", name="Settings: quality, speed").click()
        page.get_by_role("menuitem", name="Quality").click()
        qualities = page.get_by_role("menuitemradio").all_inner_texts()
        assert sum("240p" in quality for quality in qualities) == 1, qualities

    assert Broadcast.objects.count() == 1
    # A viewer who came in between is offered the replay as well, and its title is no news of that day.
    expect(late.get_by_role("link", name="Watch the replay")).to_be_visible()
    late.get_by_role("link", name="Watch the replay").click()
    late.wait_for_url("**/watch/**")
    expect(late.get_by_role("heading", level=1)).not_to_contain_text("is live")


def test_private_broadcast_and_its_parts_are_refused_to_strangers(
    chromium: Browser, live_site: Site, streamer: Stream
) -> None:
    services.edit_stream(streamer, visibility="private")
    key = services.rotate_stream_key(streamer)
    owner = streamer.channel.owner
    with publishing(live_site.rtmp_url, key), somebody(chromium, live_site, owner) as page:
        watch(page, live_site, streamer)
        wait_until_playing(page)
        broadcast = broadcast_of(streamer)
        open_path = f"{live_site.url}/live-media/{broadcast.public_id}/open/"
        own = page.request.get(f"{live_site.url}{broadcast.media_path}r0.m3u8")
        newest = own.text().split('URI="')[-1].split('"')[0]

        with somebody(chromium, live_site) as stranger:
            refused = [
                stranger.request.get(address).status
                for address in (
                    f"{live_site.url}/@{streamer.username}/live/",
                    f"{live_site.url}/api/v1/live/{streamer.username}/",
                    f"{open_path}multivariant.m3u8",
                    f"{open_path}r0.m3u8",
                    f"{open_path}{newest}",
                    f"{live_site.url}/live-dvr/{broadcast.public_id}/open/multivariant.m3u8",
                )
            ]

    assert own.ok
    assert refused == [404] * 6


def test_broadcast_is_rewound_and_becomes_a_replay_after_its_end(
    visitor: BrowserContext, live_site: Site, streamer: Stream
) -> None:
    key = services.rotate_stream_key(streamer)
    page = visitor.new_page()
    with publishing(live_site.rtmp_url, key) as encoder:
        watch(page, live_site, streamer)
        wait_until_playing(page)
        # Long enough for a position far behind the live edge.
        wait_for(lambda: stored_s(streamer) > 20, "some of the recording")
        page.locator("[data-player]").hover()
        page.keyboard.press("Home")
        page.wait_for_function("() => document.querySelector('[data-player] video').currentTime < 6")
        wait_until_playing(page)
        page.get_by_role("button", name="Go live").click()
        wait_until_playing(page)

        unpublish(encoder)
        ended = time.monotonic()
        wait_for(lambda: Video.objects.filter(status=Video.Status.READY).exists(), "the replay")
        taken_s = time.monotonic() - ended

    replay = Video.objects.get()
    # Offered on the page that showed the end, and on a newly opened one.
    offer = page.get_by_role("link", name="Watch the replay")
    expect(offer).to_have_attribute("href", f"/watch/{replay.public_id}/")
    watch(page, live_site, streamer)
    expect(offer).to_have_attribute("href", f"/watch/{replay.public_id}/")
    page.goto(f"{live_site.url}/@{streamer.username}/")
    page.get_by_role("link", name="Testing the air").first.click()
    page.wait_for_url(f"**/watch/{replay.public_id}/")
    wait_until_playing(page)
    assert taken_s < PATIENCE_S
    assert replay.duration_s is not None
    assert replay.duration_s > 5


def test_broadcast_plays_in_players_of_others(
    chromium: Browser, live_site: Site, streamer: Stream, tmp_path: Path
) -> None:
    key = services.rotate_stream_key(streamer)
    with publishing(live_site.rtmp_url, key):
        wait_for(lambda: Broadcast.objects.filter(status=Broadcast.Status.LIVE).exists(), "a broadcast")
        multivariant = f"{live_site.url}{broadcast_of(streamer).media_path}multivariant.m3u8"
        wait_for(lambda: httpx.get(multivariant).is_success, "its playlist")
        frames = {"FFmpeg": frames_by_ffmpeg(multivariant, at_most=100)}
        if not gstreamer.missing_packages():
            frames["GStreamer"] = frames_by_gstreamer(multivariant, at_most=100)
        played_s = {
            name: seconds_played_by(name, chromium, live_site.url, multivariant, tmp_path)
            for name in SCRIPT_PLAYERS
        }

    assert set(frames.values()) == {100}
    assert played_s == dict.fromkeys(SCRIPT_PLAYERS, pytest.approx(5, abs=2))


@pytest.mark.parametrize("victim", ["ingest", "encoder", "web"])
def test_broadcast_survives_a_killed_process_without_losing_its_recording(
    victim: str, visitor: BrowserContext, live_site: Site, streamer: Stream
) -> None:
    key = services.rotate_stream_key(streamer)
    page = visitor.new_page()
    with publishing(live_site.rtmp_url, key) as encoder:
        watch(page, live_site, streamer)
        wait_until_playing(page)
        wait_for(lambda: stored_s(streamer) > 4, "a recorded segment")
        before_s = stored_s(streamer)
        if victim == "encoder":
            (pid,) = pids_of_encoders(live_site.processes["ingest"])
            os.kill(pid, signal.SIGKILL)
        else:
            name = {"ingest": "ingest", "web": "web-a"}[victim]
            live_site.kill(name)
            live_site.restart(name)
        if victim == "ingest":
            encoder.wait(PATIENCE_S)  # FFmpeg does not reconnect, so it is started again
            live_site.wait_for("ingest")
            with publishing(live_site.rtmp_url, key):
                goes_on(page, streamer, before_s)
        else:
            goes_on(page, streamer, before_s)

    assert Broadcast.objects.count() == 1


def goes_on(page: Page, stream: Stream, before_s: float) -> None:
    wait_for_status(stream, Broadcast.Status.LIVE)
    wait_for(lambda: stored_s(stream) > before_s + 4, "more of the recording")
    wait_until_playing(page)


def stored_s(stream: Stream) -> float:
    """Return the seconds of segments that are in the bucket and listed."""
    recording = broadcast_of(stream).recording
    assert recording is not None
    return float(sum(run.duration_s for run in recording.runs.all()))
