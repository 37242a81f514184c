"""Fixtures for all tests: a real Redis and a real S3, emptied for each test.

``bin/test`` starts both for the run; they are never a developer's own.
"""

import gc
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from asgiref.testing import ApplicationCommunicator
from botocore.exceptions import ClientError
from channels.testing import ApplicationCommunicator as ChannelsCommunicator
from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.decorators import sync_and_async_middleware
from hypothesis import settings as hypothesis_settings
from servestatic.middleware import ServeStaticMiddleware
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from common import buckets, garbage, rates, storage
from videoplatform import staticfiles
from videoplatform.embedded import django_steps
from videoplatform.staticfiles import AssetsMiddleware
from videos.tests.clips import clip_directory

pytest_plugins = [f"videoplatform.tests.{name}" for name in ("databases", "people", "programs", "sites")]

# No test fails for a slow example on a busy machine; benchmarks measure durations.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


# Files that wait more than they compute, by the end of their names: journeys in browsers, and
# broadcasts in real time. Two of a kind side by side would slow each other down.
WAITING = ("_journeys.py", "_paced.py")
# The longest of the other files: begun last, each would run alone at the end.
LONGEST = ("test_hls.py", "test_workers.py", "test_corpus_probe.py", "test_trims.py", "test_copying.py")
# Marks of tests that run on SQLite alone.
ONE_DATABASE = ("browser", "ffmpeg", "any_database")


class WaitingTogether(LoadFileScheduling):
    """A scheduler that distributes whole files, but keeps all waiting files of a kind on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((kind for kind in WAITING if path.endswith(kind)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WaitingTogether:
    return WaitingTogether(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--only-sql",
        action="store_true",
        help="only tests that use the database and depend on its kind",
    )


def uses_sql(item: pytest.Item) -> bool:
    """Return whether a test belongs to the second run, on PostgreSQL."""
    names = set(getattr(item, "fixturenames", ()))
    asks = bool(item.get_closest_marker("django_db") or names & {"db", "transactional_db", "live_server"})
    return asks and not any(item.get_closest_marker(mark) for mark in ONE_DATABASE)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests without SQL for ``--only-sql``, and sort the tests of parallel workers.

    Journeys and broadcasts wait more than they compute, so they run first, beside quick
    tests. Slow tests at the end keep every worker busy until then, the longest files first.
    """
    if config.getoption("only_sql"):
        left_out = [item for item in items if not uses_sql(item)]
        items[:] = [item for item in items if uses_sql(item)]
        config.hook.pytest_deselected(items=left_out)
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}

        def turn(item: pytest.Item) -> int:
            for place, kind in enumerate(WAITING):
                if item.path.name.endswith(kind):
                    return place
            if item.path not in slow:
                return len(WAITING)
            return len(WAITING) + (1 if item.path.name in LONGEST else 2)

        items.sort(key=turn)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """Collect tests without garbage collections, and exclude all that was loaded from later ones.

    A full collection would examine every module, test and model again and again.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*garbage.THRESHOLDS)
        gc.enable()


@sync_and_async_middleware
def assets_middleware(get_response: Any) -> Any:
    """Stand in for ``AssetsMiddleware``: a synchronous client's request for a page bypasses it.

    The real one is asynchronous.  Under it, each request of a synchronous client would start
    an event loop and a thread, which take longer than many answers.
    """
    if iscoroutinefunction(get_response):
        return AssetsMiddleware(get_response)

    def answer(request: HttpRequest) -> Any:
        if request.path_info.startswith(settings.STATIC_URL):
            return async_to_sync(AssetsMiddleware(sync_to_async(get_response)))(request)
        return get_response(request)

    return answer


@pytest.fixture(autouse=True, scope="session")
def quick_assets() -> Iterator[None]:
    """Bypass the assets where none are requested, and read their files once, not for each client."""
    found: dict[str, Any] = {}
    look = ServeStaticMiddleware.add_files_from_manifest

    def look_once(middleware: ServeStaticMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServeStaticMiddleware, "add_files_from_manifest", look_once)
        patch.setattr(staticfiles, "AssetsMiddleware", assets_middleware)
        yield


@pytest.fixture(autouse=True, scope="session")
def sockets_close_their_connections() -> Iterator[None]:
    """Let ``channels.testing`` close database connections as production does.

    Its communicator replaces ``channels.db.close_old_connections`` while it waits. Two
    concurrent ones restore it in the wrong order, and then every thread of all later tests
    leaks a connection.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("send_input", "receive_output"):
            patch.setattr(ChannelsCommunicator, name, getattr(ApplicationCommunicator, name))
        yield


@pytest.fixture(scope="session")
def redis_of_run() -> Iterator[redis.Redis | None]:
    """Yield a client of the server that bin/test started; None elsewhere: a server may hold somebody's data.

    A connection for each test would take longer than many tests.
    """
    if not os.environ.get("TEST_SERVICES"):
        yield None
        return
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def clean_redis(redis_of_run: redis.Redis | None) -> None:
    """Empty Redis (cache, broker, presence) and reset the rate limits before each test."""
    if redis_of_run:
        redis_of_run.flushdb()
    buckets.local_buckets.clear()


@pytest.fixture(autouse=True)
def default_language() -> None:
    """Reset the language to the default: a test client's request leaves its own active."""
    translation.deactivate()


@pytest.fixture(scope="session")
def clips() -> Path:
    """Return the folder of test clips. Each is generated once, for all workers and later runs."""
    return clip_directory(Path(settings.DATA_DIR))


@pytest.fixture
def slow_limits(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set rate limits whose buckets do not refill during a test, even on a slow machine."""
    settings.RATE_LIMITS = True
    for name, rate in rates.RATES.items():
        monkeypatch.setitem(rates.RATES, name, replace(rate, period_s=365 * 86_400))


@pytest.fixture
def redis_prefix(request: pytest.FixtureRequest) -> str:
    """Return a key prefix that no other test uses."""
    return f"{request.node.nodeid}:"


@pytest.fixture(scope="session")
def run_bucket() -> str:
    """Return the name of this worker's bucket, created with the rules of production."""
    django_steps.bucket()
    return str(settings.S3_BUCKET)


@pytest.fixture(autouse=True)
def storage_is_there(request: pytest.FixtureRequest) -> None:
    """Create this worker's bucket before tests marked ``storage``, in any order of tests."""
    if request.node.get_closest_marker("storage"):
        request.getfixturevalue("run_bucket")


@pytest.fixture
def bucket(run_bucket: str) -> str:
    """Return the name of an empty bucket, which ``common.storage`` uses."""
    client = storage.client()
    storage.delete_keys(storage.keys_under(""))
    for upload in client.list_multipart_uploads(Bucket=run_bucket).get("Uploads", []):
        try:
            client.abort_multipart_upload(Bucket=run_bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise
    return run_bucket
