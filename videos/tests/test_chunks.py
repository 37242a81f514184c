from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videos.transcoding.chunks import SEGMENT_S, ChunkPlan, SegmentGrid, plan_chunks, plan_grid
from videos.transcoding.source import SourceInfo, VideoStream


def source_of(duration_s: float, *, is_seekable: bool = True) -> SourceInfo:
    video = VideoStream(0, "h264", 1920, 1080, Fraction(30), duration_s=duration_s)
    return SourceInfo("mov", duration_s=duration_s, size_bytes=1, video=video, is_seekable=is_seekable)


def test_first_chunk_is_one_segment_and_others_are_a_minute() -> None:
    assert plan_chunks(source_of(150)) == (
        ChunkPlan(0, first_segment=0, segment_count=1, start_s=0, length_s=4),
        ChunkPlan(1, first_segment=1, segment_count=15, start_s=4, length_s=60),
        ChunkPlan(2, first_segment=16, segment_count=15, start_s=64, length_s=60),
        ChunkPlan(3, first_segment=31, segment_count=None, start_s=124, length_s=26),
    )


@pytest.mark.parametrize(("duration_s", "count"), [(1, 1), (11.9, 1), (12, 2), (71.9, 2), (72, 3)])
def test_short_tail_is_joined_to_the_previous_chunk(duration_s: float, count: int) -> None:
    assert len(plan_chunks(source_of(duration_s))) == count


def test_unseekable_source_is_one_chunk() -> None:
    assert plan_chunks(source_of(600, is_seekable=False)) == (ChunkPlan(0, 0, None, 0, 600),)


def test_audio_source_has_no_chunks() -> None:
    assert plan_chunks(SourceInfo("mp3", duration_s=60, size_bytes=1)) == ()


@given(st.floats(0, 50_000))
def test_chunks_follow_one_another_on_the_grid(duration_s: float) -> None:
    chunks = plan_chunks(source_of(duration_s))

    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    for chunk, following in pairwise(chunks):
        assert chunk.segment_count is not None
        assert following.first_segment == chunk.first_segment + chunk.segment_count
        assert following.start_s == following.first_segment * SEGMENT_S == chunk.start_s + chunk.length_s
    assert chunks[-1].segment_count is None
    assert chunks[-1].start_s + chunks[-1].length_s == pytest.approx(duration_s)


def test_chunks_follow_the_starts_of_an_irregular_grid() -> None:
    starts_s = tuple(2.5 * number for number in range(20))
    chunks = plan_chunks(source_of(50), SegmentGrid(starts_s, 50.0))

    assert [
        (chunk.first_segment, chunk.segment_count, chunk.start_s, chunk.length_s) for chunk in chunks
    ] == [
        (0, 1, 0.0, 2.5),
        (1, 15, 2.5, 37.5),
        (16, None, 40.0, 10.0),
    ]


@pytest.mark.parametrize(
    ("duration_s", "starts_s"), [(3.0, [0]), (8.0, [0, 4]), (8.05, [0, 4]), (8.2, [0, 4, 8])]
)
def test_regular_grid_has_no_segment_without_a_frame(duration_s: float, starts_s: list[float]) -> None:
    assert list(plan_grid(source_of(duration_s)).starts_s) == starts_s
