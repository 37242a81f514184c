"""Stream keys: whose they are, and what an encoder shows where they are of no use."""

from __future__ import annotations

import contextlib
import logging

import redis
from channels.db import database_sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError

from live import services
from live.ingest.server import Refused
from live.models import Stream
from live.rtmp.session import REJECTED

logger = logging.getLogger(__name__)

MAX_KEY_LENGTH = 100
# A key has 160 random bits and cannot be guessed; what this saves is the database.
WRONG_KEYS_PER_ADDRESS = 20
PERIOD_S = 60

NO_KEY = "No stream key. Copy yours from the studio."
WRONG = "This stream key is not valid. Copy the current one from the studio."
SUSPENDED = "You may not go live at the moment. Ask a moderator."
TOO_MANY = "Too many wrong stream keys. Wait a minute and try again."
NOT_NOW = "The platform does not answer. Try again in a moment."


async def stream_for(stream_key: str, host: str = "") -> Stream:
    """The stream that ``stream_key`` opens, for somebody who connects from ``host``.

    Raises Refused.
    """
    # Beside each other: one that waits for the database holds up no other.
    look_up = database_sync_to_async(_stream_for, thread_sensitive=False)
    stream: Stream = await look_up(stream_key, host)
    return stream


def _stream_for(stream_key: str, host: str) -> Stream:
    try:
        if cache.get(_counter(host), 0) >= WRONG_KEYS_PER_ADDRESS:
            raise Refused(REJECTED, TOO_MANY)
        return _look_up(stream_key, host)
    except (DatabaseError, redis.RedisError) as error:
        logger.exception("Stream key not looked up")
        raise Refused(REJECTED, NOT_NOW) from error


def _look_up(stream_key: str, host: str) -> Stream:
    if not stream_key:
        raise Refused(REJECTED, NO_KEY)
    stream = services.owner_of_key(stream_key) if len(stream_key) <= MAX_KEY_LENGTH else None
    if stream is None:
        _count_wrong_key(host)
        raise Refused(REJECTED, WRONG)
    if not stream.can_publish():
        raise Refused(REJECTED, SUSPENDED)
    return stream


def _count_wrong_key(host: str) -> None:
    if not settings.RATE_LIMITS or not host:
        return
    if not cache.add(_counter(host), 1, PERIOD_S):
        with contextlib.suppress(ValueError):  # its minute has just ended
            cache.incr(_counter(host))


def _counter(host: str) -> str:
    return f"live:wrong-keys:{host}"
