"""The live edge in Redis (being laid out: names and shapes are as they will be)."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from live.llhls.segments import Init, Part, SegmentEnd, Shape


@dataclass(frozen=True, slots=True)
class TailSegment:
    """A segment that Redis still holds, whole or as far as it came."""

    rendition: str
    msn: int
    epoch: int
    duration_s: float
    is_discontinuous: bool
    init: bytes
    data: bytes


class EdgeWriter:
    """What one ingest writes of the broadcast that it holds."""

    shape: Shape
    next_msn: int = 0
    next_epoch: int = 0

    @classmethod
    async def open(
        cls,
        redis: Redis,
        broadcast_id: str,
        shape: Shape,
        renditions: list[str],
        access: str,
        *,
        first_msn: int = 0,
        first_epoch: int = 0,
    ) -> EdgeWriter:
        raise NotImplementedError

    async def begin_epoch(self, epoch: int, started_at: float) -> None:
        raise NotImplementedError

    async def add_init(self, rendition: str, init: Init, *, bandwidth_bps: int, frame_rate: float) -> None:
        raise NotImplementedError

    async def add_part(self, rendition: str, part: Part) -> None:
        raise NotImplementedError

    async def end_segment(self, rendition: str, end: SegmentEnd) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


def set_access(broadcast: str, access: str) -> None: ...


def end(broadcast: str) -> None: ...


def reopen(broadcast: str) -> None: ...


def tail(broadcast: str, after_msn: int) -> list[TailSegment]:
    return []
