"""Database wrapper for SQLite, set as the engine in ``settings.DATABASES``."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.backends.sqlite3 import base, operations

from common.words import folded

CASELESS = frozenset({"icontains", "istartswith", "iendswith"})


class DatabaseOperations(operations.DatabaseOperations):
    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        """Return the SQL for the column of a lookup, folded for case-insensitive lookups."""
        return "FOLDED(%s)" if lookup_type in CASELESS else super().lookup_cast(lookup_type, internal_type)


class DatabaseWrapper(base.DatabaseWrapper):
    """Connection with the function ``FOLDED(text)``, for ``icontains`` and similar lookups.

    ``LOWER`` stays SQLite's: indexes and unique constraints were made with it.
    """

    ops_class = DatabaseOperations
    operators: ClassVar[dict[str, str]] = {  # type: ignore[misc]
        **base.DatabaseWrapper.operators,
        **dict.fromkeys(CASELESS, r"LIKE FOLDED(%s) ESCAPE '\'"),
    }
    pattern_ops: ClassVar[dict[str, str]] = {  # type: ignore[misc]
        **base.DatabaseWrapper.pattern_ops,
        "icontains": r"LIKE '%%' || FOLDED({}) || '%%' ESCAPE '\'",
        "istartswith": r"LIKE FOLDED({}) || '%%' ESCAPE '\'",
        "iendswith": r"LIKE '%%' || FOLDED({}) ESCAPE '\'",
    }

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.create_function(
            "FOLDED",
            1,
            lambda value: folded(value) if isinstance(value, str) else value,
            deterministic=True,
        )
        return connection
