"""Tests of the choice of stills for posters, on frames drawn here."""

from __future__ import annotations

import random

import pytest

from videos.transcoding.stills import CHOICES, SCORED_IN_EACH, best_of_each, candidates, score

WIDTH, HEIGHT = 32, 18


def stripes(period: int, *, low: int = 60, high: int = 200) -> bytes:
    return bytes(low if x // period % 2 else high for _ in range(HEIGHT) for x in range(WIDTH))


def blurred(grey: bytes) -> bytes:
    rows = [grey[y * WIDTH : (y + 1) * WIDTH] for y in range(HEIGHT)]
    return bytes(
        sum(row[max(0, x - 4) : x + 5]) // len(row[max(0, x - 4) : x + 5])
        for row in rows
        for x in range(WIDTH)
    )


@pytest.mark.parametrize("value", [0, 16, 128, 250])
def test_even_frame_has_no_score(value: int) -> None:
    assert score(bytes([value]) * (WIDTH * HEIGHT), WIDTH) == 0


def test_dark_frame_with_a_little_noise_has_no_score() -> None:
    dice = random.Random(1)

    assert score(bytes(dice.randrange(16, 26) for _ in range(WIDTH * HEIGHT)), WIDTH) == 0


def test_sharp_frame_scores_above_its_blurred_copy() -> None:
    sharp = stripes(4)

    assert score(sharp, WIDTH) > score(blurred(sharp), WIDTH) > 0


def test_frame_with_contrast_scores_above_a_pale_one() -> None:
    assert score(stripes(4), WIDTH) > score(stripes(4, low=120, high=140), WIDTH)


def test_score_has_bounds() -> None:
    dice = random.Random(1)

    assert score(bytes(dice.choice((0, 255)) for _ in range(WIDTH * HEIGHT)), WIDTH) == 1
    assert score(b"", WIDTH) == 0


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9, 25, 120, 600])
def test_candidates_are_spread_over_the_video(count: int) -> None:
    groups = candidates(count)
    numbers = [number for group in groups for number in group]

    assert len(groups) == min(CHOICES, count)
    assert numbers == sorted(set(numbers))
    assert all(0 <= number < count for number in numbers)
    assert max(map(len, groups)) <= SCORED_IN_EACH


def test_best_still_of_each_group_is_chosen() -> None:
    assert best_of_each([[0, 1], [2, 3]], {0: 0.2, 1: 0.9, 2: 0.4, 3: 0.4}) == [1, 2]
