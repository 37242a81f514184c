"""Clients of Redis for all of live, each with its timeouts and without surprising retries."""

from __future__ import annotations

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff

from common import redis_clients

TIMEOUT_S = 3
# At most this many commands of a hub run concurrently; the others wait for a free connection.
POOL_SIZE = 16
# Players repeat a request, so an origin fails fast.
ORIGIN_TIMEOUT_S = 2
ORIGIN_POOL_SIZE = 32


def shared_client() -> redis.Redis:
    """Return this process's synchronous client for text; it is thread-safe and fork-safe.

    It never retries a command: if a reply was lost, a retry would post the message twice.
    """
    return redis_clients.shared_client(settings.REDIS_URL, decode_responses=True)


def new_edge_client() -> redis.Redis:
    """Return a new synchronous client for bytes; the caller closes it."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S
    )


def new_writer_client() -> redis.asyncio.Redis:
    """Return a new client for the edge writers of one ingest; the caller closes it."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        protocol=2,
    )


def new_hub_client() -> redis.asyncio.Redis:
    """Return a new client for the chat hub of one event loop; the caller closes it."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.REDIS_URL,
        max_connections=POOL_SIZE,
        timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        decode_responses=True,
        encoding_errors="replace",
        retry=AsyncRetry(NoBackoff(), 0),
    )
    return redis.asyncio.Redis.from_pool(pool)


def new_origin_client(redis_url: str) -> redis.asyncio.Redis:
    """Return a new client for the origin of one process; the caller closes it.

    It makes one attempt without pauses: players repeat requests, and a fast failure beats a
    late answer.
    """
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        redis_url,
        max_connections=ORIGIN_POOL_SIZE,
        timeout=ORIGIN_TIMEOUT_S,
        socket_connect_timeout=ORIGIN_TIMEOUT_S,
        socket_timeout=ORIGIN_TIMEOUT_S,
        retry=AsyncRetry(NoBackoff(), 0),
        protocol=2,
    )
    return redis.asyncio.Redis.from_pool(pool)
