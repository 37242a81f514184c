"""Databases of the tests: copied from a migrated template, and emptied after transactional tests.

Otherwise every worker would apply every migration, and after each transactional test Django
would empty every table and recreate content types and permissions.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_modify_db_settings: None) -> bool:
    """Make this worker's database a copy of bin/test's migrated template, if there is one.

    Returns whether the database exists already: pytest-django creates it otherwise, on
    PostgreSQL as a copy as well.
    """
    template = os.environ.get("TEST_TEMPLATE", "")
    if not template or connection.vendor != "sqlite":
        connection.settings_dict["TEST"]["TEMPLATE"] = template
        return False
    creation: Any = connection.creation
    name = creation._get_test_db_name()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{name}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(template, name)
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Replace Django's method of emptying the database after a transactional test."""
    with django_db_blocker.unblock():
        tables = Tables()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _test: tables.empty())
        yield
    if connection.vendor == "postgresql":
        # Threads of the tests leave connections in the pool, and a database in use cannot
        # be dropped.
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


class Tables:
    """The tables of the test database. The rows that migrations create are kept."""

    def __init__(self) -> None:
        from django.contrib.auth.models import Group, Permission
        from django.contrib.contenttypes.models import ContentType

        filled = (ContentType, Permission, Group, Group.permissions.through)
        self.filled = [model._meta.db_table for model in filled]
        self.others = sorted(
            {*connection.introspection.django_table_names(only_existing=True)} - {*self.filled}
        )
        self.kept = {table: self.rows(table) for table in self.filled}

    def empty(self) -> None:
        """Delete all rows except those of migrations, and restore these if a test changed them."""
        with transaction.atomic(), connection.cursor() as cursor:
            changed = [table for table in self.filled if self.rows(table) != self.kept[table]]
            for table in (*self.with_rows(), *changed):
                cursor.execute(f"DELETE FROM {quoted(table)}")
            for table in changed:
                self.restore(table)

    def with_rows(self) -> list[str]:
        """Return the tables that have any row: on PostgreSQL emptying a table takes longer than the check."""
        parts = (f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quoted(table)})" for table in self.others)
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts))
            return [name for (name,) in cursor.fetchall()]

    def rows(self, table: str) -> set[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {quoted(table)}")
            return {*cursor.fetchall()}

    def restore(self, table: str) -> None:
        rows = [*self.kept[table]]
        with connection.cursor() as cursor:
            if rows:
                places = ", ".join(["%s"] * len(rows[0]))
                cursor.executemany(f"INSERT INTO {quoted(table)} VALUES ({places})", rows)


def quoted(table: str) -> str:
    return connection.ops.quote_name(table)
