"""A whole site as real processes: one for each pytest worker, shared by its journeys in turn.

A start takes ten seconds or more. Each journey gets an empty database, bucket and Redis;
the processes keep running.
"""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from videoplatform.tests.balancer import Balancer
from videoplatform.tests.valkey import free_port
from videos.tests.processes import Process, kill, start, start_celery

START_TIMEOUT_S = 60
SETTINGS = "videoplatform.settings"
WEB = ("web-a", "web-b")
# The processes that plain journeys need, and those of live journeys, with a ladder small
# enough for two cores.
PLAIN = ("web-a", "worker")
LIVE = (*WEB, "ingest", "worker", "beat")
ENVIRONMENT = {"DJANGO_SETTINGS_MODULE": SETTINGS, "LIVE_RUNGS": "240", "LIVE_PRESET": "ultrafast"}

SHARED_SITE = pytest.StashKey["Site"]()


class Site:
    """A site of two web processes behind a balancer, an ingest, a worker and beat, started on demand."""

    def __init__(self, bucket: str, directory: Path) -> None:
        self.bucket = bucket
        self.directory = directory
        self.processes: dict[str, Process] = {}
        self.ports = {name: free_port() for name in (*WEB, "ingest")}
        self.balancer: Balancer | None = None

    @property
    def plain_url(self) -> str:
        """Return the address of one web process."""
        return f"http://127.0.0.1:{self.ports['web-a']}"

    @property
    def url(self) -> str:
        """Return the address of the balancer in front of both web processes."""
        if self.balancer is None:
            self.balancer = Balancer([self.ports[name] for name in WEB])
        return f"http://127.0.0.1:{self.balancer.port}"

    @property
    def rtmp_url(self) -> str:
        return f"rtmp://127.0.0.1:{self.ports['ingest']}/live"

    def run(self, *names: str) -> None:
        """Start the processes that do not run yet, and wait until they answer."""
        for name in names:
            if name not in self.processes or self.processes[name].poll() is not None:
                self.processes[name] = self.begin(name)
        for name in names:
            self.wait_for(name)

    def begin(self, name: str) -> Process:
        environment = ENVIRONMENT | {"RTMP_PORT": str(self.ports["ingest"])}
        if name == "worker":
            return start_celery(self.bucket, self.directory, **environment)
        commands = {
            "ingest": ["django", "ingest"],
            "beat": [
                "celery",
                "-A",
                "videoplatform",
                "beat",
                "--pidfile=",
                "-s",
                str(self.directory / "beat"),
            ],
        }
        for web in WEB:
            port = str(self.ports[web])
            commands[web] = ["uvicorn", "videoplatform.asgi:application", "--lifespan", "off", "--port", port]
        return start(commands[name], self.bucket, self.directory, **environment)

    def wait_for(self, name: str) -> None:
        """Wait until the process answers; return at once if it has no port."""
        if name in WEB:
            wait_until_it_answers(f"http://127.0.0.1:{self.ports[name]}", self.processes[name])
        elif name == "ingest":
            wait_until_it_listens(self.ports[name], self.processes[name])

    def kill(self, name: str) -> None:
        kill(self.processes[name])

    def restart(self, name: str) -> None:
        self.processes[name] = self.begin(name)

    def stop(self) -> None:
        """Kill all processes. The next ``run`` starts new ones."""
        for process in self.processes.values():
            kill(process)
        self.processes.clear()
        if self.balancer is not None:
            self.balancer.close()
            self.balancer = None


@pytest.fixture(scope="session")
def shared_site(
    request: pytest.FixtureRequest,
    django_db_setup: None,
    run_bucket: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Yield the site that journeys share. Its processes start with the first journey."""
    site = Site(run_bucket, tmp_path_factory.mktemp("site"))
    request.config.stash[SHARED_SITE] = site
    yield site
    site.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop the shared site before a test that does not use it: its worker would take that test's tasks."""
    try:
        yield
    finally:
        site = item.config.stash.get(SHARED_SITE, None)
        if site is not None and not {"site", "live_site"} & {*getattr(nextitem, "fixturenames", ())}:
            site.stop()


@pytest.fixture
def site(transactional_db: None, bucket: str, shared_site: Site) -> str:
    """Return the address of a running site on this test's database, with one worker."""
    shared_site.run(*PLAIN)
    return shared_site.plain_url


@pytest.fixture
def own_site(transactional_db: None, bucket: str, tmp_path: Path) -> Iterator[str]:
    """Yield the address of a site for this test only, started with the current environment."""
    site = Site(bucket, tmp_path)
    site.run(*PLAIN)
    yield site.plain_url
    site.stop()


@pytest.fixture
def live_site(transactional_db: None, bucket: str, shared_site: Site) -> Site:
    """Return a site with all processes of live, on this test's database."""
    shared_site.run(*LIVE)
    return shared_site


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
