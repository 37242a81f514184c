"""Signal health in Redis, frames that are awaited, and commands to ingests.

Redis may lose all of it: SQL has the running broadcasts and the times of their
ingests' last reports.
"""

from __future__ import annotations

import json
import logging
from enum import StrEnum
from typing import Any

import redis

from live.redis_connections import shared_client

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 3.0
ALIVE_FOR_S = 10
HEALTH_FOR_S = 12
COMMANDS = "live:commands"
_HEALTH = "live:health:{broadcast}"
AWAITED_FOR_S = 5
_AWAITED = "live:awaited:{stream}"


class Awaited(StrEnum):
    """The frame without which a connected publisher cannot go on air."""

    VIDEO = "video"
    KEYFRAME = "keyframe"


def record_health(broadcast: str, health: dict[str, Any]) -> None:
    """Store the response of ``GET live/{username}/health/``; it expires by itself."""
    shared_client().set(_HEALTH.format(broadcast=broadcast), json.dumps(health), ex=HEALTH_FOR_S)


def health_of(broadcast: str) -> dict[str, Any] | None:
    kept = shared_client().get(_HEALTH.format(broadcast=broadcast))
    health: dict[str, Any] | None = json.loads(str(kept)) if kept else None
    return health


def record_awaited(stream: int, awaited: Awaited) -> None:
    """Store the frame that a publisher's session waits for; it expires by itself."""
    shared_client().set(_AWAITED.format(stream=stream), awaited, ex=AWAITED_FOR_S)


def awaited_of(stream: int) -> Awaited | None:
    kept = shared_client().get(_AWAITED.format(stream=stream))
    return Awaited(str(kept)) if kept else None


def disconnect_publishers(broadcast: str, *, keep: str | None = None) -> None:
    """Make every ingest disconnect its publisher of ``broadcast``, except connection ``keep``.

    :func:`live.broadcasting.keep_alive` makes up for a lost command.
    """
    try:
        shared_client().publish(COMMANDS, json.dumps({"broadcast": broadcast, "keep": keep}))
    except redis.RedisError:
        logger.warning("Ingests not notified: Redis does not answer", extra={"broadcast": broadcast})
