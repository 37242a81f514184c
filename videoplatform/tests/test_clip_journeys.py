"""Journeys of clips: a viewer makes one, and others watch it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.test_journeys import sign_up, upload, wait_for_player
from videos.models import Clip, Video
from videos.tests.clips import make_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

SECONDS = 30
# The time of the frame on screen, as the media element counts it: from the clip's first segment.
MEDIA_TIME = "document.querySelector('[data-player] video').currentTime"


def publish(page: Page, site: str, clips: Path, name: str) -> Video:
    sign_up(page, site, name)
    upload(page, site, make_clip("landscape", clips, seconds=SECONDS, size="640x360"))
    wait_for_player(page, "!player.paused && player.currentTime > 0.5")
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while (video := Video.objects.get()).status != Video.Status.READY:
        assert time.monotonic() < deadline, video.status
        time.sleep(0.2)
    return video


def drag(page: Page, name: str, share: float) -> None:
    """Drag a handle of the editor to a share of the strip."""
    handle = page.get_by_role("slider", name=name)
    handle.scroll_into_view_if_needed()
    strip = page.locator("[data-part=strip].clip-strip").bounding_box()
    box = handle.bounding_box()
    assert strip
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(strip["x"] + strip["width"] * share, strip["y"] + strip["height"] / 2, steps=8)
    page.mouse.up()


def test_viewer_makes_a_clip_that_others_watch_from_its_in_point_to_its_out_point(
    visitor: BrowserContext, chromium: Browser, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    video = publish(page, site, clips, "clipper")
    page.goto(f"{site}/watch/{video.public_id}/")
    wait_for_player(page, "player.currentTime > 0.2")

    page.get_by_role("button", name="Clip", exact=True).click()
    drag(page, "End of the clip", 0.55)
    drag(page, "Start of the clip", 0.35)
    # The preview repeats the section.
    wait_for_player(
        page, f"player.currentTime > {SECONDS * 0.35 - 1} && player.currentTime < {SECONDS * 0.6}"
    )
    page.get_by_role("textbox", name="Title").fill("The best moment")
    page.get_by_role("button", name="Create clip").click()
    page.get_by_role("link", name="Open clip").click()

    clip = Clip.objects.get()
    assert clip.start_s == pytest.approx(SECONDS * 0.35, abs=0.7)
    assert clip.end_s == pytest.approx(SECONDS * 0.55, abs=0.7)
    expect(page).to_have_url(re.compile(rf"/clips/{clip.public_id}/$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("The best moment")
    expect(page.get_by_role("link", name=re.compile("From “"))).to_have_attribute(
        "href", f"/watch/{video.public_id}/?t={int(clip.start_s)}"
    )

    # Somebody else gets the link.
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
    other = context.new_page()
    other.add_init_script(
        "window.times = [];"
        "document.addEventListener('DOMContentLoaded', () => {"
        "  const video = document.querySelector('[data-player] video');"
        "  const see = (_now, frame) => {"
        "    times.push(frame.mediaTime);"
        "    video.requestVideoFrameCallback(see);"
        "  };"
        "  video.requestVideoFrameCallback(see);"
        "});"
    )
    other.goto(f"{site}/clips/{clip.public_id}/")
    wait_for_player(other, "player.ended")
    in_s, out_s = (
        float(other.get_attribute("[data-player]", f"data-{name}") or "nan") for name in ("in", "out")
    )
    shown = other.evaluate("times")
    ended_at = other.evaluate(MEDIA_TIME)

    # Chromium decodes the first frame of the segment before it goes to the in point.
    assert len([time_s for time_s in shown if time_s < in_s - 0.1]) <= 1
    assert max(shown) < out_s + 0.1
    assert ended_at == pytest.approx(out_s, abs=0.25)
    assert 0 < in_s < 4.2
    assert other.evaluate("document.querySelector('[data-player]').duration") == pytest.approx(
        clip.duration_s, abs=0.01
    )
    # A key plays it again from the in point.
    other.evaluate("document.querySelector('[data-player]').play()")
    wait_for_player(other, "!player.ended && player.currentTime > 0.3 && player.currentTime < 3")
    context.close()


def test_clip_of_a_video_that_became_private_stops(
    visitor: BrowserContext, chromium: Browser, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    video = publish(page, site, clips, "hider")
    clip = Clip.objects.create(
        video=video, maker=video.channel.owner, title="Moment", start_s=8.5, end_s=14.0
    )
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    other = context.new_page()
    other.goto(f"{site}/clips/{clip.public_id}/")
    wait_for_player(other, "player.currentTime > 0.5")

    Video.objects.filter(pk=video.pk).update(visibility="private")

    answer = other.goto(f"{site}/clips/{clip.public_id}/")
    assert answer
    assert answer.status == 404
    page.goto(f"{site}/clips/{clip.public_id}/")
    wait_for_player(page, "player.currentTime > 0.5")
    context.close()
