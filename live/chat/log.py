"""Log of a room in Redis, shared by all web processes: it orders the room's events.

One script checks the limits, takes the next ``seq``, appends to a log of the
last ``LOG_LENGTH`` events, publishes the event, and adds the entries for SQL to
the journal (:mod:`live.chat.store`).  Redis runs scripts one after the other, so
all processes see one order, and a limit covers all sockets of a person.

``seq`` starts at the clock's microseconds: a room whose ``seq`` was lost
continues above every earlier value without storing it elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio

from live.chat.messages import dumps
from live.redis_connections import shared_client

if TYPE_CHECKING:
    from live.models import Stream

logger = logging.getLogger(__name__)

# Channel of all hubs; it carries the ids of people whose access was revoked.
EVERY_HUB = "chat"
LOG_LENGTH = 500
KEPT_FOR_S = 24 * 3600
# Number of entries that may wait for SQL (about 50 MB); beyond it, messages are
# refused rather than lost.
JOURNAL_LENGTH = 100_000
JOURNAL = "chat:unsaved"
# Every process knows a restriction after at most this time; until then the script
# itself refuses the person's messages.
BAR_S = 60

# KEYS 1-3: seq, log, journal.
_COMMON = f"""
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Lua prints large numbers as 1.7e+15 without a format.
local function whole(number)
  return string.format('%.0f', number)
end

local function current_seq(known)
  local seq = redis.call('GET', KEYS[1])
  if not seq or tonumber(seq) < known then
    seq = whole(clock())
    redis.call('SET', KEYS[1], seq, 'EX', {KEPT_FOR_S})
  end
  return seq
end

local function append(channel, head, tail, about, entry)
  current_seq(0)
  local seq = whole(redis.call('INCR', KEYS[1]))
  local event = head
  if tail ~= '' then event = head .. seq .. tail end
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', {LOG_LENGTH}, seq .. '-0', 'event', event, 'about', about)
  redis.call('EXPIRE', KEYS[1], {KEPT_FOR_S})
  redis.call('EXPIRE', KEYS[2], {KEPT_FOR_S})
  if entry ~= '' then redis.call('XADD', KEYS[3], '*', 'seq', seq, 'entry', entry) end
  redis.call('PUBLISH', channel, seq .. '\\n' .. event .. '\\n' .. about)
  return seq
end
"""

# KEYS 4-6: barred, times of the person's last messages, slow-mode lock of the person.
# ARGV: channel, head, tail, about, entry, message limit (0: none), its window in ms, slow mode in ms.
_POST = f"""{_COMMON}
local now = math.floor(clock() / 1000)
local most, window, slow = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
if redis.call('EXISTS', KEYS[4]) == 1 then return {{'barred'}} end
if redis.call('XLEN', KEYS[3]) >= {JOURNAL_LENGTH} then return {{'full'}} end
if slow > 0 then
  local wait = redis.call('PTTL', KEYS[6])
  if wait > 0 then return {{'slow_mode', wait}} end
end
if most > 0 then
  local oldest = redis.call('LINDEX', KEYS[5], most - 1)
  if oldest and oldest + window > now then return {{'rate_limited', oldest + window - now}} end
  redis.call('LPUSH', KEYS[5], whole(now))
  redis.call('LTRIM', KEYS[5], 0, most - 1)
  redis.call('PEXPIRE', KEYS[5], window)
end
if slow > 0 then redis.call('SET', KEYS[6], 1, 'PX', slow) end
return {{'posted', append(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])}}
"""

# KEYS 4: barred.  ARGV: channel, event, about, entry, seconds to bar (0: none).
_PUBLISH = f"""{_COMMON}
if tonumber(ARGV[5]) > 0 then redis.call('SET', KEYS[4], 1, 'EX', ARGV[5]) end
return append(ARGV[1], ARGV[2], '', ARGV[3], ARGV[4])
"""

# ARGV: the last seq that the reader knows; entries after it are returned.
_READ = f"""{_COMMON}
local seq = current_seq(tonumber(ARGV[1]))
return {{seq, redis.call('XRANGE', KEYS[2], '(' .. ARGV[1] .. '-0', '+')}}
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event in the log; ``about`` is JSON for hubs only and is not sent to clients."""

    seq: int
    event: str
    about: str


@dataclass(frozen=True, slots=True)
class PostResult:
    """Result of :func:`post`: ``posted`` or the refusal's code, with a delay if a retry may succeed."""

    verdict: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class PostLimits:
    """Limits that the script checks; zero means no limit."""

    messages: int = 0
    window_s: int = 0
    slow_s: int = 0


def sign_out(user_id: int) -> None:
    """Publish to every hub that a person's access was revoked."""
    shared_client().publish(EVERY_HUB, user_id)


def channel_of(stream_id: int) -> str:
    return f"chat:{stream_id}"


def _keys(stream_id: int, *others: str) -> list[str]:
    return [f"chat:{stream_id}:seq", f"chat:{stream_id}:log", JOURNAL, *others]


def _barred_key(stream_id: int, user_id: int) -> str:
    return f"chat:{stream_id}:barred:{user_id}"


def publish(
    stream: Stream,
    event: dict[str, Any],
    *,
    about: dict[str, Any] | None = None,
    entry: dict[str, Any] | None = None,
    bar: int | None = None,
    bar_s: int = BAR_S,
    unbar: int | None = None,
) -> None:
    """Publish an event in the room of ``stream``.  If Redis does not answer, only log it.

    ``about`` is for hubs, ``entry`` for the journal.  The person ``bar`` is
    silenced from this event on; the person ``unbar`` is allowed before it.
    """
    keys = _keys(stream.pk, _barred_key(stream.pk, bar or 0))
    arguments: list[Any] = [
        channel_of(stream.pk),
        dumps(event),
        dumps(about) if about else "",
        dumps({"stream": stream.pk, **entry}) if entry else "",
        bar_s if bar else 0,
    ]
    try:
        if unbar:
            shared_client().delete(_barred_key(stream.pk, unbar))
        shared_client().register_script(_PUBLISH)(keys, arguments)
    except redis.RedisError:
        logger.warning(
            "Chat event not published: Redis does not answer", extra={"stream": stream.pk, **event}
        )


def publish_to_hubs(stream: Stream, about: dict[str, Any]) -> None:
    """Publish ``about`` to hubs only; if it is lost, they read the same from SQL within seconds."""
    try:
        shared_client().publish(channel_of(stream.pk), f"0\n\n{dumps(about)}")
    except redis.RedisError:
        logger.warning("Hubs not notified: Redis does not answer", extra={"stream": stream.pk})


def state_changed(stream: Stream) -> None:
    """Make every hub reload the stream from SQL: read access, mode, restrictions."""
    publish_to_hubs(stream, {"reload": True})


def recent(stream: Stream) -> list[Entry]:
    """Return the entries in the log, oldest first.  Raises RedisError."""
    answer: Any = shared_client().register_script(_READ)(_keys(stream.pk), [0])
    return _entries(answer[1])


async def post(
    client: redis.asyncio.Redis,
    stream_id: int,
    user_id: int,
    *,
    around_seq: tuple[str, str],
    entry: dict[str, Any],
    limits: PostLimits,
) -> PostResult:
    """Publish a person's message within ``limits``; refuse it if they are barred or the journal is full."""
    keys = _keys(
        stream_id,
        _barred_key(stream_id, user_id),
        f"chat:rate:{user_id}",
        f"chat:{stream_id}:spoke:{user_id}",
    )
    arguments = [
        channel_of(stream_id),
        *around_seq,
        dumps({"user": user_id}),
        dumps({"stream": stream_id, "user": user_id, **entry}),
        limits.messages,
        limits.window_s * 1000,
        limits.slow_s * 1000,
    ]
    verdict, *wait_ms = await _run(client, _POST, keys, arguments)
    if verdict in {"posted", "full", "barred"}:
        return PostResult(verdict)
    return PostResult(verdict, round(float(wait_ms[0]) / 1000, 1))


async def append(client: redis.asyncio.Redis, stream_id: int, event: dict[str, Any]) -> None:
    """Publish an event from an event loop.  Raises RedisError."""
    keys = _keys(stream_id, _barred_key(stream_id, 0))
    await _run(client, _PUBLISH, keys, [channel_of(stream_id), dumps(event), "", "", 0])


async def read(client: redis.asyncio.Redis, stream_id: int, after: int) -> tuple[int, list[Entry]]:
    """Return the room's current ``seq`` and the log's entries after ``after``, oldest first.

    If Redis has a smaller ``seq`` than ``after``, it lost its last writes: the room
    then continues above both, so that no ``seq`` is used twice.
    """
    seq, entries = await _run(client, _READ, _keys(stream_id), [after])
    return int(seq), _entries(entries)


async def _run(client: redis.asyncio.Redis, script: str, keys: list[str], arguments: list[Any]) -> Any:
    running: Awaitable[Any] = client.register_script(script)(keys, arguments)
    return await running


def _entries(found: list[Any]) -> list[Entry]:
    entries = []
    for entry_id, pairs in found:
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        # Keep an entry that lacks a field, for its seq; the room skips it as unreadable.
        event, about = fields.get("event", ""), fields.get("about", "")
        entries.append(Entry(int(entry_id.partition("-")[0]), event, about))
    return entries


def parse_published(text: str) -> Entry:
    """Parse a payload of a room's channel.  Raises ValueError."""
    seq, event, about = text.split("\n", 2)
    return Entry(int(seq), event, about)
