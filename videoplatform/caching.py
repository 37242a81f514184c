"""The cache: values as MessagePack in Redis. Every read is a miss while Redis is away or full.

Django's default, pickle, executes code on reading: anyone with write access to Redis could
run code in every process. MessagePack holds only data.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]
import redis
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

logger = logging.getLogger(__name__)

# Adds to an existing counter. Django checks and adds in two commands: a counter that
# expires in between would start again without an expiry.
_INCR = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
return redis.call('INCRBY', KEYS[1], ARGV[1])
"""


# allauth counts attempts at passwords and codes in lists under these keys. While Redis
# cannot store them, each process counts alone, or passwords could be guessed without limit.
ATTEMPTS = ":allauth:rl:"
MAX_ATTEMPTS_KEPT = 10_000


class LocalAttempts:
    """A count of attempts in this process, used while Redis is away. The oldest entries are evicted first."""

    def __init__(self, most: int = MAX_ATTEMPTS_KEPT) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    def get(self, key: str) -> Any:
        """Return the value, or None if it is absent or expired."""
        with self._lock:
            until, value = self._kept.get(key, (0.0, None))
            return value if time.monotonic() < until else None

    def set(self, key: str, value: Any, timeout_s: float) -> None:
        with self._lock:
            self._kept[key] = (time.monotonic() + timeout_s, value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


class MessagePackSerializer:
    """A serializer for numbers, text, bytes, lists, dicts and aware datetimes. Tuples come back as lists."""

    def dumps(self, value: Any) -> int | bytes:
        if type(value) is int:  # counters are Redis integers
            return value
        return bytes(msgpack.packb(value, datetime=True))

    def loads(self, data: bytes) -> Any:
        """Return the value. Raises ValueError for data that this class has not written."""
        if data.removeprefix(b"-").isdigit():
            return int(data)
        return msgpack.unpackb(data, timestamp=3, strict_map_key=False)


class CacheClient(RedisCacheClient):
    """Django's cache client; while Redis fails, reads return nothing and writes store nothing.

    ``add`` then reports a new key, and ``incr`` a missing one, as after a key has expired.
    """

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return bool(_tried(lambda: super(CacheClient, self).add(key, value, timeout), True))

    def get(self, key: Any, default: Any) -> Any:
        otherwise = (_attempts.get(key) or default) if ATTEMPTS in key else default
        return _tried(lambda: super(CacheClient, self).get(key, otherwise), otherwise)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        is_kept = _tried(lambda: super(CacheClient, self).set(key, value, timeout) or True, False)
        if not is_kept and ATTEMPTS in key:
            _attempts.set(key, value, timeout or 0)

    def touch(self, key: Any, timeout: Any) -> bool:
        return bool(_tried(lambda: super(CacheClient, self).touch(key, timeout), False))

    def delete(self, key: Any) -> bool:
        return bool(_tried(lambda: super(CacheClient, self).delete(key), False))

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        return dict(_tried(lambda: super(CacheClient, self).get_many(list(keys)), {}))

    def has_key(self, key: Any) -> bool:
        return bool(_tried(lambda: super(CacheClient, self).has_key(key), False))

    def incr(self, key: Any, delta: int) -> int:
        client: Any = self.get_client(key, write=True)
        count = _tried(lambda: client.eval(_INCR, 1, key, delta), None)
        if count is None:
            raise ValueError(f"Key '{key}' not found.")
        return int(count)

    def set_many(self, data: Mapping[Any, Any], timeout: Any) -> None:
        _tried(lambda: super(CacheClient, self).set_many(data, timeout), None)

    def delete_many(self, keys: Iterable[Any]) -> None:
        _tried(lambda: super(CacheClient, self).delete_many(keys), None)


class TolerantRedisCache(RedisCache):
    """Django's cache in Redis with :class:`CacheClient`."""

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = CacheClient


_attempts = LocalAttempts()


def _tried(ask: Callable[[], Any], otherwise: Any) -> Any:
    """Return the answer of ``ask``, or ``otherwise`` if Redis fails or the value cannot be decoded."""
    try:
        return ask()
    except redis.RedisError as error:
        if isinstance(error, redis.ResponseError):  # Redis is full; the breaker logs outages
            logger.warning("Not cached: %s", error)
    except (ValueError, msgpack.UnpackException):
        logger.warning("Cached value written by another version")
    return otherwise
