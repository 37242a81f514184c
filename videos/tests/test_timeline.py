"""The mapping of times of a trimmed video."""

from __future__ import annotations

import random

import pytest

from videos.transcoding.timeline import KeptParts

# 0–2 and 5–6 are cut, and everything from 10 on.
TRIMMED = KeptParts.of([(2, 5), (6, 10)])


def test_new_time_line_has_the_parts_behind_each_other() -> None:
    assert TRIMMED.starts_s == (0, 3, 7)
    assert TRIMMED.duration_s == 7


@pytest.mark.parametrize(
    ("old_s", "new_s"),
    [(0, None), (1.999, None), (2, 0), (4.5, 2.5), (5, None), (5.9, None), (6, 3), (9.75, 6.75), (10, None)],
)
def test_moment_moves_with_its_part_or_is_cut(old_s: float, new_s: float | None) -> None:
    assert TRIMMED.moved_s(old_s) == new_s


@pytest.mark.parametrize(("old_s", "new_s"), [(0, 0), (2, 0), (5, 3), (5.5, 3), (6, 3), (10, 7), (99, 7)])
def test_cut_moment_becomes_the_seam(old_s: float, new_s: float) -> None:
    assert TRIMMED.next_s(old_s) == new_s


@pytest.mark.parametrize(
    ("section", "rest"),
    [
        ((0, 2), None),
        ((0, 3), (0, 1)),
        ((3, 4), (1, 2)),
        ((4, 7), (2, 4)),
        ((5.1, 5.9), None),
        ((9, 20), (6, 7)),
        ((11, 12), None),
    ],
)
def test_section_keeps_what_is_not_cut(
    section: tuple[float, float], rest: tuple[float, float] | None
) -> None:
    assert TRIMMED.section(*section) == rest


def test_section_is_whole_only_inside_one_part() -> None:
    assert TRIMMED.holds(2, 5)
    assert TRIMMED.holds(6.5, 10)
    assert not TRIMMED.holds(4, 7)
    assert not TRIMMED.holds(0, 3)


def test_cut_sections_are_the_complement_of_the_parts() -> None:
    assert TRIMMED.cut() == [(0, 2), (5, 6), (10, None)]
    assert KeptParts.of([(0, 4)]).cut() == [(4, None)]


def test_trim_of_a_trimmed_video_is_one_trim_of_the_original() -> None:
    again = KeptParts.of([(1, 4), (6, 7)])

    assert again.within(TRIMMED) == KeptParts.of([(3, 5), (6, 7), (9, 10)])
    assert again.within(None) == again


def test_inverse_undoes_the_mapping_at_every_kept_moment() -> None:
    chance = random.Random(13)
    for _ in range(200):
        bounds = sorted(chance.sample(range(1, 10**7), 2 * chance.randint(1, 6)))
        parts = KeptParts.of([(a / 1000, b / 1000) for a, b in zip(bounds[::2], bounds[1::2], strict=True)])
        start_s, end_s = chance.choice(parts.parts)
        at_s = round(chance.uniform(start_s, end_s - 0.0005), 6)
        new_s = parts.moved_s(at_s)
        assert new_s is not None
        assert parts.old_s(new_s) == pytest.approx(at_s, abs=2e-6)


def test_composed_mapping_is_the_second_after_the_first() -> None:
    second = KeptParts.of([(0.5, 3.5), (4, 6.5)])
    both = second.within(TRIMMED)

    for tenth in range(120):
        old_s = tenth / 10
        first_s = TRIMMED.moved_s(old_s)
        expected = None if first_s is None else second.moved_s(first_s)
        assert both.moved_s(old_s) == expected, old_s


@pytest.mark.parametrize("parts", [[], [(3, 2)], [(1, 1)], [(-1, 2)], [(0, 3), (2, 4)]])
def test_parts_out_of_order_are_refused(parts: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="no parts"):
        KeptParts.of(parts)
