"""Stream keys: look up the owner, and refuse invalid keys with a sentence for the encoder."""

from __future__ import annotations

import contextlib
import logging

import redis
from channels.db import database_sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError

from common.addresses import network_of
from live import services
from live.ingest.server import PublisherRefused
from live.models import Stream
from live.rtmp.session import REJECTED

logger = logging.getLogger(__name__)

MAX_KEY_LENGTH = 100
MAX_TYPED_LENGTH = 1000
# Pasted along with text: zero-width spaces and joiners, a byte order mark.
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
# A key has 160 random bits and cannot be guessed; the limit protects the database.
WRONG_KEYS_PER_ADDRESS = 20
PERIOD_S = 60

NO_KEY = "No stream key. Copy your key from the live studio."
WRONG = "This stream key is invalid. Copy the current key from the live studio."
SUSPENDED = "This channel is suspended from going live. Contact a moderator."
TOO_MANY = "Too many wrong stream keys. Wait a minute and try again."
NOT_NOW = "The server is unavailable. Try again in a moment."


async def stream_for(stream_key: str, host: str = "") -> Stream:
    """Return the stream of ``stream_key`` for a publisher that connects from ``host``.

    Raises PublisherRefused.
    """
    # In parallel: one slow database query must not delay other publishers.
    look_up = database_sync_to_async(_stream_for, thread_sensitive=False)
    stream: Stream = await look_up(stream_key, host)
    return stream


def tidied(stream_key: str) -> str:
    """Return the stream key in pasted text: without spaces, slashes or the address before it."""
    visible = "".join(letter for letter in stream_key if not letter.isspace() and letter not in INVISIBLE)
    return visible.strip("/").rpartition("/")[2]


def _stream_for(stream_key: str, host: str) -> Stream:
    stream_key = tidied(stream_key[:MAX_TYPED_LENGTH])
    try:
        if cache.get(_counter(host), 0) >= WRONG_KEYS_PER_ADDRESS:
            raise PublisherRefused(REJECTED, TOO_MANY)
        return _look_up(stream_key, host)
    except (DatabaseError, redis.RedisError) as error:
        logger.exception("Stream key lookup failed")
        raise PublisherRefused(REJECTED, NOT_NOW) from error


def _look_up(stream_key: str, host: str) -> Stream:
    if not stream_key:
        raise PublisherRefused(REJECTED, NO_KEY)
    stream = services.owner_of_key(stream_key) if len(stream_key) <= MAX_KEY_LENGTH else None
    if stream is None:
        _count_wrong_key(stream_key, host)
        raise PublisherRefused(REJECTED, WRONG)
    if not stream.can_publish():
        raise PublisherRefused(REJECTED, SUSPENDED)
    return stream


def _count_wrong_key(stream_key: str, host: str) -> None:
    """Count a wrong key once a minute: an encoder with an old key repeats it every second."""
    if not settings.RATE_LIMITS or not host:
        return
    digest = services.digest_of(stream_key[: MAX_KEY_LENGTH + 1])
    if not cache.add(f"{_counter(host)}:{digest}", 1, PERIOD_S):
        return
    if not cache.add(_counter(host), 1, PERIOD_S):
        with contextlib.suppress(ValueError):  # the minute has just ended
            cache.incr(_counter(host))


def _counter(host: str) -> str:
    return f"live:wrong-keys:{network_of(host)}"
