"""The cache of segments."""

from __future__ import annotations

from live.edge.cache import SegmentCache


async def test_cache_is_bounded_in_bytes() -> None:
    fetched = []

    async def fetch() -> bytes:
        fetched.append(1)
        return b"12345"

    cache = SegmentCache(max_bytes=10)
    for key in ("a", "b", "a", "c", "a", "b"):
        await cache.get(key, fetch)

    # c evicts b, the least recently used.
    assert len(fetched) == 4
