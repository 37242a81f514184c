"""Glass-to-glass latency: from the creation of a frame to its display in a browser.

    .venv/bin/python -m benchmarks.latency [seconds]

Everything runs on one machine: publisher, RTMP, one FFmpeg with the whole ladder, web, and
Chromium. The baseline is ordinary HLS: the same publisher, FFmpeg's own muxer with 2 s
segments, and hls.js with default settings.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import harness, stamped
from videoplatform.testing.browser import find_browser

WARM_UP_S = 15
PLAYS = "() => { const v = document.querySelector('video'); return v && v.currentTime > 0.5 && !v.paused }"
SAMPLE = f"""(seconds) => new Promise((resolve) => {{
  const read = {stamped.READ};
  const video = document.querySelector('video');
  const found = {{ms: [], unread: 0, stalls: 0}};
  video.addEventListener('waiting', () => {{ found.stalls += 1; }});
  const until = performance.now() + seconds * 1000;
  const onFrame = () => {{
    const now = Date.now();
    const stamp = read(video);
    if (stamp === null) found.unread += 1;
    else found.ms.push((now % 2 ** 32) - stamp);
    if (performance.now() < until) video.requestVideoFrameCallback(onFrame);
    else resolve(found);
  }};
  video.requestVideoFrameCallback(onFrame);
  setTimeout(() => resolve(found), seconds * 1000 + 10000);
}})"""
BASELINE_PAGE = """<!DOCTYPE html><video muted autoplay></video><script type="module">
import Hls from './hls.min.mjs';
const hls = new Hls();
hls.loadSource('live.m3u8');
hls.attachMedia(document.querySelector('video'));
document.querySelector('video').play();
</script>"""


@contextlib.contextmanager
def publisher(seconds: float, *output: str) -> Iterator[None]:
    argv = [sys.executable, "-m", "benchmarks.stamped", str(seconds), *output]
    # In its own process group: otherwise its FFmpeg would continue with the audio only.
    with subprocess.Popen(argv, cwd=harness.BASE_DIR, start_new_session=True) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def sample(page: Page, seconds: int) -> dict[str, object]:
    """Return the latency of the frames displayed in ``seconds``, after a warm-up."""
    page.wait_for_function(PLAYS, timeout=60_000)
    page.wait_for_timeout(WARM_UP_S * 1000)
    found = page.evaluate(SAMPLE, seconds)
    ordered = sorted(found["ms"])
    return {
        "median_s": statistics.median(ordered) / 1000,
        "p95_s": ordered[int(len(ordered) * 0.95)] / 1000,
        "max_s": ordered[-1] / 1000,
        "pictures": len(ordered),
        "unread": found["unread"],
        "stalls": found["stalls"],
    }


def ours(browser: Browser, seconds: int) -> dict[str, object]:
    with harness.platform() as on:
        token = harness.register(on)
        api = on.api(token)
        username = api.get("accounts/me/").json()["username"]
        key = api.post(f"live/{username}/stream-key/").json()
        target = f"{key['ingest_url']}/{key['stream_key']}"
        with publisher(seconds + 120, "-f", "flv", target):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{on.url}/@{username}/live/")
            try:
                return sample(page, seconds)
            finally:
                page.close()


def baseline(browser: Browser, seconds: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder)
        (served / "index.html").write_text(BASELINE_PAGE)
        shutil.copy(harness.BASE_DIR / "node_modules/hls.js/dist/hls.min.mjs", served)
        hls = (
            "-f",
            "hls",
            "-hls_time",
            "2",
            "-hls_list_size",
            "6",
            "-hls_flags",
            "delete_segments+temp_file",
        )
        handler = functools.partial(QuietHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with publisher(seconds + 120, *hls, str(served / "live.m3u8")):
            page = browser.new_page()
            while not (served / "live.m3u8").exists():
                page.wait_for_timeout(500)
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
            try:
                return sample(page, seconds)
            finally:
                page.close()
                server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Log nothing."""


def main(seconds: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        harness.report("latency ordinary_hls", **baseline(browser, seconds))
        harness.report("latency ours", **ours(browser, seconds))
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
