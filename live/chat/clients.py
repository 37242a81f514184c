"""Connections to Redis: one pool for Django's code in each process, one for each event loop of hubs."""

from __future__ import annotations

from functools import cache

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 3
# Says wait for Redis side by side; more than these wait for each other.
POOL_SIZE = 16


@cache
def shared_client() -> redis.Redis:
    """For code that is not asynchronous; safe between threads, and after a fork.

    Nothing is tried twice by itself: a message whose answer was lost would be said twice.
    """
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
    )


def new_async_client() -> redis.asyncio.Redis:
    """For one event loop, which closes it."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.REDIS_URL,
        max_connections=POOL_SIZE,
        timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        decode_responses=True,
        retry=AsyncRetry(NoBackoff(), 0),
    )
    return redis.asyncio.Redis.from_pool(pool)
