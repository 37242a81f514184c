"""Viewers in Redis: players whose playhead moves, each identified by a signed session.

A session counts for ``VIEWER_LIFETIME_S`` after its last heartbeat.  Sessions
lost with Redis return with their next heartbeats.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import redis
from django.conf import settings

from common.viewer_sessions import ViewerSessions
from live.models import Broadcast, Stream
from live.redis_connections import shared_client

logger = logging.getLogger(__name__)

# Counted at one time from one account or address: homes and schools share an
# address, but nobody should be able to fake an audience.
SESSIONS_OF_ACCOUNT = 3
SESSIONS_OF_ADDRESS = 30
SESSION_LIFETIME_S = 24 * 3600
PEAK_EVERY_S = 10
_sessions = ViewerSessions("live.viewers", SESSION_LIFETIME_S)

# KEYS: viewers, sessions of this address.  ARGV: session, lifetime in ms, most sessions of an address.
_COUNT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lifetime, most = tonumber(ARGV[2]), tonumber(ARGV[3])
for _, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - lifetime)
end
local is_known = redis.call('ZSCORE', KEYS[2], ARGV[1])
if is_known or most == 0 or redis.call('ZCARD', KEYS[2]) < most then
  for _, key in ipairs(KEYS) do
    redis.call('ZADD', key, now, ARGV[1])
    redis.call('PEXPIRE', key, lifetime)
  end
end
return redis.call('ZCARD', KEYS[1])
"""


def viewers_key(stream_id: int) -> str:
    return f"live:viewers:{stream_id}"


def heartbeat(stream: Stream, session: str, address: str) -> tuple[str, int]:
    """Count a player; return the session for its next heartbeat and the number of viewers.

    ``address`` is ``user-…`` or ``address-…`` and limits the sessions counted from one source.
    """
    session_id = _sessions.read(session, stream.pk)
    most = SESSIONS_OF_ACCOUNT if address.startswith("user-") else SESSIONS_OF_ADDRESS
    keys = [viewers_key(stream.pk), f"{viewers_key(stream.pk)}:{address}"]
    arguments: list[Any] = [
        session_id,
        settings.VIEWER_LIFETIME_S * 1000,
        most if settings.RATE_LIMITS else 0,
    ]
    try:
        count = int(str(shared_client().register_script(_COUNT)(keys, arguments)))
        # A session outlives the pause, so no peak is missed.
        if shared_client().set(f"live:peak:{stream.pk}", 1, nx=True, ex=PEAK_EVERY_S):
            higher = Broadcast.objects.running().filter(stream=stream, peak_viewer_count__lt=count)
            higher.update(peak_viewer_count=count)
    except redis.RedisError:
        logger.warning("Viewer not counted: Redis does not answer", extra={"stream": stream.pk})
        count = 0
    return _sessions.sign(session_id, stream.pk), count


def viewer_count(stream: Stream) -> int:
    return viewer_counts([stream])[stream.pk]


def viewer_counts(streams: Sequence[Stream]) -> dict[int, int]:
    """Return the current viewers of each of ``streams``, by primary key, in one round trip."""
    if not streams:
        return {}
    pipeline: Any = shared_client().pipeline(transaction=False)
    for stream in streams:
        pipeline.zcount(viewers_key(stream.pk), alive_since_ms(), "+inf")
    try:
        counts = pipeline.execute()
    except redis.RedisError:
        logger.warning("Viewers not counted: Redis does not answer")
        counts = [0] * len(streams)
    return {stream.pk: count for stream, count in zip(streams, counts, strict=True)}


def alive_since_ms() -> float:
    """Return the oldest heartbeat, in Unix ms, that counts; our clock is exact enough for this."""
    return (time.time() - settings.VIEWER_LIFETIME_S) * 1000
