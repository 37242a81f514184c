"""Fixtures for journeys in a real browser, and for tests with their own Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, BrowserContext, ViewportSize, expect, sync_playwright

from common.redis_clients import async_options
from videoplatform.embedded.npm import NODE_BIN
from videoplatform.testing.browser import ensure_browser, keep_usual_priority
from videoplatform.tests.valkey import Valkey, free_port

# Journeys may wait for an encode on a busy machine, and pages for each other.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def own_valkey(settings: Any, tmp_path: Path) -> Iterator[Valkey]:
    """Yield a running Redis for this test only, used by the whole site. It can be stopped or filled."""
    valkey = Valkey(tmp_path)
    valkey.start()
    point_to(settings, valkey.url)
    yield valkey
    valkey.stop()


@pytest.fixture
def dead_redis(settings: Any) -> str:
    """Point the site to a Redis that is down; return its address, on which nothing listens."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    point_to(settings, url)
    return url


def point_to(settings: Any, url: str) -> None:
    """Make cache, limits, counts and the channel layer use the Redis at ``url``."""
    settings.REDIS_URL = url
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": url}}
    layer = settings.CHANNEL_LAYERS["default"]
    hosts = [{"address": url, **async_options(url)}]
    settings.CHANNEL_LAYERS = {"default": layer | {"CONFIG": layer["CONFIG"] | {"hosts": hosts}}}


@pytest.fixture(scope="module")
def chromium(django_db_setup: None) -> Iterator[Browser]:
    """Yield a headless Chromium that allows autoplay of audio.

    Playwright keeps an event loop in this thread, in which Django's ORM refuses to work and
    asynchronous tests cannot run: hence the variable, and a browser for each module.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        # The Node in Playwright's wheel needs libatomic, which a bare Debian does not have.
        patch.setenv("PLAYWRIGHT_NODEJS_PATH", str(NODE_BIN / "node"))
        keep_usual_priority()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=ensure_browser(Path(django_settings.DATA_DIR) / "logs" / "apt.log", print),
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
    """Yield a browser context of one person. Script errors and policy violations fail the test."""
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


def phones(chromium: Browser) -> Iterator[BrowserContext]:
    """Yield a phone that is held upright, Chinese and light, and one held sideways, English and dark."""
    upright: ViewportSize = {"width": 390, "height": 844}
    sideways: ViewportSize = {"width": 844, "height": 390}
    for viewport, locale in ((upright, "zh-CN"), (sideways, "en")):
        context = chromium.new_context(
            viewport=viewport,
            has_touch=True,
            is_mobile=True,
            locale=locale,
            color_scheme="light" if viewport is upright else "dark",
        )
        context.set_default_timeout(PATIENCE_MS)
        yield context
        context.close()


def is_serious(message: Any) -> bool:
    """Return whether a message is a violation of the Content-Security-Policy. A provoked 404 is not."""
    return message.type == "error" and "Content Security Policy" in message.text
