"""Sanctions: time-outs, suspensions and bans, and their end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts import notifications, services, sweeps
from accounts.models import Decision, Notification, Sanction, User
from accounts.moderation import registry

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

logger = logging.getLogger(__name__)

ENDED_AT_ONCE = 500
KINDS = {
    Decision.Action.TIME_OUT: Sanction.Kind.TIME_OUT,
    Decision.Action.SUSPEND: Sanction.Kind.SUSPENSION,
    Decision.Action.BAN: Sanction.Kind.BAN,
}


def may_speak(user: User | AnonymousUser) -> bool:
    """Return whether ``user`` may comment, chat and upload now."""
    return user.is_authenticated and user.is_active and silence(user) is None


def silence(user: User) -> Sanction | None:
    """Return the sanction that silences ``user`` longest, or ``None``."""
    in_force = Sanction.objects.in_force().filter(person=user)
    return in_force.order_by(F("until").desc(nulls_first=True)).first()


def impose(decision: Decision, *, person: User, by: User) -> Sanction:
    """Impose the decision's sanction; a suspension or ban locks the account and revokes access at once."""
    kind = KINDS[Decision.Action(decision.action)]
    sanction = Sanction.objects.create(person=person, kind=kind, decision=decision, until=decision.until)
    if locks_out(sanction):
        set_active(person, active=False, by=by)
    return sanction


def set_active(person: User, *, active: bool, by: User | None) -> None:
    """Lock or restore an account, and remove or restore its texts on open pages."""
    services.set_active(user=person, active=active, by=by)
    for kind in registry.kinds():
        kind.author_switched(person)


def locks_out(sanction: Sanction) -> bool:
    return sanction.kind != Sanction.Kind.TIME_OUT


@transaction.atomic
def lift(sanction: Sanction, *, by: User | None) -> bool:
    """End a sanction early, or at its end (``by`` is ``None``); return false if it has ended already."""
    ended = Sanction.objects.filter(pk=sanction.pk, ended_at=None).update(ended_at=timezone.now())
    if ended and locks_out(sanction):
        _unlock(sanction.person, by)
    return ended == 1


def _unlock(person: User, by: User | None) -> None:
    """Restore the account, unless another sanction keeps it locked."""
    if Sanction.objects.in_force().that_lock_out().filter(person=person).exists():
        return
    set_active(person, active=True, by=by)
    if by is None:
        notifications.notify(person=person, kind=Notification.Kind.MODERATION, data={"action": "over"})


def lift_lapsed() -> int:
    """Lift the sanctions that are over, each by itself (``accounts.sweeps``); return their number."""
    lapsed = Sanction.objects.lapsed().select_related("person__channel").order_by("until")
    return sweeps.each("end sanctions", lapsed, lambda each: lift(each, by=None), at_most=ENDED_AT_ONCE)


def lift_if_lapsed(person: User) -> bool:
    """Lift ``person``'s sanctions that are over, without waiting for the sweep; return ``is_active``."""
    for sanction in Sanction.objects.lapsed().filter(person=person).select_related("person"):
        lift(sanction, by=None)
    person.refresh_from_db(fields=["is_active"])
    return person.is_active
