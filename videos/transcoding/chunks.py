"""The division of a video into chunks that workers encode independently."""

from __future__ import annotations

from dataclasses import dataclass

from .source import SourceInfo

SEGMENT_S = 4
"""Length of a segment; each opens with a keyframe."""

# A minute: long enough to start FFmpeg for, short enough to lose with a worker.
_SEGMENTS_A_CHUNK = 15
# A remainder shorter than this is not worth a chunk of its own.
_SHORTEST_TAIL = 2


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """Consecutive segments of every rung.

    ``segment_count`` is None for the last chunk, which runs until the source actually
    ends; ``length_s`` is then an estimate.
    """

    position: int
    first_segment: int
    segment_count: int | None
    start_s: float
    length_s: float


def plan_chunks(source: SourceInfo) -> tuple[ChunkPlan, ...]:
    """Return the chunks of a source's video in order, the first one a single segment.

    A source in which FFmpeg cannot seek is one chunk.  Audio is encoded whole, so a
    source without a video track has no chunks.
    """
    if source.video is None:
        return ()
    duration_s = source.duration_s  # the last frame is held while audio goes on
    starts = _first_segments(duration_s) if source.is_seekable else [0]
    following = [*starts[1:], None]
    return tuple(
        _chunk(position, first, after, duration_s)
        for position, (first, after) in enumerate(zip(starts, following, strict=True))
    )


def _first_segments(duration_s: float) -> list[int]:
    """Return the number of each chunk's first segment."""
    shortest_tail_s = _SHORTEST_TAIL * SEGMENT_S
    starts, following = [0], 1
    while duration_s - following * SEGMENT_S >= shortest_tail_s:
        starts.append(following)
        following += _SEGMENTS_A_CHUNK
    return starts


def _chunk(position: int, first: int, after: int | None, duration_s: float) -> ChunkPlan:
    start_s = float(first * SEGMENT_S)
    if after is None:
        return ChunkPlan(position, first, None, start_s, max(0.0, duration_s - start_s))
    return ChunkPlan(position, first, after - first, start_s, float((after - first) * SEGMENT_S))
