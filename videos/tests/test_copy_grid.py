"""The grid of a copied source."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videos.transcoding.copying.grid import LONGEST_GOP_S, segment_starts


def lengths_s(gop_s: float, end_s: float) -> list[float]:
    keyframes_s = [number * gop_s for number in range(int(end_s / gop_s) + 1) if number * gop_s < end_s]
    bounds_s = [*(keyframes_s[at] for at in segment_starts(keyframes_s, end_s)), end_s]
    return [after - before for before, after in pairwise(bounds_s)]


@pytest.mark.parametrize(
    ("gop_s", "lengths"),
    [
        (0.5, [1, 4, 4, 4, 4, 3]),
        (1, [1, 4, 4, 4, 4, 3]),
        (2, [2, 4, 4, 4, 6]),
        (5, [5, 5, 5, 5]),
        (8, [8, 8, 4]),
    ],
)
def test_segments_of_regular_keyframes_last_about_four_seconds(gop_s: float, lengths: list[float]) -> None:
    assert lengths_s(gop_s, 20) == lengths


@given(st.lists(st.floats(0.05, LONGEST_GOP_S), min_size=1, max_size=200))
def test_no_segment_is_longer_than_the_longest_gop(gops_s: list[float]) -> None:
    *keyframes_s, end_s = accumulate(gops_s, initial=0.0)

    starts = segment_starts(keyframes_s, end_s)
    bounds_s = [*(keyframes_s[at] for at in starts), end_s]

    assert starts[0] == 0
    assert all(0 < after - before <= LONGEST_GOP_S + 1e-6 for before, after in pairwise(bounds_s))
