"""A whole site for journeys: web and worker as real processes, and a real browser in front."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from videoplatform.embedded.browser import find_browser
from videos.tests.processes import Process, kill, start, start_celery

START_TIMEOUT_S = 60
# Journeys may wait for an encode on a busy machine.
PATIENCE_MS = 60_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def site(transactional_db: None, bucket: str, tmp_path: Path) -> Iterator[str]:
    """The address of a running site on this test's database, with one worker."""
    port = free_port()
    uvicorn = ["uvicorn", "videoplatform.asgi:application", "--port", str(port), "--lifespan", "off"]
    processes = [start(uvicorn, bucket, tmp_path), start_celery(bucket, tmp_path)]
    url = f"http://127.0.0.1:{port}"
    wait_until_it_answers(url, processes[0])
    yield url
    for process in processes:
        kill(process)


def wait_until_it_answers(url: str, web: Process) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and web.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("the site did not start")


@pytest.fixture(scope="module")
def chromium(django_db_setup: None) -> Iterator[Browser]:
    """A Chromium without a window; its own idea of when sound may start is switched off.

    Its driver keeps an event loop in this thread, in which Django's ORM would
    refuse to work and asynchronous tests cannot run: hence the variable, and a
    browser for each module.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(
            executable_path=find_browser(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--autoplay-policy=no-user-gesture-required",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[BrowserContext]:
    """Somebody's browser; a script or a policy that fails on any page fails the test."""
    problems: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    context.set_default_timeout(PATIENCE_MS)

    def listen(page: Any) -> None:
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if is_serious(message) else None)

    context.on("page", listen)
    yield context
    context.close()
    assert problems == []


def is_serious(message: Any) -> bool:
    """What the Content-Security-Policy refused; a 404 that a journey provokes is none."""
    return message.type == "error" and "Content Security Policy" in message.text
