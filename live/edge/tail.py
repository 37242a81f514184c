"""Tail of a broadcast: the segments that the edge still holds, for its recovery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import redis

from live.edge import keys
from live.edge.keys import EdgeMeta
from live.llhls.playlist import Window
from live.redis_connections import new_edge_client


@dataclass(frozen=True, slots=True)
class TailSegment:
    """Segment that Redis still holds, complete or as far as it was written."""

    rendition: str
    msn: int
    epoch: int
    duration_s: float
    is_discontinuous: bool
    starts_at: float  # wall clock of its first frame, Unix time
    init: bytes
    data: bytes


def read_tail(broadcast: str, after_msn: int) -> list[TailSegment]:
    """Return the segments after ``after_msn`` that Redis still holds, oldest first, with the open one."""
    with new_edge_client() as client:
        meta = EdgeMeta.from_hash(client.hgetall(keys.meta_key(broadcast)))
        segments = [
            found
            for name in (meta.renditions if meta else ())
            for found in _tail_of(client, broadcast, name, after_msn)
        ]
    return sorted(segments, key=lambda segment: (segment.msn, segment.rendition))


def _tail_of(client: redis.Redis, broadcast: str, name: str, after_msn: int) -> Iterator[TailSegment]:
    text = client.get(keys.window_key(broadcast, name))
    window = Window.from_json(text) if isinstance(text, bytes) else None
    for segment in window.segments if window else ():
        if segment.msn <= after_msn or segment.is_gap:
            continue
        data = keys.joined(client.hgetall(keys.segment_key(broadcast, name, segment.msn)))
        init = client.get(keys.init_key(broadcast, name, segment.epoch))
        if data and isinstance(init, bytes):
            yield TailSegment(
                name,
                segment.msn,
                segment.epoch,
                segment.length_s,
                segment.is_discontinuous,
                segment.starts_at,
                init,
                data,
            )
