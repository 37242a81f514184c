"""Videos that are watched while they are encoded, in a real browser and in other players.

The worker takes jobs of the first lane only, so every segment after the first is
encoded because a player asked for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from videoplatform.testing import gstreamer
from videoplatform.tests.other_players import (
    SCRIPT_PLAYERS,
    end_reached_by,
    frames_by_ffmpeg,
    frames_by_gstreamer,
)
from videoplatform.tests.sites import ENVIRONMENT, Site
from videoplatform.tests.test_journeys import sign_up, upload, wait_for_player
from videos.models import Job, Video
from videos.tests.clips import make_clip
from videos.tests.processes import Process, kill, start_celery

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

SECONDS = 60


@pytest.fixture
def worker(site: str, shared_site: Site, tmp_path: Path) -> Iterator[Process]:
    """Yield a worker of the first lane, which the site has instead of its own one."""
    shared_site.kill("worker")
    worker = start_celery(shared_site.bucket, tmp_path, "-Q", "default", **ENVIRONMENT)
    yield worker
    kill(worker)


@pytest.fixture
def first_lane(site: str, worker: Process) -> str:
    return site


def publish(
    page: Page, site: str, clips: Path, name: str, seconds: int = SECONDS, kind: str = "landscape"
) -> Video:
    """Upload a clip of two rungs, and return the video once it plays."""
    sign_up(page, site, name)
    upload(page, site, make_clip(kind, clips, seconds=seconds, size="854x480"))
    wait_for_player(page, "!player.paused && player.currentTime > 0.5")
    return Video.objects.get()


def test_viewer_jumps_into_the_middle_of_a_video_that_is_encoded(
    visitor: BrowserContext, first_lane: str, shared_site: Site, clips: Path
) -> None:
    page = visitor.new_page()
    video = publish(page, first_lane, clips, "jumper")

    assert (video.status, video.is_growing) == ("processing", False)
    page.evaluate("document.querySelector('[data-player]').currentTime = 41")
    wait_for_player(page, "!player.paused && player.currentTime > 43")
    page.evaluate("document.querySelector('[data-player]').currentTime = 17")
    wait_for_player(page, "!player.paused && player.currentTime > 19 && player.currentTime < 40")
    page.evaluate(f"document.querySelector('[data-player]').currentTime = {SECONDS - 2}")
    wait_for_player(page, "player.ended")

    # Most of it was never asked for.
    assert Job.objects.filter(kind="video", status="waiting").exists()
    video.refresh_from_db()
    assert video.status == "processing"
    # The player that was open all the time plays on when the rest is there.
    shared_site.run("worker")
    page.evaluate("document.querySelector('[data-player]').currentTime = 25")
    page.evaluate("document.querySelector('[data-player]').play()")
    wait_for_player(page, "!player.paused && player.currentTime > 30")


def test_copied_video_plays_without_waiting_for_an_encoded_rung(
    chromium: Browser, first_lane: str, clips: Path
) -> None:
    """Hold it in a player that is smaller than the copy, where hls.js would prefer a smaller rung."""
    phone = chromium.new_context(viewport={"width": 400, "height": 800}, locale="en")
    page = phone.new_page()
    video = publish(page, first_lane, clips, "copier", seconds=12, kind="copiable")
    wait_for_player(page, "player.ended")

    assert video.renditions.filter(name="source").exists()
    loaded = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [url for url in loaded if "/source/" in url and ".m4s" in url]
    assert [url for url in loaded if "/360p/" in url or "/480p/" in url] == []
    phone.close()


def test_viewer_is_told_of_a_wait_for_the_encoder(
    visitor: BrowserContext, first_lane: str, worker: Process, clips: Path
) -> None:
    page = visitor.new_page()
    publish(page, first_lane, clips, "patient")
    told = page.locator("[data-player]").get_by_text("still processing")

    os.killpg(worker.pid, signal.SIGSTOP)
    page.evaluate("document.querySelector('[data-player]').currentTime = 41")
    expect(told).to_be_visible()
    os.killpg(worker.pid, signal.SIGCONT)

    wait_for_player(page, "!player.paused && player.currentTime > 42")
    expect(told).to_be_hidden()


def test_video_that_is_shorter_than_its_header_says_is_played_to_its_end(
    visitor: BrowserContext, first_lane: str, shared_site: Site, clips: Path
) -> None:
    page = visitor.new_page()
    video = publish(page, first_lane, clips, "cutter", seconds=24)
    # As after the probe of a file whose header declares 30 s.
    video.plans.update(starts_s=[4 * number for number in range(8)], end_s=30)

    page.reload()
    wait_for_player(page, "player.duration > 29")
    page.evaluate("document.querySelector('[data-player]').currentTime = 22")
    wait_for_player(page, "!player.paused && player.currentTime > 23")
    shared_site.run("worker")

    wait_for_player(page, "player.ended && player.duration < 24.2")


def test_other_players_reach_the_end_of_a_video_that_is_encoded(
    visitor: BrowserContext, chromium: Browser, first_lane: str, clips: Path, tmp_path: Path
) -> None:
    page = visitor.new_page()
    video = publish(page, first_lane, clips, "engineer", seconds=24)
    page.close()
    multivariant = f"{first_lane}/videos/{video.public_id}/hls/{video.encode_key}/multivariant.m3u8"

    ends = {
        name: end_reached_by(name, chromium, first_lane, multivariant, tmp_path) for name in SCRIPT_PLAYERS
    }
    frames = frames_by_ffmpeg(multivariant, at_most=10_000)

    assert ends == {name: pytest.approx(24, abs=0.1) for name in SCRIPT_PLAYERS}
    assert frames == 24 * 25
    if not gstreamer.missing_packages():
        assert frames_by_gstreamer(multivariant) == 24 * 25
    video.refresh_from_db()
    assert video.status == "processing"
