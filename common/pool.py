"""Connection pool after ``fork``: a child of this process opens a pool of its own.

Two processes that share a connection mix up its answers.  Closing an inherited
one would end the parent's session, so the child only drops it.
"""

from __future__ import annotations

import os
from typing import Any

from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

# Kept, because collecting a pool waits for threads that the child does not have.
_inherited: list[Any] = []


def forget_after_fork() -> None:
    """Make every later child of this process start without connections; called once at start."""
    os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    pools: dict[str, Any] = vars(DatabaseWrapper)["_connection_pools"]
    _inherited.extend(pools.values())
    pools.clear()
    for connection in connections.all(initialized_only=True):
        if isinstance(connection, DatabaseWrapper):
            _inherited.append(connection.connection)
            connection.connection = None
