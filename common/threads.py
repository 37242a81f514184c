"""Bounded thread pools for SQL queries of an event loop.

``sync_to_async`` has one thread for everything outside of a request, so one
call that waits for a lock held up all sockets of the process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
R = TypeVar("R")


class SqlThreads:
    """Pool of ``most`` threads, each with database connections of its own."""

    def __init__(self, name: str, most: int) -> None:
        self._executor = ThreadPoolExecutor(most, thread_name_prefix=name)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``function`` in a free thread; connections are closed as after a request."""
        call: Callable[..., Awaitable[Any]] = database_sync_to_async(
            function, thread_sensitive=False, executor=self._executor
        )
        result: R = await call(*args, **kwargs)
        return result


# For sockets of pages: their counts, states and removed comments.
MAX_OF_SOCKETS = 4
for_sockets = SqlThreads("sockets", MAX_OF_SOCKETS)
