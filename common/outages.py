"""Outages: a missing engine makes a 503 in the reader's language, not a 500.

Pages and calls that can do without an engine never come here: limits and cache
answer without Redis, and lists do without counts.
"""

from __future__ import annotations

import logging
import sqlite3

import redis
from botocore.exceptions import ConnectionError as StorageConnectionError
from botocore.exceptions import HTTPClientError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import OperationalError as BrokerError

from common.error_pages import error_answer

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5
CODE = "unavailable"
HEADING = _("Back in a moment")
SENTENCE = _("Part of this site is temporarily unavailable. Nothing is lost. Try again in a few seconds.")

# PostgreSQL's classes of errors about the server instead of the query:
# connections, resources (disk, memory, connections), shutdown and start.
_SERVER_STATES = ("08", "53", "57P")
# Answers of a Redis that is full, whose disk is full (MISCONF), or whose replicas are away.
_REDIS_CODES = frozenset(
    {"OOM", "READONLY", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "TRYAGAIN"}
)
_SQLITE_OF_THE_FILE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)


def is_outage(error: BaseException | None) -> bool:
    """Return whether ``error`` means an engine that is away, full or starting, not a wrong query."""
    if isinstance(error, InterfaceError | OperationalError):
        return _is_of_the_server(error.__cause__)
    if isinstance(error, redis.ResponseError):
        return redis_code(error) in _REDIS_CODES
    return isinstance(error, redis.RedisError | BrokerError | StorageConnectionError | HTTPClientError)


def redis_code(error: redis.ResponseError) -> str:
    """Return the first word of an answer of Redis, which names the kind of the error.

    redis-py moves that word to ``status_code`` in the errors for which it has a class.
    """
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return "OOM"
    if isinstance(error, redis.exceptions.ReadOnlyError):
        return "READONLY"
    return error.status_code or str(error).partition(" ")[0][:20]


def _is_of_the_server(cause: BaseException | None) -> bool:
    if isinstance(cause, sqlite3.Error):
        # The low byte is the error; the other bytes are details.
        return getattr(cause, "sqlite_errorcode", -1) & 0xFF in _SQLITE_OF_THE_FILE
    state = getattr(cause, "sqlstate", None)
    # An error without a state did not come from the server: the connection failed.
    return state is None or str(state).startswith(_SERVER_STATES)


class OutageMiddleware(MiddlewareMixin):
    """Middleware that answers 503 to outages in views; ``pages.server_error`` does so for middleware."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        return unavailable(request) if is_outage(error) else None


def unavailable(request: HttpRequest) -> HttpResponse:
    """Return the 503 of a page or of the API, without any engine."""
    headers = {"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    return error_answer(request, status=503, code=CODE, heading=HEADING, sentence=SENTENCE, headers=headers)
