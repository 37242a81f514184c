"""A room's log in Redis, shared by all web processes: what gives every event its place.

One script checks the limits, takes the next ``seq``, appends to a log of the
last ``LOG_LENGTH`` events, publishes, and notes in the journal what SQL is to
learn (:mod:`live.chat.store`).  Redis runs scripts one after the other, so the
order is the same for everyone and a limit holds for all of a person's sockets.

``seq`` begins at the clock's microseconds: a room whose ``seq`` was lost goes on
above everything it ever counted, without anybody having to remember it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio

from live.chat.clients import shared_client
from live.chat.messages import dumps

if TYPE_CHECKING:
    from live.models import Stream

logger = logging.getLogger(__name__)

LOG_LENGTH = 500
KEPT_FOR_S = 24 * 3600
# Chat is refused rather than forgotten when nobody has stored it for this long;
# about 50 MB.
JOURNAL_LENGTH = 100_000
JOURNAL = "chat:unsaved"
# A restriction takes this long at most to be known in every process; until then
# the script itself refuses.
BAR_S = 60

# KEYS 1-3: seq, log, journal.
_COMMON = f"""
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Lua prints large numbers as 1.7e+15 unless it is told how.
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

# KEYS 4-6: barred, the person's last messages, when they may speak again in slow mode.
# ARGV: channel, head, tail, about, entry, most messages (0: any) in so many ms, slow mode in ms.
_SAY = f"""{_COMMON}
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
return {{'said', append(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])}}
"""

# KEYS 4: barred.  ARGV: channel, event, about, entry, seconds to bar (0: none).
_ANNOUNCE = f"""{_COMMON}
if tonumber(ARGV[5]) > 0 then redis.call('SET', KEYS[4], 1, 'EX', ARGV[5]) end
return append(ARGV[1], ARGV[2], '', ARGV[3], ARGV[4])
"""

# ARGV: the seq after which to read, as known to whoever asks.
_READ = f"""{_COMMON}
local seq = current_seq(tonumber(ARGV[1]))
return {{seq, redis.call('XRANGE', KEYS[2], '(' .. ARGV[1] .. '-0', '+')}}
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as the log holds it; ``about`` is JSON for hubs, which clients do not get."""

    seq: int
    event: str
    about: str


@dataclass(frozen=True, slots=True)
class Answer:
    """``said``, or why not and, where time helps, after how long."""

    verdict: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the script checks; zero is no limit."""

    messages: int = 0
    window_s: int = 0
    slow_s: int = 0


def channel_of(stream_id: int) -> str:
    return f"chat:{stream_id}"


def _keys(stream_id: int, *others: str) -> list[str]:
    return [f"chat:{stream_id}:seq", f"chat:{stream_id}:log", JOURNAL, *others]


def _barred_key(stream_id: int, user_id: int) -> str:
    return f"chat:{stream_id}:barred:{user_id}"


# --- From Django ---------------------------------------------------------------------


def announce(
    stream: Stream,
    event: dict[str, Any],
    *,
    about: dict[str, Any] | None = None,
    entry: dict[str, Any] | None = None,
    bar: int | None = None,
    bar_s: int = BAR_S,
) -> None:
    """Let an event happen in the room of ``stream``.  A Redis that does not answer is logged only.

    ``about`` is for hubs, ``entry`` for the journal; the person ``bar`` is
    silenced from this very event on.
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
        shared_client().register_script(_ANNOUNCE)(keys, arguments)
    except redis.RedisError:
        logger.warning("Not announced: Redis does not answer", extra={"stream": stream.pk, **event})


def notice(stream: Stream, about: dict[str, Any], *, unbar: int | None = None) -> None:
    """Tell the hubs, and nobody else; what is lost they find in SQL within seconds."""
    try:
        client = shared_client()
        if unbar:
            client.delete(_barred_key(stream.pk, unbar))
        client.publish(channel_of(stream.pk), f"0\n\n{dumps(about)}")
    except redis.RedisError:
        logger.warning("Hubs not told: Redis does not answer", extra={"stream": stream.pk})


def state_changed(stream: Stream) -> None:
    """Have every hub look at the stream in SQL again: who may read, the mode, restrictions."""
    notice(stream, {"reload": True})


def recent(stream: Stream) -> list[Entry]:
    """What the log still holds, oldest first.  Raises RedisError."""
    answer: Any = shared_client().register_script(_READ)(_keys(stream.pk), [0])
    return _entries(answer[1])


# --- From hubs -----------------------------------------------------------------------


async def say(
    client: redis.asyncio.Redis,
    stream_id: int,
    user_id: int,
    *,
    around_seq: tuple[str, str],
    entry: dict[str, Any],
    limits: Limits,
) -> Answer:
    """Let a person say something, within ``limits``; refused where they are barred or nothing is stored."""
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
    verdict, *wait_ms = await _run(client, _SAY, keys, arguments)
    if verdict in {"said", "full", "barred"}:
        return Answer(verdict)
    return Answer(verdict, round(float(wait_ms[0]) / 1000, 1))


async def append(client: redis.asyncio.Redis, stream_id: int, event: dict[str, Any]) -> None:
    """What :func:`announce` does, from an event loop."""
    keys = _keys(stream_id, _barred_key(stream_id, 0))
    await _run(client, _ANNOUNCE, keys, [channel_of(stream_id), dumps(event), "", "", 0])


async def read(client: redis.asyncio.Redis, stream_id: int, after: int) -> tuple[int, list[Entry]]:
    """The room's ``seq`` now, and what the log holds after ``after``, oldest first.

    A Redis that knows less than ``after`` has lost its last second: the room then
    goes on above both, so that no ``seq`` is given twice.
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
        entries.append(Entry(int(entry_id.partition("-")[0]), fields["event"], fields["about"]))
    return entries


def parse_published(text: str) -> Entry:
    seq, event, about = text.split("\n", 2)
    return Entry(int(seq), event, about)
