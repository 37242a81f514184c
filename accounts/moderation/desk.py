"""Who has a case in hand: a short lease, taken by a conditional UPDATE, so that two never decide the same."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts.models import Case, User

LEASE = timedelta(minutes=3)  # the desk renews it while the page is open


def claim(case: Case, *, by: User) -> bool:
    """Take the case in hand, or keep it there; false while another moderator has it."""
    until = timezone.now() + LEASE
    taken = Case.objects.filter(pk=case.pk).free_for(by).update(claimed_by=by, claimed_until=until)
    if taken:
        case.claimed_by, case.claimed_until = by, until
    return taken == 1


def release(case: Case, *, by: User) -> None:
    """Put it back, for whoever comes next."""
    Case.objects.filter(pk=case.pk, claimed_by=by).update(claimed_by=None, claimed_until=None)


def neighbour(case: Case, *, by: User, forward: bool) -> Case | None:
    """The next open case in the desk's order, or the one before it; others' are passed over."""
    waiting = Case.objects.open().free_for(by).exclude(pk=case.pk)
    return (waiting.after(case) if forward else waiting.before(case)).first()


def next_case(case: Case, *, by: User) -> Case | None:
    """What to look at after ``case``: what comes behind it, else what waits at the front."""
    waiting = Case.objects.open().free_for(by).exclude(pk=case.pk)
    return waiting.after(case).first() or waiting.in_order().first()
