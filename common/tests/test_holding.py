from __future__ import annotations

from common.holding import Holding


def test_one_network_holds_no_more_than_its_bound() -> None:
    holding = Holding(most=100, most_of_one=3)

    assert [holding.enter("a") for _ in range(4)] == [True, True, True, False]
    assert holding.enter("b")
    holding.leave("a")
    assert holding.enter("a")
    assert holding.total == 4


def test_refused_networks_are_not_remembered() -> None:
    holding = Holding(most=1, most_of_one=1)
    holding.enter("a")
    for number in range(100):
        holding.enter(str(number))
    holding.leave("a")

    assert (holding.total, len(holding._held)) == (0, 0)


def test_greedy_networks_leave_room_for_the_next() -> None:
    holding = Holding(most=100, most_of_one=60)
    for name in ("a", "b", "c"):
        while holding.enter(name):
            pass

    assert holding.total < 100
    assert holding.enter("somebody new")
