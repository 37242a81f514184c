"""Segments of a trimmed video, and its audio blocks: arithmetic without media."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from common.media.fragments import Sample
from videos.transcoding.timeline import KeptParts
from videos.transcoding.trimming import frame_at, frames_between, plan_pieces, segment_at, spliced

GRID = [0.0, 4.0, 8.0, 12.0, 16.0, 17.5]
RATE = 48_000


def blocks(count: int, *, last: int = 1024) -> list[Sample]:
    return [
        Sample(1, number * 1024, last if number == count - 1 else 1024, 0, 0, b"") for number in range(count)
    ]


def shape(*parts: tuple[float, float]) -> list[tuple[int, int, float, float, bool]]:
    pieces = plan_pieces(GRID, KeptParts.of(parts))
    return [(one.first, one.after, one.start_s, one.end_s, one.is_whole) for one in pieces]


def test_only_segments_at_edges_are_encoded() -> None:
    assert shape((2, 14)) == [
        (0, 1, 2, 4, False),
        (1, 2, 4, 8, True),
        (2, 3, 8, 12, True),
        (3, 4, 12, 14, False),
    ]


def test_part_between_cuts_is_copied_whole() -> None:
    assert shape((4, 12)) == [(1, 2, 4, 8, True), (2, 3, 8, 12, True)]
    assert shape((16, 17.5)) == [(4, 5, 16, 17.5, True)]


def test_short_edge_joins_the_segment_beside_it() -> None:
    assert shape((3.5, 8)) == [(0, 2, 3.5, 8, False)]
    assert shape((4, 8.2)) == [(1, 3, 4, 8.2, False)]


def test_part_inside_a_segment_is_one_edge() -> None:
    assert shape((5, 5.3)) == [(1, 2, 5, 5.3, False)]


def test_new_times_follow_each_other_without_a_gap() -> None:
    chance = random.Random(4)
    for _ in range(200):
        bounds = sorted(chance.sample(range(1, 17_500), 2 * chance.randint(1, 5)))
        kept = KeptParts.of([(a / 1000, b / 1000) for a, b in zip(bounds[::2], bounds[1::2], strict=True)])
        pieces = plan_pieces(GRID, kept)
        ends_s = [one.begins_s + one.length_s for one in pieces]
        assert [one.begins_s for one in pieces] == pytest.approx([0, *ends_s[:-1]], abs=0.011)
        assert ends_s[-1] == pytest.approx(kept.duration_s, abs=0.011)
        assert all(one.length_s <= 8 for one in pieces)


def test_moment_belongs_to_the_frame_on_screen() -> None:
    shown_s = [4.0, 4.04, 4.08]
    assert [frame_at(shown_s, at_s) for at_s in (3.9, 4.0, 4.0399, 4.05, 4.2)] == [4.0, 4.0, 4.04, 4.04, 4.08]
    assert frames_between(shown_s, 4.04, 9) == range(1, 3)
    assert [segment_at(GRID, at_s) for at_s in (0, 3.9, 3.9999, 4, 17.4, 99)] == [0, 0, 1, 1, 4, 4]


@pytest.mark.parametrize("seed", range(20))
def test_audio_goes_on_at_seams_without_a_gap_and_within_half_a_block(seed: int) -> None:
    chance = random.Random(seed)
    bounds = sorted(chance.sample(range(1, 30_000), 10))
    kept = KeptParts.of([(a / 1000, b / 1000) for a, b in zip(bounds[::2], bounds[1::2], strict=True)])
    source = blocks(1500)

    # The data of a block names its old time.
    named = [Sample(1, one.decode_time, 1024, 0, 0, str(one.decode_time).encode()) for one in source]
    made = list(spliced(named, kept, RATE))

    assert made[0].decode_time == 0
    assert all(before.end == after.decode_time for before, after in pairwise(made))
    assert made[-1].end == round(kept.duration_s * RATE)
    for one in made:
        old_s = int(one.data) / RATE
        off_s = min(
            abs(new_s + old_s - start_s - one.decode_time / RATE)
            for (start_s, end_s), new_s in zip(kept.parts, kept.starts_s, strict=False)
            if start_s - 0.02 <= old_s <= end_s + 0.02
        )
        assert off_s <= 512.5 / RATE


def test_stretched_last_block_ends_with_its_part() -> None:
    made = list(spliced(blocks(100, last=20_000), KeptParts.of([(1, 2.2)]), RATE))

    assert made[-1].end == round(1.2 * RATE)
