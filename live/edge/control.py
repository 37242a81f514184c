"""Control of a broadcast's edge by Django: its access, its end, and its return.

SQL decides; these functions pass the decision to Redis and to all origins.
"""

from __future__ import annotations

import logging

from redis.exceptions import RedisError

from live.edge import keys
from live.edge.keys import EdgeNotice
from live.redis_connections import new_edge_client

logger = logging.getLogger(__name__)


def set_access(broadcast: str, access: str) -> None:
    """Serve the media of ``broadcast`` (its public id) under ``access`` only.  Raises RedisError."""
    _set(broadcast, "access", access)


def correct_access(broadcast: str, access: str) -> None:
    """Call :func:`set_access` if another access is served, as after a lost command.

    Raises RedisError.
    """
    with new_edge_client() as client:
        held = client.hget(keys.meta_key(broadcast), "access")
    if isinstance(held, bytes) and held != access.encode():
        set_access(broadcast, access)


def end(broadcast: str) -> None:
    """Mark the end (``EXT-X-ENDLIST``) for all players, including waiting ones."""
    _set_quietly(broadcast, "ended", "1")


def reopen(broadcast: str) -> None:
    """Remove the mark of the end after a publisher has returned."""
    _set_quietly(broadcast, "ended", "0")


def _set_quietly(broadcast: str, name: str, value: str) -> None:
    """Set a field, or log a failure: SQL has the fact, and players find out by their timeouts."""
    try:
        _set(broadcast, name, value)
    except RedisError:
        logger.warning("Edge not notified: Redis does not answer", extra={"broadcast": broadcast})


def _set(broadcast: str, name: str, value: str) -> None:
    with new_edge_client() as client, client.pipeline(transaction=True) as pipe:
        pipe.hset(keys.meta_key(broadcast), name, value)
        pipe.expire(keys.meta_key(broadcast), keys.KEPT_S)
        pipe.publish(keys.channel(broadcast), EdgeNotice(is_meta_changed=True).encode())
        pipe.execute()
