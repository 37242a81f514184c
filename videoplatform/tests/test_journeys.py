"""Journeys of people in a real browser, with real processes."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import User
from accounts.tests.factories import PASSWORD
from videoplatform.testing import gstreamer
from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.other_players import (
    SCRIPT_PLAYERS,
    end_reached_by,
    frames_by_ffmpeg,
    frames_by_gstreamer,
)
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

H264_AND_AAC = 'video/mp4; codecs="avc1.64001f,mp4a.40.2"'


def sign_up(page: Page, site: str, username: str) -> None:
    page.goto(f"{site}/accounts/signup/")
    page.get_by_label(re.compile("user ?name", re.IGNORECASE)).fill(username)
    page.get_by_label(re.compile("e-?mail", re.IGNORECASE)).fill(f"{username}@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("main form button[type=submit]").click()
    page.wait_for_url(re.compile(r"(?<!signup)/$"))


def upload(page: Page, site: str, clip: Path) -> None:
    """Upload and publish through the page, and open the video as soon as it plays."""
    page.goto(f"{site}/upload/")
    page.set_input_files("#files", clip)
    page.get_by_role("button", name="Publish").click()
    page.locator("[data-part=watch]").first.click()
    page.wait_for_url("**/watch/**")


def player(page: Page, expression: str) -> Any:
    return page.evaluate(
        f"(() => {{ const player = document.querySelector('[data-player]'); return {expression}; }})()"
    )


def wait_for_player(page: Page, condition: str) -> None:
    page.wait_for_function(
        f"() => {{ const player = document.querySelector('[data-player]');"
        f" const video = player?.querySelector('video'); return player && {condition}; }}",
        polling=100,
    )


def test_browser_plays_h264_and_aac(visitor: BrowserContext, site: str) -> None:
    page = visitor.new_page()
    page.goto(site)

    assert page.evaluate(f"MediaSource.isTypeSupported('{H264_AND_AAC}')")


@pytest.mark.parametrize("kind", ["landscape", "copiable"])
def test_newcomer_uploads_a_video_and_switches_its_quality(
    kind: str, visitor: BrowserContext, chromium: Browser, site: str, clips: Path, tmp_path: Path
) -> None:
    clip = make_clip(kind, clips, seconds=20, size="854x480")
    page = visitor.new_page()
    parts: list[str] = []
    page.on("request", lambda request: parts.append(request.url) if request.method == "PUT" else None)

    sign_up(page, site, "newcomer")
    upload(page, site, clip)
    wait_for_player(page, "!player.paused && player.currentTime > 0.5")
    video = Video.objects.get()
    multivariant = f"{site}/videos/{video.public_id}/hls/{video.encode_key}/multivariant.m3u8"
    # The remaining segments may still be encoding.
    frames_so_far = frames_by_ffmpeg(multivariant, at_most=50)
    page.locator("[data-player]").hover()
    page.get_by_role("button", name="Settings: quality, speed").click()
    page.get_by_role("menuitem", name="Quality").click()
    page.get_by_role("menuitemradio", name=re.compile("360p")).click()
    # On a busy machine the video has played to its end by now.
    player(page, "(player.currentTime = 1, player.play())")
    wait_for_player(page, "video.videoHeight === 360")
    switched_at_s = player(page, "player.currentTime")
    wait_for_player(page, f"player.currentTime > {switched_at_s} + 1")

    assert parts
    assert all(url.startswith(settings.S3_ENDPOINT_URL) for url in parts), "parts went through the site"
    assert player(page, "player.duration") == pytest.approx(20, abs=0.5)
    assert frames_so_far == 50
    wait_for_player(page, "!player.engine.isGrowing")
    for name in SCRIPT_PLAYERS:
        assert end_reached_by(name, chromium, site, multivariant, tmp_path) == pytest.approx(20, abs=0.1), (
            name
        )
    if not gstreamer.missing_packages():
        assert frames_by_gstreamer(multivariant) == 20 * 25


def test_private_video_and_its_segments_are_refused_to_strangers(
    visitor: BrowserContext, chromium: Any, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    sign_up(page, site, "recluse")
    upload(page, site, make_clip("landscape", clips, seconds=5))
    video = Video.objects.get()
    csrf = next(cookie["value"] for cookie in visitor.cookies() if cookie["name"] == "csrftoken")
    changed = visitor.request.patch(
        f"{site}/api/v1/videos/{video.public_id}/",
        data={"visibility": "private"},
        headers={"X-CSRFToken": csrf, "Referer": site},
    )
    playlist = f"{site}/videos/{video.public_id}/hls/{video.encode_key}/{video.renditions.all()[0].name}.m3u8"
    own = visitor.request.get(playlist)
    segment = next(line for line in own.text().splitlines() if line.startswith("http"))

    stranger = chromium.new_context()
    refused = [
        stranger.request.get(address).status
        for address in (
            f"{site}/watch/{video.public_id}/",
            f"{site}/embed/{video.public_id}/",
            f"{site}/api/v1/videos/{video.public_id}/",
            playlist,
            playlist.replace(video.renditions.all()[0].name, "multivariant"),
        )
    ]
    stranger.close()

    assert changed.ok
    assert own.ok
    assert refused == [404] * 5
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(segment.split("?")[0], timeout=5)


def test_file_that_is_no_video_is_reported_to_its_owner(
    visitor: BrowserContext, site: str, clips: Path
) -> None:
    page = visitor.new_page()
    sign_up(page, site, "hopeful")
    page.goto(f"{site}/upload/")
    page.set_input_files("#files", make_clip("text", clips))

    expect(page.get_by_text("not a supported video file").first).to_be_visible()
    # Trying again cannot help, and nothing was published.
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    assert Video.objects.get().visibility == Video.Visibility.PRIVATE
    page.goto(f"{site}/studio/")
    expect(page.get_by_text("not a supported video file").first).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()

    # In Chinese, the sentence is Chinese, on the page of the upload and in the studio.
    page.get_by_role("button", name="Language and appearance").click()
    page.get_by_role("button", name="简体中文").click()
    page.goto(f"{site}/upload/")
    page.set_input_files("#files", make_clip("text", clips))
    expect(page.get_by_text("不支持此文件").first).to_be_visible()
    page.goto(f"{site}/studio/")
    expect(page.get_by_text("不支持此文件")).to_have_count(2)
    expect(page.get_by_text("not a supported video file")).to_have_count(0)


def test_player_is_controlled_by_keyboard(visitor: BrowserContext, site: str, clips: Path) -> None:
    page = visitor.new_page()
    sign_up(page, site, "typist")
    upload(page, site, make_clip("landscape", clips, seconds=20))
    # Seeking works only in the encoded part.
    wait_for_player(page, "!player.paused && player.currentTime > 0.2 && player.available > 15")

    page.keyboard.press("k")
    wait_for_player(page, "player.paused")
    before_s = player(page, "player.currentTime")
    page.keyboard.press("ArrowRight")
    wait_for_player(page, f"Math.abs(player.currentTime - {before_s} - 5) < 1.5")
    page.keyboard.press("m")
    wait_for_player(page, "video.muted")
    page.keyboard.press("k")
    wait_for_player(page, "!player.paused")


def test_captions_from_the_studio_appear_in_the_player(
    visitor: BrowserContext, site: str, clips: Path, tmp_path: Path
) -> None:
    captions = tmp_path / "captions.srt"
    captions.write_text("1\n00:00:00,000 --> 00:00:19,000\n<i>Guten Tag</i>\n", encoding="utf-16")
    page = visitor.new_page()
    sign_up(page, site, "translator")
    upload(page, site, make_clip("landscape", clips, seconds=20))
    watch_url = page.url

    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Language", exact=True).select_option("de")
    page.get_by_label("File", exact=True).set_input_files(captions)
    page.get_by_role("button", name="Add captions").click()
    expect(page.get_by_text("Deutsch: 1 caption.")).to_be_visible()
    expect(page.get_by_role("button", name="Remove Deutsch")).to_be_visible()

    page.goto(watch_url)
    wait_for_player(page, "player.currentTime > 0.2")
    button = page.get_by_role("button", name="Captions")
    expect(button).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("c")
    expect(button).to_have_attribute("aria-pressed", "true")
    shown = "player.querySelector('.player-captions i')?.textContent === 'Guten Tag'"
    wait_for_player(page, shown)

    # The next visit restores the choice.
    page.reload()
    wait_for_player(page, f"{shown} && player.currentTime > 0.2")


def test_person_signs_out_and_in_again(visitor: BrowserContext, site: str) -> None:
    page = visitor.new_page()
    sign_up(page, site, "returner")
    page.goto(f"{site}/accounts/logout/")
    page.locator("main form button[type=submit]").click()
    page.goto(f"{site}/accounts/login/?next=/studio/")
    page.get_by_label(re.compile("user ?name", re.IGNORECASE)).fill("returner")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("main form button[type=submit]").click()

    page.wait_for_url("**/studio/")
    assert User.objects.get().username == "returner"


def test_refused_forms_are_explained_in_chinese(chromium: Browser, site: str) -> None:
    context = chromium.new_context(locale="zh-CN")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{site}/accounts/signup/")
    for name, value in (("username", "reader"), ("email", "reader@example.org"), ("password1", "123")):
        page.locator(f"[name={name}]").fill(value)
    page.locator("main form button[type=submit]").click()
    expect(page.get_by_text("密码太短")).to_be_visible()

    # The cookie that protects the form has expired meanwhile.
    context.clear_cookies(name="csrftoken")
    page.locator("[name=password1]").fill(PASSWORD)
    page.locator("main form button[type=submit]").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("页面已过期")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    context.close()


def test_edit_form_saves_with_a_late_premiere_and_with_wrong_values_in_hidden_fields(
    visitor: BrowserContext, site: str
) -> None:
    page = visitor.new_page()
    sign_up(page, site, "premierer")
    moment = timezone.now() - timedelta(hours=1)
    late = {"status": "processing", "publish_at": moment, "is_premiere": True}
    video = VideoFactory(channel=User.objects.get().channel, **late)

    page.goto(f"{site}/studio/{video.public_id}/")
    page.get_by_label("Title").fill("Late")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/studio/")
    video.refresh_from_db()
    assert (video.title, video.publish_at, video.is_premiere) == ("Late", moment, True)

    page.goto(f"{site}/studio/{video.public_id}/")
    page.locator("[name=visibility][value=password]").check()
    page.locator("[name=password]").press_sequentially("ab")
    page.locator("[name=visibility][value=private]").check()
    expect(page.locator("[name=password]")).to_be_hidden()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/studio/")
    video.refresh_from_db()
    assert (video.visibility, video.publish_at, video.has_password) == ("private", None, False)
