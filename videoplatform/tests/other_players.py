"""Other players, opened on our addresses."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from django.conf import settings
from playwright.sync_api import Browser, Page

from videoplatform.embedded import npm
from videos.transcoding.tools import ffmpeg_path

PATIENCE_S = 60
# The file of each player in the npm packages of checks/, and its start on a video element.
SCRIPT_PLAYERS = {
    "shaka": (
        "shaka-player/dist/shaka-player.compiled.js",
        """async (video, url) => {
            const player = new shaka.Player();
            await player.attach(video);
            await player.load(url);
        }""",
    ),
    "video.js": (
        "video.js/dist/video.min.js",
        """async (video, url) => {
            const player = videojs(video, { html5: { vhs: { overrideNative: true } } });
            player.src({ src: url, type: "application/vnd.apple.mpegurl" });
        }""",
    ),
}


def frames_by_ffmpeg(url: str, *, at_most: int) -> int:
    """Return the number of frames that FFmpeg decodes (as VLC, mpv and others do), up to ``at_most``.

    FFmpeg starts a growing playlist at its last three segments, so it is made to start at
    the first.
    """
    begins = ("-live_start_index", "0", "-i", url, "-map", "0:v:0")
    output = ("-frames:v", str(at_most), "-f", "framemd5", "-")
    frames = printed(ffmpeg_path(), "-v", "error", "-nostdin", *begins, *output)
    return sum(not line.startswith("#") for line in frames)


def frames_by_gstreamer(url: str, *, at_most: int | None = None) -> int:
    """Return the number of frames that GStreamer decodes from a whole playlist, or until ``at_most``."""
    sinks = ("video-sink=fakesink name=frames sync=false silent=false", "audio-sink=fakesink sync=false")
    argv = ("timeout", str(PATIENCE_S), "gst-launch-1.0", "-v", "playbin3", f"uri={url}", *sinks)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as player:
        assert player.stdout
        frames = (line for line in player.stdout if "frames: last-message = chain" in line)
        count = sum(1 for _ in islice(frames, at_most))
        player.terminate()
    return count


def end_reached_by(name: str, chromium: Browser, site: str, url: str, folder: Path) -> float:
    """Play the first and the last two seconds with one of ``SCRIPT_PLAYERS``; return the end's position."""
    with _playing(name, chromium, site, url, folder) as page:
        page.wait_for_function("video.currentTime > 2")
        page.evaluate("video.currentTime = video.duration - 2")
        page.wait_for_function("video.ended")
        position_s: float = page.evaluate("video.currentTime")
    return position_s


def seconds_played_by(name: str, chromium: Browser, site: str, url: str, folder: Path) -> float:
    """Play a broadcast with one of ``SCRIPT_PLAYERS`` for five seconds; return the played seconds."""
    with _playing(name, chromium, site, url, folder) as page:
        page.wait_for_function("video.currentTime > 0 && video.readyState >= 3")
        began_s: float = page.evaluate("video.currentTime")
        page.wait_for_function("(began) => video.currentTime > began + 5", arg=began_s)
        played_s: float = page.evaluate("(began) => video.currentTime - began", began_s)
    return played_s


@contextmanager
def _playing(name: str, chromium: Browser, site: str, url: str, folder: Path) -> Iterator[Page]:
    """Yield a page whose variable ``video`` is an element that one of ``SCRIPT_PLAYERS`` plays."""
    npm.install(settings.BASE_DIR / "checks", folder / "npm.log")
    script, start = SCRIPT_PLAYERS[name]
    # The site's policy admits no scripts of others.
    with closing(chromium.new_context(bypass_csp=True)) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.goto(site)
        page.add_script_tag(path=settings.BASE_DIR / "checks/node_modules" / script)
        page.evaluate(
            f"""async (url) => {{
                window.video = document.createElement("video");
                video.muted = true;
                document.body.replaceChildren(video);
                await ({start})(video, url);
                await video.play();
            }}""",
            url,
        )
        yield page


def printed(*argv: str) -> list[str]:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.stdout.splitlines()
