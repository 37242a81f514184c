"""The state of the database schema, and the lock for migrating it.

Every host of a rolling deploy runs ``migrate``. On PostgreSQL one host migrates and the
others wait, by an advisory lock; SQLite has one host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# Any number that nothing else in the database locks: "migrate" as bytes.
LOCK = int.from_bytes(b"migrate")
MIGRATE_WAIT_S = 1800


class StillMigrating(Exception):
    """A migration lock that another host has held for longer than ``MIGRATE_WAIT_S``."""


def pending_migrations() -> list[str]:
    """Return the migrations of this code that the database lacks, as ``app.name``, in one query."""
    applied = MigrationRecorder(connection).applied_migrations()
    return sorted(".".join(node) for node in _known_migrations() - applied.keys())


@lru_cache(maxsize=1)
def _known_migrations() -> frozenset[tuple[str, str]]:
    """Return the migrations of this code. Reading them takes most of a second, and they never change."""
    return frozenset(MigrationLoader(None).graph.nodes)


@contextmanager
def migration_lock(report: Callable[[str], object], wait_s: float = MIGRATE_WAIT_S) -> Iterator[None]:
    """Hold the migration lock; wait while another host holds it. Raises StillMigrating.

    A separate session holds the lock, so it ends with the process.
    """
    if connection.vendor != "postgresql":
        yield
        return
    session = connection.copy()
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                report("Another host is migrating this database. Waiting until it is done.")
                _wait_for_lock(cursor, wait_s)
            try:
                yield
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    finally:
        session.close()


def _wait_for_lock(cursor: CursorWrapper, wait_s: float) -> None:
    try:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{round(wait_s * 1000)}ms"])
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    except OperationalError as error:  # LockNotAvailable
        raise StillMigrating from error
    finally:
        cursor.execute("RESET lock_timeout")
