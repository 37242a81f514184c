"""Tests of behaviour specific to PostgreSQL: the connection pool, and the migration lock."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, close_old_connections
from django.db import connection as connection_of_this_thread
from django.db.migrations.recorder import MigrationRecorder

from videoplatform import schema

connection: Any = connection_of_this_thread  # on PostgreSQL it has a pool

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("sqlite" in settings.DATABASES["default"]["ENGINE"], reason="about PostgreSQL"),
]

FORKING = """
import os
import django
django.setup()
from django.db import connection

def session():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]

before = session()
child = os.fork()
if child == 0:
    os._exit(0 if session() != before else 1)
status = os.waitpid(child, 0)[1]
print(os.waitstatus_to_exitcode(status), session() == before)
"""


@pytest.fixture
def small_pool(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the connection a pool of two, with a timeout long enough for a busy machine."""
    options = connection.settings_dict["OPTIONS"]
    connection.close()
    connection.close_pool()
    monkeypatch.setitem(options, "pool", {"min_size": 0, "max_size": 2, "timeout": 60})
    yield
    connection.close()
    connection.close_pool()


def in_thread(hold: threading.Event | None = None, held: threading.Semaphore | None = None) -> int:
    """Query one row as a request does, and keep the connection until ``hold`` is set."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            session: int = cursor.fetchone()[0]
        if hold and held:
            held.release()
            hold.wait()
        return session
    finally:
        close_old_connections()


def test_threads_share_the_connections_of_the_pool(small_pool: None) -> None:
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as another:
        sessions = {worker.submit(in_thread).result() for worker in (one, another, one, another)}
    assert len(sessions) == 1


def test_exhausted_pool_refuses_after_its_timeout(small_pool: None) -> None:
    hold, held = threading.Event(), threading.Semaphore(0)
    with ThreadPoolExecutor(3) as threads:
        holding = [threads.submit(in_thread, hold, held) for _ in range(2)]
        for _ in holding:
            assert held.acquire(timeout=90)
        connection.pool.timeout = 0.1
        refused = threads.submit(in_thread).exception()
        connection.pool.timeout = 60
        hold.set()
        assert all(one.result() for one in holding)
        assert isinstance(refused, OperationalError)
        assert threads.submit(in_thread).result()


def test_forked_child_opens_its_own_pool() -> None:
    known = connection.settings_dict
    url = f"postgres://{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT']}/{known['NAME']}"
    environment = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "videoplatform.settings"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING],
        env=environment, cwd=Path(settings.BASE_DIR), check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "True"]


def test_host_waits_for_the_migration_of_another() -> None:
    printed: list[str] = []
    done: list[str] = []
    waits = threading.Event()

    def other_host() -> None:
        def report(sentence: str) -> None:
            printed.append(sentence)
            waits.set()

        with schema.migration_lock(report):
            done.append("second")
        connection.close()

    with schema.migration_lock(printed.append):
        other = threading.Thread(target=other_host)
        other.start()
        assert waits.wait(60)
        done.append("first")
    other.join()
    assert printed == ["Another host is migrating this database. Waiting until it is done."]
    assert done == ["first", "second"]


def test_host_raises_after_waiting_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with schema.migration_lock(print):
        other = connection.copy()
        monkeypatch.setattr(schema, "connection", other)
        with pytest.raises(schema.StillMigrating), schema.migration_lock(lambda _: None, wait_s=0.05):
            pass
        other.close()


def test_migrate_reports_a_host_that_does_not_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema.migration_lock.__wrapped__, "__defaults__", (0.05,))  # type: ignore[attr-defined]
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [schema.LOCK])
    with pytest.raises(CommandError, match="Another host has been migrating"):
        call_command("migrate", stdout=StringIO())
    other.close()


def test_missing_migration_is_listed() -> None:
    recorder = MigrationRecorder(connection)
    assert schema.pending_migrations() == []
    recorder.record_unapplied("videos", "0001_initial")
    try:
        assert schema.pending_migrations() == ["videos.0001_initial"]
    finally:
        recorder.record_applied("videos", "0001_initial")
