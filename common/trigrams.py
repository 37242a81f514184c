"""Indexes for substring searches, on PostgreSQL with pg_trgm.

The extension is trusted since PostgreSQL 13, so the owner of a database may
create it.  Without it, and on SQLite, the same queries read the whole table.  Only
migrations define the indexes, because models are the same on every database.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, transaction
from django.db.migrations import RunPython

if TYPE_CHECKING:
    from django.db.models import Model

logger = logging.getLogger(__name__)

# Columns with an index on UPPER(column), which icontains compares.
INDEXED = {("accounts_user", "username"), ("accounts_user", "email"), ("accounts_channel", "display_name")}
# Shorter substrings have no trigram.
LEAST_LENGTH = 3


def is_indexed(model: type[Model], field: str) -> bool:
    return (model._meta.db_table, field) in INDEXED


def add_index(name: str, table: str, expression: str) -> RunPython:
    """Return a migration's operation that indexes the trigrams of an SQL expression."""

    def create(_apps: Any, schema_editor: Any) -> None:
        connection = schema_editor.connection
        if connection.vendor != "postgresql":
            return
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except DatabaseError as error:
            logger.warning("pg_trgm is missing, so searches scan whole tables: %s", error)
            return
        schema_editor.execute(f"CREATE INDEX {name} ON {table} USING gin (({expression}) gin_trgm_ops)")

    def drop(_apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")

    return RunPython(create, drop)


def drop_index(name: str, table: str, expression: str) -> RunPython:
    """Return the reverse of ``add_index``."""
    added = add_index(name, table, expression)
    return RunPython(added.reverse_code or RunPython.noop, added.code)
