"""Text lookups for every app and for libraries.

Case-insensitive equality compares ``LOWER(column)``, which the indexes of names
and addresses hold; Django's own ``UPPER`` on PostgreSQL and ``LIKE`` on SQLite
use no index.  Text that no database stores equals and contains nothing:
PostgreSQL refuses NUL, and lone surrogates have no UTF-8.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import CharField, TextField, lookups

UNSTORABLE = "\0"


def is_storable(text: str) -> bool:
    """Return whether a database can hold ``text``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return UNSTORABLE not in text


class _Text(lookups.Lookup[Any]):
    """Lookup that finds nothing for text that cannot be stored."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        if isinstance(self.rhs, str) and not is_storable(self.rhs):
            raise EmptyResultSet
        return super().as_sql(compiler, connection)


class Exact(_Text, lookups.Exact):
    """Lookup ``column = value``."""


class IExact(_Text, lookups.IExact):
    """Lookup ``LOWER(column) = LOWER(value)``."""

    prepare_rhs = False

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> tuple[str, Any]:
        # Calls Lookup's method: BuiltinLookup's wraps the column in UPPER on PostgreSQL.
        sql, params = lookups.Lookup.process_lhs(self, compiler, connection, lhs)
        return f"LOWER({sql})", params

    def process_rhs(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        # Omits the LIKE pattern of the built-in lookup.
        sql, params = lookups.Lookup.process_rhs(self, compiler, connection)
        return f"LOWER({sql})", params

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        return f"= {rhs}"


class Contains(_Text, lookups.Contains):
    """Lookup ``column LIKE '%value%'``."""


class IContains(_Text, lookups.IContains):
    """Lookup ``column ILIKE '%value%'``."""


class StartsWith(_Text, lookups.StartsWith):
    """Lookup ``column LIKE 'value%'``."""


class IStartsWith(_Text, lookups.IStartsWith):
    """Lookup ``column ILIKE 'value%'``."""


class In(lookups.In):
    """Lookup ``column IN (values)``, without the values that cannot be stored."""

    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        if isinstance(self.rhs, list | tuple | set | frozenset):
            self.rhs = [one for one in self.rhs if not isinstance(one, str) or is_storable(one)]
        return super().process_rhs(compiler, connection)


def register() -> None:
    """Set the lookups of every text column; called once, in ``AppConfig.ready``."""
    for field in (CharField, TextField):
        for lookup in (Exact, IExact, Contains, IContains, StartsWith, IStartsWith, In):
            field.register_lookup(lookup)
