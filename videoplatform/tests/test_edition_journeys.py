"""Journeys to new versions of a video."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.test_journeys import wait_for_player
from videoplatform.tests.test_player_journeys import publish_clip
from videos.models import Video
from videos.tests.clips import make_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]


def publish_whole(page: Page, site: str, clips: Path) -> str:
    """Upload a clip as a new person; return the address of its page once the encode is complete.

    Playlists that list the whole plan do not grow, so the player cannot tell.
    """
    address = publish_clip(page, site, clips)
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while (video := Video.objects.get()).status != Video.Status.READY:
        assert time.monotonic() < deadline, video.status
        time.sleep(0.2)
    return address


def test_file_is_replaced_and_the_address_plays_the_new_one(
    visitor: BrowserContext, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    address = publish_whole(page, site, clips)
    page.goto(f"{address.replace('/watch/', '/studio/')}file/")

    # A file that is no video fails with its sentence, and the old one stays.
    page.set_input_files("#replacement", {"name": "notes.mp4", "mimeType": "video/mp4", "buffer": b"notes"})
    expect(page.get_by_text("This is not a supported video file.")).to_be_visible()
    expect(page.get_by_text("Viewers still see the previous version.")).to_be_visible()

    page.set_input_files("#replacement", make_clip("landscape", clips, seconds=6))
    expect(page.get_by_text("landscape-6s")).to_be_visible()
    page.goto(address)
    wait_for_player(page, "player.currentTime > 1 && Math.abs(player.duration - 6) < 0.2")


def test_video_is_encoded_again_and_plays(visitor: BrowserContext, site: str, clips: Path) -> None:
    page = visitor.new_page()
    address = publish_whole(page, site, clips)
    before = Video.objects.get()
    page.goto(address.replace("/watch/", "/studio/"))
    page.get_by_role("link", name="Video file").click()

    page.get_by_role("button", name="Re-encode").click()

    expect(page.get_by_text("Viewers keep watching the current version until it is done.")).to_be_visible()
    # The page follows the new version to its end.
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.get_by_role("button", name="Re-encode")).to_be_visible()
    assert Video.objects.get().encode_key != before.encode_key
    page.goto(address)
    wait_for_player(page, "player.currentTime > 1")


def test_audio_track_is_added_and_chosen_in_the_player(
    visitor: BrowserContext, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    address = publish_whole(page, site, clips)
    page.goto(address.replace("/watch/", "/studio/"))
    page.get_by_role("link", name="Audio tracks").click()

    page.get_by_label("Language", exact=True).select_option("fr")
    page.get_by_label("Name", exact=True).fill("Doublage")
    page.set_input_files("#replacement", make_clip("audio_only", clips, seconds=6))
    # The page follows the track to its end.
    expect(page.get_by_role("listitem").filter(has_text="Doublage")).to_be_visible()
    page.goto(address)
    wait_for_player(page, "player.currentTime > 1")
    page.locator("[data-player]").hover()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("menuitem", name="Audio track").click()
    page.get_by_role("menuitemradio", name="Doublage").click()
    at_s = page.evaluate("document.querySelector('[data-player]').currentTime")
    wait_for_player(page, f"player.currentTime > {at_s} + 1 && !player.paused")

    page.goto(f"{address.replace('/watch/', '/studio/')}audio/")
    track = page.get_by_role("listitem").filter(has_text="Doublage")
    track.get_by_text("Edit").click()
    track.get_by_role("button", name="Remove this track").click()
    expect(page.get_by_text("Audio track removed.")).to_be_visible()
