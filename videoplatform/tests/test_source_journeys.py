"""Journeys of unusual sources: uploaded, encoded and played to their end in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from videoplatform.tests.conftest import PATIENCE_MS
from videoplatform.tests.test_journeys import sign_up, upload, wait_for_player
from videos.models import Video
from videos.tests.test_inputs import BARS, X264, as_matrix, bars, ffmpeg, picture, tone

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.storage,
]

# The colours in the middle of upright bars, as the page draws them.
COLOURS = """(count) => {
  const video = document.querySelector("[data-player] video");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  return Array.from({ length: count }, (_none, at) => {
    const x = Math.floor((at + 0.5) * canvas.width / count);
    return [...context.getImageData(x, Math.floor(canvas.height / 2), 1, 1).data].slice(0, 3);
  });
}"""


@pytest.mark.parametrize(
    ("size", "options"),
    [
        pytest.param((1280, 720), ("-c:v", "libx264rgb", "-crf", "10"), id="rgb"),
        pytest.param((720, 576), as_matrix("bt601"), id="standard definition"),
    ],
)
def test_every_rung_shows_the_colours_of_its_source(
    visitor: BrowserContext, site: str, tmp_path: Path, size: tuple[int, int], options: tuple[str, ...]
) -> None:
    second = bars(tmp_path / "second.mp4", size, *options)
    ffmpeg("-stream_loop", "9", "-i", second, "-c", "copy", tmp_path / "bars.mp4")
    page = visitor.new_page()
    sign_up(page, site, "painter")
    upload(page, site, tmp_path / "bars.mp4")
    # Each rung takes its share of two cores, which other tests use too.
    words = "document.querySelector('encode-progress')?.textContent ?? 'All qualities are ready.'"
    page.wait_for_function(f"() => ({words}).includes('All qualities are ready.')", timeout=3 * PATIENCE_MS)
    # Chosen at the end, a quality is that of the next playback.
    wait_for_player(page, "player.available > 9 && player.ended")

    heights = [one.height_px for one in Video.objects.get().renditions.filter(kind="video")]
    assert len(heights) > 1
    for height in heights:
        page.locator("[data-player]").hover()
        page.get_by_role("button", name="Settings: quality, speed").click()
        page.get_by_role("menuitem", name="Quality").click()
        page.get_by_role("menuitemradio", name=re.compile(f"^{height}p")).click()
        page.evaluate("(document.querySelector('[data-player]').currentTime = 1)")
        page.evaluate("document.querySelector('[data-player]').play()")
        wait_for_player(page, f"video.videoHeight === {height} && !video.seeking && video.readyState >= 2")
        shown = page.evaluate(COLOURS, len(BARS))
        both = zip(shown, BARS, strict=True)
        off = [[abs(one - other) for one, other in zip(*pair, strict=True)] for pair in both]
        # Chromium multiplies Cb by 2.0 instead of 2.11, so its blue is up to 12 off in any video.
        assert max(max(red, green, blue - 8) for red, green, blue in off) <= 4, (height, shown)


def test_film_and_its_very_end_play_where_tracks_end_unevenly(
    visitor: BrowserContext, site: str, tmp_path: Path
) -> None:
    page = visitor.new_page()
    sign_up(page, site, "filmmaker")
    # The last audio segment is one AAC frame.
    film = tmp_path / "film.mp4"
    ffmpeg(*picture(100.02, "160x90"), *tone(100.02), *X264, "-c:a", "aac", film)
    upload(page, site, film)
    page.goto(f"{page.url.partition('?')[0]}?t=99.9")
    wait_for_player(page, "player.ended")

    # The audio ends after 20 s of 13 minutes.
    silent = tmp_path / "silent.mp4"
    ffmpeg(*picture(780, "160x90", rate=1), *tone(20), *X264, "-c:a", "aac", silent)
    upload(page, site, silent)
    wait_for_player(page, "player.duration > 779")
    page.evaluate("document.querySelector('[data-player]').currentTime = 18")
    page.evaluate("document.querySelector('[data-player]').play()")
    wait_for_player(page, "!player.paused && player.currentTime > 22")
    # Keyframes 250 s apart make one chunk, so its playlists grow, and a growing one has no 779.9 s yet.
    wait_for_player(page, "!player.engine.isGrowing")
    page.goto(f"{page.url.partition('?')[0]}?t=779.9")
    wait_for_player(page, "player.ended")
