"""Token buckets in Redis: rate limits that all web processes count together.

A bucket holds ``units`` and refills evenly over its period.  A request takes its
price out of one or several buckets, of all or of none, in one atomic script.  A
price above the bucket's size empties it.  While Redis is away or full, each
process counts for itself, so limits are then wider but never gone.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any

import redis
from asgiref.sync import sync_to_async
from django.conf import settings

from common.redis_clients import shared_client

if TYPE_CHECKING:
    from redis.commands.core import Script

logger = logging.getLogger(__name__)

PERIODS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# Buckets that one process keeps while Redis is away; the least recently used are dropped.
MAX_LOCAL_BUCKETS = 20_000
_PLAIN = re.compile(r"[\w.:/@-]{1,64}", re.ASCII)

# A bucket is one number: the time in microseconds at which it will be full again.
# KEYS: buckets.  ARGV: for each, microseconds until a unit is back, units, price.
# Answers 0, or the microseconds to wait.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wait, full_at = 0, {}
for i, key in ipairs(KEYS) do
  local unit, units, price = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  full_at[i] = math.max(tonumber(redis.call('GET', key) or '0'), now) + unit * price
  wait = math.max(wait, full_at[i] - now - unit * units)
end
if wait >= 1 then return string.format('%.0f', wait) end
for i, key in ipairs(KEYS) do
  if full_at[i] > now then
    redis.call('SET', key, string.format('%.0f', full_at[i]), 'PX', math.ceil((full_at[i] - now) / 1000))
  else
    redis.call('DEL', key)
  end
end
return '0'
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Rate of ``units`` at once, refilled within each ``period_s`` seconds."""

    units: int
    period_s: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Parse ``600/min``: a number, and a second, minute, hour or day by its first letter."""
        units, _, period = text.partition("/")
        return cls(int(units), PERIODS_S[period[0]])

    @property
    def unit_us(self) -> float:
        """Return the microseconds until one unit is back."""
        return self.period_s * 1_000_000 / self.units


@dataclass(frozen=True, slots=True)
class Charge:
    """Price to take from the bucket ``name`` of ``who``, any text such as an address or account."""

    name: str
    who: str
    rate: Rate
    price: int = 1

    @property
    def key(self) -> str:
        is_plain = _PLAIN.fullmatch(self.who)
        who = self.who if is_plain else sha256(self.who.encode(errors="surrogatepass")).hexdigest()[:32]
        return f"bucket:{self.name}:{who}"

    @property
    def units(self) -> int:
        """Return the price, at most the bucket's size."""
        return min(self.price, self.rate.units)


def take(*charges: Charge) -> float:
    """Take all prices or none; return 0.0, or the seconds until all could be taken.

    If rate limits are switched off, take nothing and return 0.0.
    """
    if not settings.RATE_LIMITS or not charges:
        return 0.0
    arguments = [value for one in charges for value in (one.rate.unit_us, one.rate.units, one.units)]
    try:
        script = _script(settings.CACHES["default"]["LOCATION"])
        wait_us = float(str(script(keys=[one.key for one in charges], args=arguments)))
    except redis.RedisError as error:
        # The breaker does not log a full Redis, because its errors are answers.
        if isinstance(error, redis.ResponseError):
            logger.warning("Rate limits are counted per process: %s", error)
        wait_us = local_buckets.take(charges)
    return wait_us / 1_000_000


take_async = sync_to_async(take, thread_sensitive=False)


def refund(*charges: Charge) -> None:
    """Undo :func:`take` for a request that turned out to be free, such as a right password."""
    take(*(Charge(one.name, one.who, one.rate, -one.units) for one in charges))


def seconds_to_wait(wait_s: float) -> int:
    """Return whole seconds for ``Retry-After``, at least one."""
    return max(1, math.ceil(wait_s))


@cache
def _script(url: str) -> Script:
    client: Any = shared_client(url, decode_responses=True)
    script: Script = client.register_script(_TAKE)
    return script


class LocalBuckets:
    """Buckets in this process's memory, for outages of Redis."""

    def __init__(self, most: int = MAX_LOCAL_BUCKETS) -> None:
        self._most = most
        self._lock = Lock()
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def clear(self) -> None:
        """Fill every bucket again."""
        with self._lock:
            self._full_at.clear()

    def take(self, charges: tuple[Charge, ...]) -> float:
        """Take all or none; return 0.0, or the microseconds to wait."""
        with self._lock:
            now = time.monotonic() * 1_000_000
            full_at = {
                one.key: max(self._full_at.get(one.key, 0.0), now) + one.rate.unit_us * one.units
                for one in charges
            }
            wait = max(full_at[one.key] - now - one.rate.unit_us * one.rate.units for one in charges)
            if wait >= 1:
                return wait
            for key, moment in full_at.items():
                self._full_at[key] = moment
                self._full_at.move_to_end(key)
            while len(self._full_at) > self._most:
                self._full_at.popitem(last=False)
        return 0.0


local_buckets = LocalBuckets()
