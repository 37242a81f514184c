"""Tests of sweeps: a bad row keeps no other row waiting, and the admin sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import sweeps
from accounts.models import SweepFailure, User
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    return [UserFactory() for _ in range(3)]


def sweep(bad: User | None, *, at_most: int = 10) -> list[User]:
    """Sweep all people in order, raise for ``bad``, and return the handled ones."""
    handled = []

    def act(person: User) -> None:
        if person == bad:
            raise LookupError("no such thing")
        handled.append(person)

    assert sweeps.each("people", User.objects.order_by("pk"), act, at_most=at_most) == len(handled)
    return handled


def test_bad_row_in_front_is_recorded_and_the_others_are_handled(people: list[User]) -> None:
    assert sweep(people[0]) == people[1:]

    failure = SweepFailure.objects.get()
    assert (failure.sweep, failure.row_pk, failure.label) == ("people", people[0].pk, str(people[0]))
    assert failure.error == "LookupError: no such thing"
    assert failure.retry_at > timezone.now()


def test_paused_row_does_not_use_up_the_limit(people: list[User]) -> None:
    assert sweep(people[0], at_most=1) == []

    assert sweep(people[0], at_most=1) == [people[1]]


def test_row_is_tried_again_after_a_pause_that_doubles(people: list[User]) -> None:
    sweep(people[0])
    first = SweepFailure.objects.get()
    SweepFailure.objects.update(retry_at=timezone.now())

    assert sweep(people[0]) == people[1:]

    second = SweepFailure.objects.get()
    assert second.attempts == 2
    assert second.retry_at - second.failed_at == 2 * (first.retry_at - first.failed_at)
    assert sweeps.pause_after(10_000) == sweeps.LONGEST_PAUSE


def test_row_that_succeeds_has_no_failure_any_more(people: list[User]) -> None:
    sweep(people[0])
    SweepFailure.objects.update(retry_at=timezone.now() - timedelta(seconds=1))

    assert sweep(None) == people

    assert not SweepFailure.objects.exists()


def test_failures_of_another_sweep_pause_nothing(people: list[User]) -> None:
    SweepFailure.objects.create(
        sweep="others", row_pk=people[0].pk, error="", retry_at=timezone.now() + timedelta(hours=1)
    )

    assert sweep(None) == people
