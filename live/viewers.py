"""Viewers in Redis: players whose playhead moves, each known by a session that we signed.

A session counts for ``VIEWER_LIFETIME_S`` after its last heartbeat.  What is
lost with Redis comes back with the next heartbeats.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any

import redis
from django.conf import settings
from django.core import signing

from live.chat.clients import shared_client
from live.models import Broadcast, Stream

logger = logging.getLogger(__name__)

# Counted from one account or one address at a time: homes and schools share an
# address, and nobody else should be able to invent an audience.
SESSIONS_OF_ACCOUNT = 3
SESSIONS_OF_ADDRESS = 30
SESSION_LIFETIME_S = 24 * 3600
PEAK_EVERY_S = 10
CHATTERS_FOR_S = 20
_signer = signing.TimestampSigner(salt="live.viewers")

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


def chatters_key(stream_id: int) -> str:
    """A hash: for each web process, how many sockets it holds and until when to believe that."""
    return f"live:chatters:{stream_id}"


def heartbeat(stream: Stream, session: str | None, address: str) -> tuple[str, int]:
    """Count a player for a while; return the session to send with the next, and how many watch.

    ``address`` tells viewers apart as far as counting cares: ``user-…`` or ``address-…``.
    """
    session_id = _session_id(stream, session) or secrets.token_urlsafe(9)
    most = SESSIONS_OF_ACCOUNT if address.startswith("user-") else SESSIONS_OF_ADDRESS
    keys = [viewers_key(stream.pk), f"{viewers_key(stream.pk)}:{address}"]
    arguments: list[Any] = [
        session_id,
        settings.VIEWER_LIFETIME_S * 1000,
        most if settings.RATE_LIMITS else 0,
    ]
    try:
        count = int(str(shared_client().register_script(_COUNT)(keys, arguments)))
        _note_peak(stream, count)
    except redis.RedisError:
        logger.warning("Viewer not counted: Redis does not answer", extra={"stream": stream.pk})
        count = 0
    return _signer.sign(f"{stream.pk}:{session_id}"), count


def _session_id(stream: Stream, session: str | None) -> str:
    """The id in a session that we signed for this stream; empty for any other."""
    try:
        stream_id, _, session_id = _signer.unsign(session or "", max_age=SESSION_LIFETIME_S).partition(":")
    except signing.BadSignature:
        return ""
    return session_id if stream_id == str(stream.pk) else ""


def _note_peak(stream: Stream, count: int) -> None:
    """Keep the most that ever watched at once; looked at now and then, as sessions outlive heartbeats."""
    if shared_client().set(f"live:peak:{stream.pk}", 1, nx=True, ex=PEAK_EVERY_S):
        higher = Broadcast.objects.running().filter(stream=stream, peak_viewer_count__lt=count)
        higher.update(peak_viewer_count=count)


def viewer_count(stream: Stream) -> int:
    return viewer_counts([stream])[stream.pk]


def viewer_counts(streams: Sequence[Stream]) -> dict[int, int]:
    """How many watch each of ``streams`` now, by primary key, in one round trip."""
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
    """A viewer's last heartbeat is at least this new; by our clock, as only seconds matter here."""
    return (time.time() - settings.VIEWER_LIFETIME_S) * 1000


def chatter_count(stream: Stream) -> int:
    """How many sockets are open in its room, in all web processes."""
    noted: Any = shared_client().hvals(chatters_key(stream.pk))
    return sum_chatters(noted)


def sum_chatters(noted: Iterable[str]) -> int:
    """Add up what processes noted: ``count until``, the latter in Unix seconds."""
    pairs = [note.split() for note in noted]
    return sum(int(count) for count, until in pairs if float(until) > time.time())
