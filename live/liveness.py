"""What ingests say of themselves in Redis, and how they are told to let go.

All of it may be lost: who is on air stands in SQL, and an ingest repeats itself
every few seconds.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 3.0
ALIVE_FOR_S = 10
HEALTH_FOR_S = 12
COMMANDS = "live:commands"
_ALIVE = "live:alive:{broadcast}"
_HEALTH = "live:health:{broadcast}"
TIMEOUT_S = 3


def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S, decode_responses=True
    )


def show_alive(broadcast: str, connection_id: str) -> None:
    """Say that ``connection_id`` still publishes ``broadcast`` (its public id)."""
    with _client() as client:
        client.set(_ALIVE.format(broadcast=broadcast), connection_id, ex=ALIVE_FOR_S)


def forget_alive(broadcast: str) -> None:
    with _client() as client:
        client.delete(_ALIVE.format(broadcast=broadcast))


def is_alive(broadcast: str) -> bool:
    """Whether any ingest has spoken for ``broadcast`` in the last ``ALIVE_FOR_S`` seconds."""
    with _client() as client:
        return bool(client.exists(_ALIVE.format(broadcast=broadcast)))


def note_health(broadcast: str, health: dict[str, Any]) -> None:
    """Keep what ``GET live/{username}/health/`` answers; it goes stale by itself."""
    with _client() as client:
        client.set(_HEALTH.format(broadcast=broadcast), json.dumps(health), ex=HEALTH_FOR_S)


def health_of(broadcast: str) -> dict[str, Any] | None:
    with _client() as client:
        kept = client.get(_HEALTH.format(broadcast=broadcast))
    health: dict[str, Any] | None = json.loads(str(kept)) if kept else None
    return health


def tell_ingests(broadcast: str, *, keep: str | None = None) -> None:
    """Have every ingest close its publisher of ``broadcast``, except the connection ``keep``.

    A command that is lost is made up for by :func:`live.broadcasting.keep_alive`.
    """
    try:
        with _client() as client:
            client.publish(COMMANDS, json.dumps({"broadcast": broadcast, "keep": keep}))
    except redis.RedisError:
        logger.warning("Ingests not told: Redis does not answer", extra={"broadcast": broadcast})
