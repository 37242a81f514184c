"""Connections to Redis that fail fast during an outage.

Without them, each page waits for the timeout of each command during an outage.
Here the first failure opens a breaker: for ``PAUSE_S`` every command of this
process fails at once, then one command tries again.  All connections to one
server share a breaker, for any purpose.
"""

from __future__ import annotations

import logging
import time
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

if TYPE_CHECKING:
    # Bases of the mixins below.
    SyncBase = redis.Connection
    AsyncBase = redis.asyncio.Connection
else:
    SyncBase = AsyncBase = object

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 2.0
# Pause before the next attempt after a failure.
PAUSE_S = 1.0
POOL_SIZE = 64

# The server is away, starts, or has fallen silent; other errors are answers.
AWAY = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.BusyLoadingError, OSError)


class Breaker:
    """State of one server as this process knows it; safe between threads."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._lock = Lock()
        self._away_until: float | None = None

    @property
    def is_open(self) -> bool:
        return self._away_until is not None

    def check(self) -> None:
        """Raise ``redis.ConnectionError`` during the pause.

        After the pause the first caller tries the server, and the others go on failing.
        """
        if self._away_until is None:
            return
        with self._lock:
            now = time.monotonic()
            if self._away_until is not None and now < self._away_until:
                raise redis.ConnectionError("Redis did not answer a moment ago")
            if self._away_until is not None:
                self._away_until = now + CONNECT_TIMEOUT_S + READ_TIMEOUT_S

    def failed(self) -> None:
        with self._lock:
            was_closed, self._away_until = self._away_until is None, time.monotonic() + PAUSE_S
        if was_closed:
            logger.warning("Redis does not answer", extra={"server": self._server})

    def worked(self) -> None:
        if self._away_until is None:
            return
        with self._lock:
            self._away_until = None
        logger.warning("Redis answers again", extra={"server": self._server})


@cache
def breaker_of(server: str) -> Breaker:
    """Return the breaker of ``host:port`` or of a socket's path."""
    return Breaker(server)


class _Guarded(SyncBase):
    """Mixin for connections behind their server's breaker."""

    _is_connecting = False

    @property
    def _breaker(self) -> Breaker:
        return breaker_of(_server_of(self))

    def connect(self) -> None:
        if self.is_connected:
            return
        self._breaker.check()
        self._is_connecting = True
        try:
            super().connect()  # type: ignore[no-untyped-call]
        except AWAY:
            self._breaker.failed()
            raise
        finally:
            self._is_connecting = False
        self._breaker.worked()

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if not self._is_connecting and self.is_connected:
            self._breaker.check()
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            response = super().read_response(*args, **kwargs)
        except (redis.TimeoutError, redis.exceptions.BusyLoadingError):
            self._breaker.failed()
            raise
        self._breaker.worked()
        return response


class GuardedConnection(_Guarded, redis.Connection):
    """Connection for ``redis://``."""


class GuardedSSLConnection(_Guarded, redis.SSLConnection):
    """Connection for ``rediss://``."""


class GuardedUnixConnection(_Guarded, redis.UnixDomainSocketConnection):
    """Connection for ``unix://``."""


class _AsyncGuarded(AsyncBase):
    """Mixin for asynchronous connections behind their server's breaker."""

    _is_connecting = False

    @property
    def _breaker(self) -> Breaker:
        return breaker_of(_server_of(self))

    async def connect(self) -> None:
        if self.is_connected:
            return
        self._breaker.check()
        self._is_connecting = True
        try:
            await super().connect()  # type: ignore[no-untyped-call]
        except AWAY:
            self._breaker.failed()
            raise
        finally:
            self._is_connecting = False
        self._breaker.worked()

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if not self._is_connecting and self.is_connected:
            self._breaker.check()
        await super().send_packed_command(command, check_health)

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            response = await super().read_response(*args, **kwargs)
        except (redis.TimeoutError, redis.exceptions.BusyLoadingError):
            self._breaker.failed()
            raise
        self._breaker.worked()
        return response


class AsyncGuardedConnection(_AsyncGuarded, redis.asyncio.Connection):
    """Asynchronous connection for ``redis://``."""


class AsyncGuardedSSLConnection(_AsyncGuarded, redis.asyncio.SSLConnection):
    """Asynchronous connection for ``rediss://``."""


class AsyncGuardedUnixConnection(_AsyncGuarded, redis.asyncio.UnixDomainSocketConnection):
    """Asynchronous connection for ``unix://``."""


_SYNC: dict[Any, Any] = {
    redis.SSLConnection: GuardedSSLConnection,
    redis.UnixDomainSocketConnection: GuardedUnixConnection,
}
_ASYNC: dict[Any, Any] = {
    redis.SSLConnection: AsyncGuardedSSLConnection,
    redis.UnixDomainSocketConnection: AsyncGuardedUnixConnection,
}


class GuardedPool(redis.ConnectionPool):
    """Pool of one process's connections to one server, for synchronous code."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> GuardedPool:
        """Return a pool without retries: a command may have run although its answer was lost."""
        connection_class = _SYNC.get(_plain_class(url), GuardedConnection)
        defaults = _timeouts() | {"retry": Retry(NoBackoff(), 0), "max_connections": POOL_SIZE}
        pool: GuardedPool = super().from_url(url, connection_class=connection_class, **(defaults | options))
        return pool


def async_options(url: str) -> dict[str, Any]:
    """Return the options that ``redis.asyncio`` needs beside ``url`` for guarded connections."""
    connection_class = _ASYNC.get(_plain_class(url), AsyncGuardedConnection)
    return _timeouts() | {"connection_class": connection_class, "retry": AsyncRetry(NoBackoff(), 0)}


def _plain_class(url: str) -> Any:
    """Return redis-py's class for the scheme of ``url``, ``None`` for ``redis://``."""
    return parse_url(url).get("connection_class")  # type: ignore[no-untyped-call]


def _timeouts() -> dict[str, Any]:
    return {
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": READ_TIMEOUT_S,
        # Protocol 3 changes the shape of some answers; our code reads those of protocol 2.
        "protocol": 2,
    }


@cache
def shared_client(url: str, *, decode_responses: bool = False) -> redis.Redis:
    """Return this process's client for ``url``; safe between threads, and after a fork."""
    # Bytes that are not text spoil only their own entry, not the whole answer.
    errors = "replace" if decode_responses else "strict"
    pool = GuardedPool.from_url(url, decode_responses=decode_responses, encoding_errors=errors)
    return redis.Redis(connection_pool=pool)


def _server_of(connection: Any) -> str:
    path = getattr(connection, "path", None)
    return path or f"{connection.host}:{connection.port}"
