"""The division of a video into segments, and into chunks that workers encode independently."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .source import SourceInfo

SEGMENT_S = 4
"""Length of a segment; each opens with a keyframe."""

# A minute: long enough to start FFmpeg for, short enough to lose with a worker.
_SEGMENTS_A_CHUNK = 15
# Two minutes are copied in a second or so, and a viewer may wait for the last of them.
_SEGMENTS_A_COPY = 30
# A remainder shorter than this is not worth a chunk of its own.
_SHORTEST_TAIL = 2
# A header may round the end up: so little after the last cut may hold no frame.
_SHORTEST_SEGMENT_S = 0.1


@dataclass(frozen=True, slots=True)
class SegmentGrid:
    """The planned segments of a rendition: where each begins, and where the last one ends, in seconds.

    A segment holds the frames at or after its start and before the next one's.  The end
    is the header's; the decoder decides the true one.
    """

    starts_s: tuple[float, ...]
    end_s: float

    def bounds_s(self, number: int) -> tuple[float, float]:
        """Return start and end of segment ``number``."""
        return self.starts_s[number], self._start_s(number + 1)

    def _start_s(self, number: int) -> float:
        return self.starts_s[number] if number < len(self.starts_s) else self.end_s

    def chunk(self, position: int, first: int, after: int | None) -> ChunkPlan:
        """Return the chunk of the segments from ``first`` to before ``after``; None means to the end."""
        start_s = self.starts_s[first]
        end_s = self.end_s if after is None else self.starts_s[after]
        count = None if after is None else after - first
        return ChunkPlan(position, first, count, start_s, max(0.0, end_s - start_s))


@dataclass(frozen=True, slots=True)
class SourceCuts:
    """The cuts of a chunk beside a copy, in ticks of FFmpeg's clock of the source and before any edit.

    ``zero`` is the first frame of the video, ``starts`` those of the chunk's segments;
    ``written_timescale`` counts the ticks of the copy.
    """

    timescale: int
    zero: int
    starts: tuple[int, ...]
    end: int
    written_timescale: int


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """Consecutive segments of a grid.

    ``segment_count`` is None for the last chunk, which runs until the source actually
    ends; ``length_s`` is then an estimate.
    """

    position: int
    first_segment: int
    segment_count: int | None
    start_s: float
    length_s: float


def plan_grid(source: SourceInfo) -> SegmentGrid:
    """Return the grid of a source's video: its keyframes if it is copied, else the regular one."""
    if source.copied and source.copied.bounds_s:
        *starts_s, end_s = source.copied.bounds_s
        return SegmentGrid(tuple(starts_s), end_s)
    return regular_grid(source)


def regular_grid(source: SourceInfo) -> SegmentGrid:
    """Return the grid on which a segment begins every ``SEGMENT_S`` seconds, as of all audio."""
    return grid_until(source.duration_s)  # the last frame is held while audio goes on


def grid_until(end_s: float) -> SegmentGrid:
    """Return the regular grid up to ``end_s``."""
    starts_s = [0.0]
    while (next_s := float(len(starts_s) * SEGMENT_S)) < end_s - _SHORTEST_SEGMENT_S:
        starts_s.append(next_s)
    return SegmentGrid(tuple(starts_s), end_s)


def plan_chunks(source: SourceInfo, grid: SegmentGrid | None = None) -> tuple[ChunkPlan, ...]:
    """Return the chunks of a source's video in order, the first one a single segment.

    ``grid`` is by default the regular one.  A source in which FFmpeg cannot seek is one
    chunk.  Audio is encoded whole, so a source without a video track has no chunks.
    """
    if source.video is None:
        return ()
    grid = grid or plan_grid(source)
    firsts = _first_segments(grid) if source.is_seekable else [0]
    following = [*firsts[1:], None]
    return tuple(
        grid.chunk(position, first, after)
        for position, (first, after) in enumerate(zip(firsts, following, strict=True))
    )


def plan_copied_chunks(grid: SegmentGrid) -> tuple[ChunkPlan, ...]:
    """Return the chunks of a copy, the first one a single segment; a lost one is copied again."""
    count = len(grid.starts_s)
    firsts = [0, *range(1, count, _SEGMENTS_A_COPY)]
    following = [*firsts[1:], count]
    return tuple(
        replace(grid.chunk(position, first, after if after < count else None), segment_count=after - first)
        for position, (first, after) in enumerate(zip(firsts, following, strict=True))
    )


def plan_copied_audio(source: SourceInfo) -> tuple[ChunkPlan, ...]:
    """Return the chunks of a copied audio track; it may end a little before the video."""
    *chunks, last = plan_copied_chunks(regular_grid(source))
    return (*chunks, replace(last, segment_count=None))


def _first_segments(grid: SegmentGrid) -> list[int]:
    """Return the number of each chunk's first segment."""
    shortest_tail_s = _SHORTEST_TAIL * SEGMENT_S
    firsts, following = [0], 1
    while following < len(grid.starts_s) and grid.end_s - grid.starts_s[following] >= shortest_tail_s:
        firsts.append(following)
        following += _SEGMENTS_A_CHUNK
    return firsts
