from __future__ import annotations

import pytest

from live.llhls.playlist import ListedPart, Window
from live.llhls.reload import BadDirectives, Directives, Reload, decide, parse
from live.llhls.segments import Shape

SHAPE = Shape(part_target_s=0.2, target_duration_s=1)


def window(segments: int = 5, open_parts: int = 2, *, shape: Shape = SHAPE, first_msn: int = 0) -> Window:
    """Return a window of segments of five parts; ``first_msn + segments - 1`` is the last complete one."""
    made = Window.empty(shape, next_msn=first_msn).with_epoch(0, 0.0)
    for msn in range(first_msn, first_msn + segments):
        for number in range(5):
            made = made.with_part(msn, number, ListedPart(0.2))
        made = made.with_end(msn, 1.0)
    for number in range(open_parts):
        made = made.with_part(first_msn + segments, number, ListedPart(0.2))
    return made


def test_plain_request_is_answered_at_once() -> None:
    assert decide(window(), Directives()) is Reload.READY


def test_plain_request_waits_for_the_first_complete_segment() -> None:
    assert decide(window(0, 3), Directives()) is Reload.WAIT


def test_request_for_a_segment_waits_until_it_is_complete() -> None:
    assert decide(window(5, 2), Directives(msn=5)) is Reload.WAIT
    assert decide(window(6, 0), Directives(msn=5)) is Reload.READY


def test_request_for_a_part_waits_until_it_exists() -> None:
    assert decide(window(5, 2), Directives(msn=5, part=1)) is Reload.READY
    assert decide(window(5, 2), Directives(msn=5, part=2)) is Reload.WAIT
    assert decide(window(5, 2), Directives(msn=6, part=0)) is Reload.WAIT


def test_part_past_the_end_means_the_first_of_the_next_segment() -> None:
    assert decide(window(5, 0), Directives(msn=4, part=5)) is Reload.WAIT
    assert decide(window(5, 1), Directives(msn=4, part=5)) is Reload.READY
    assert decide(window(5, 0), Directives(msn=4, part=4)) is Reload.READY


def test_part_without_msn_is_bad() -> None:
    assert decide(window(), Directives(part=0)) is Reload.BAD


def test_msn_more_than_two_past_the_last_segment_is_too_far() -> None:
    assert decide(window(5, 2), Directives(msn=6)) is Reload.WAIT
    assert decide(window(5, 2), Directives(msn=7)) is Reload.TOO_FAR
    assert decide(window(5, 0), Directives(msn=7, part=0)) is Reload.TOO_FAR


@pytest.mark.parametrize(("target_s", "limit"), [(0.2, 15), (0.5, 6), (1.0, 3), (2.0, 3)])
def test_part_far_ahead_is_too_far(target_s: float, limit: int) -> None:
    made = window(5, 2, shape=Shape(target_s, 1))

    assert decide(made, Directives(msn=5, part=2 + limit - 1)) is Reload.WAIT
    assert decide(made, Directives(msn=5, part=2 + limit)) is Reload.TOO_FAR


def test_msn_older_than_the_window_is_ready() -> None:
    made = window(60, 2)

    assert made.segments[0].msn > 0
    assert decide(made, Directives(msn=0)) is Reload.READY
    assert decide(made, Directives(msn=0, part=99)) is Reload.READY


@pytest.mark.parametrize("directives", [Directives(msn=99), Directives(part=3), Directives(msn=5, part=2)])
def test_directives_are_ignored_after_the_end(directives: Directives) -> None:
    assert decide(window(5, 2).ended(), directives) is Reload.READY


def test_lost_segment_does_not_block() -> None:
    ahead = window(7, 0)
    made = window(5, 0).with_gaps(ahead.segments[5:])

    assert decide(made, Directives(msn=6)) is Reload.READY
    assert decide(made, Directives(msn=6, part=0)) is Reload.WAIT


@pytest.mark.parametrize(
    ("query", "directives"),
    [
        ("", Directives()),
        ("_HLS_msn=7", Directives(msn=7)),
        ("_HLS_msn=7&_HLS_part=2&_HLS_skip=YES", Directives(7, 2, is_delta=True)),
        ("_HLS_skip=v2", Directives(is_delta=True)),
        ("token=x&_HLS_primary_id=9&empty=&%FF=%zz", Directives()),
    ],
)
def test_directives_are_read_and_other_parameters_ignored(query: str, directives: Directives) -> None:
    assert parse(query) == directives


@pytest.mark.parametrize(
    "query",
    [
        "_HLS_msn=",
        "_HLS_msn=-1",
        "_HLS_msn=1.5",
        "_HLS_msn=١",
        "_HLS_msn=99999999999",
        "_HLS_msn=1&_HLS_part=x",
        "_HLS_msn=1&_HLS_msn=2",
        "_HLS_skip=NO",
        "&".join(f"a{number}=1" for number in range(100)),
    ],
)
def test_invalid_directives_are_refused(query: str) -> None:
    with pytest.raises(BadDirectives):
        parse(query)
