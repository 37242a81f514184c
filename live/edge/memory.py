"""Admission by memory: a broadcast that fills Redis would stop all the others."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

ASKED_EVERY_S = 1.0


class EdgeMemory:
    """Memory check of Redis, made at most once every ``ASKED_EVERY_S`` seconds."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._asked_at: float | None = None
        self._is_free = True
        self._asking = asyncio.Lock()

    async def is_free(self) -> bool:
        """Return whether less than ``LIVE_REDIS_MEMORY_SHARE`` of ``maxmemory`` is used.

        Return False if Redis does not answer, True if it has no ``maxmemory``.
        """
        async with self._asking:
            if self._asked_at is None or monotonic() - self._asked_at >= ASKED_EVERY_S:
                self._is_free = await self._ask()
                self._asked_at = monotonic()
            return self._is_free

    async def _ask(self) -> bool:
        try:
            memory = await self._redis.info("memory")
        except (RedisError, OSError) as error:
            logger.warning("Broadcasts refused: Redis does not answer", extra={"error": str(error)})
            return False
        used_bytes, most_bytes = int(memory["used_memory"]), int(memory.get("maxmemory", 0))
        is_free = not most_bytes or used_bytes < settings.LIVE_REDIS_MEMORY_SHARE * most_bytes
        if not is_free:
            logger.warning(
                "Broadcasts refused: Redis is nearly full", extra={"used_bytes": used_bytes, "of": most_bytes}
            )
        return is_free
