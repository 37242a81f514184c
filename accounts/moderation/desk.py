"""Claims of cases: a short lease, taken by a conditional UPDATE, so that only one moderator decides."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts.models import Case, User

LEASE = timedelta(minutes=3)  # the desk renews it while the page is open


def claim(case: Case, *, by: User) -> bool:
    """Claim the case or renew the claim; return false if another moderator holds it."""
    until = timezone.now() + LEASE
    taken = Case.objects.filter(pk=case.pk).free_for(by).update(claimed_by=by, claimed_until=until)
    if taken:
        case.claimed_by, case.claimed_until = by, until
    return taken == 1


def release(case: Case, *, by: User) -> None:
    """Release the claim for other moderators."""
    Case.objects.filter(pk=case.pk, claimed_by=by).update(claimed_by=None, claimed_until=None)


def neighbour(case: Case, *, by: User, forward: bool) -> Case | None:
    """Return the next open case in the desk's order, or the previous one; skip other moderators' claims."""
    waiting = Case.objects.open().free_for(by).exclude(pk=case.pk)
    return (waiting.after(case) if forward else waiting.before(case)).first()


def next_case(case: Case, *, by: User) -> Case | None:
    """Return the case behind ``case`` in the queue, or else the first one."""
    waiting = Case.objects.open().free_for(by).exclude(pk=case.pk)
    return waiting.after(case).first() or waiting.in_order().first()
