"""A whole site for journeys: web and worker as real processes, and a real browser in front."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from videoplatform.embedded.browser import find_browser
from videoplatform.tests.balancer import Balancer
from videos.tests.processes import Process, kill, start, start_celery

START_TIMEOUT_S = 60
SETTINGS = "videoplatform.settings"
# Journeys may wait for an encode on a busy machine, and pages for each other.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


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


@dataclass(slots=True)
class LiveSite:
    """Two web processes behind a balancer, an ingest, a worker with its clock."""

    url: str
    rtmp_url: str
    processes: dict[str, Process]
    restart: Callable[[str], None]

    def wait_for_ingest(self) -> None:
        wait_until_it_listens(int(self.rtmp_url.split(":")[2].split("/")[0]), self.processes["ingest"])

    def kill(self, name: str) -> None:
        kill(self.processes[name])


@pytest.fixture
def live_site(transactional_db: None, bucket: str, tmp_path: Path) -> Iterator[LiveSite]:
    """Everything that live needs, on this test's database, with a small ladder that two cores can bear."""
    ports = {"web-a": free_port(), "web-b": free_port()}
    rtmp_port = free_port()
    environment = {"RTMP_PORT": str(rtmp_port), "LIVE_RUNGS": "240", "LIVE_PRESET": "ultrafast"}
    uvicorn = ["uvicorn", "videoplatform.asgi:application", "--lifespan", "off", "--port"]
    commands = {name: [*uvicorn, str(port)] for name, port in ports.items()}
    commands["ingest"] = ["django", "ingest"]

    def begin(name: str) -> Process:
        return start(commands[name], bucket, tmp_path, DJANGO_SETTINGS_MODULE=SETTINGS, **environment)

    def restart(name: str) -> None:
        processes[name] = begin(name)

    processes = {name: begin(name) for name in commands}
    processes["worker"] = start_celery(bucket, tmp_path, "-B", "-s", str(tmp_path / "beat"))
    balancer = Balancer(list(ports.values()))
    for name, port in ports.items():
        wait_until_it_answers(f"http://127.0.0.1:{port}", processes[name])
    wait_until_it_listens(rtmp_port, processes["ingest"])
    url = f"http://127.0.0.1:{balancer.port}"
    yield LiveSite(url, f"rtmp://127.0.0.1:{rtmp_port}/live", processes, restart)
    for process in processes.values():
        kill(process)
    balancer.close()


def wait_until_it_answers(url: str, web: Process) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and web.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("the site did not start")


def wait_until_it_listens(port: int, ingest: Process) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and ingest.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("the ingest did not start")


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
