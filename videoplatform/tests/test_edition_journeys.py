"""Journeys to new versions of a video."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from videoplatform.tests.test_journeys import wait_for_player
from videoplatform.tests.test_player_journeys import publish_clip
from videos.models import Video

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]


def test_video_is_encoded_again_and_plays(visitor: BrowserContext, site: str, clips: Path) -> None:
    page = visitor.new_page()
    address = publish_clip(page, site, clips)
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
