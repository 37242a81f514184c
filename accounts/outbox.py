"""The outbox: calls that a worker makes after a transaction is committed, kept in SQL until they succeed.

::

    outbox.add(mail.mail_decision, decision.pk)      # inside the transaction

A message to a worker may be lost with Redis or with the worker; a row is not.
The row is written in the caller's transaction.  A worker claims it by a
conditional UPDATE, calls the function and deletes the row.  A sweep starts the
calls whose message was lost.

A handler is a function at the top level of a module.  Its arguments must
survive JSON.  It may be called twice, if its worker dies between the call and
the deletion, so it has to be idempotent or harmless if repeated.  It returns
``None`` if its work is done, or the arguments of its next call: long work is cut
into calls of a few seconds.

An error queues the row again, after a pause that doubles (``accounts.sweeps``).
After ``MAX_ATTEMPTS`` the row stays for the admin, who can start it again within
``KEPT_FOR``; then it is deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ParamSpec

from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.models import OutboxEntry
from accounts.sweeps import pause_after
from common.wakeups import Wakeup

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 60  # about nine hours
CALLS_AT_ONCE = 100
# Longer than one call may take: a row whose worker died is free again after this.
LEASE = timedelta(minutes=5)

# Time for which the admin keeps a call that was given up.
KEPT_FOR = timedelta(days=30)
REMOVED_AT_ONCE = 1000

# Injected: the task calls :func:`work`.
outbox_wakeup = Wakeup()

P = ParamSpec("P")
Again = Sequence[Any] | None
"""Arguments of a handler's next call, or None when its work is done."""


def add(handler: Callable[P, Again], *args: P.args, **kwargs: P.kwargs) -> None:
    """Have a worker call ``handler`` after the running transaction is committed."""
    if kwargs:
        raise TypeError("an outbox entry takes positional arguments only")
    OutboxEntry.objects.create(handler=f"{handler.__module__}.{handler.__qualname__}", arguments=list(args))
    transaction.on_commit(wake)


def wake() -> None:
    """Wake a worker to empty the outbox."""
    outbox_wakeup.send(queue="default")


def work() -> None:
    """Make the calls that are due, oldest first; wake another worker for the rest."""
    due = OutboxEntry.objects.filter(is_given_up=False, not_before__lte=timezone.now())
    for entry in due.order_by("not_before", "pk")[:CALLS_AT_ONCE]:
        if _claim(entry):
            _call(entry)
    if OutboxEntry.objects.filter(is_given_up=False, not_before__lte=timezone.now()).exists():
        wake()


def remove_given_up() -> int:
    """Delete up to ``REMOVED_AT_ONCE`` calls that were given up ``KEPT_FOR`` ago; return their number."""
    # ``not_before`` was written by the last attempt.
    old = OutboxEntry.objects.filter(is_given_up=True, not_before__lt=timezone.now() - KEPT_FOR)
    batch = list(old.values_list("pk", flat=True)[:REMOVED_AT_ONCE])
    return OutboxEntry.objects.filter(pk__in=batch, is_given_up=True).delete()[0]


def _claim(entry: OutboxEntry) -> bool:
    """Claim the entry for one call; return false if another worker was faster."""
    seen = OutboxEntry.objects.filter(pk=entry.pk, attempt=entry.attempt, not_before=entry.not_before)
    entry.attempt += 1
    entry.not_before = timezone.now() + LEASE
    return seen.update(attempt=entry.attempt, not_before=entry.not_before) == 1


def _call(entry: OutboxEntry) -> None:
    held = OutboxEntry.objects.filter(pk=entry.pk, attempt=entry.attempt)
    try:
        again = import_string(entry.handler)(*entry.arguments)
    except Exception as error:  # the error of one entry must not stop the others
        logger.warning(
            "Outbox entry failed", extra={"handler": entry.handler, "pk": entry.pk}, exc_info=error
        )
        held.update(
            error=f"{type(error).__name__}: {error}"[:2000],
            not_before=timezone.now() + pause_after(entry.attempt),
            is_given_up=entry.attempt >= MAX_ATTEMPTS,
        )
        return
    if again is None:
        held.delete()
    else:
        held.update(arguments=list(again), attempt=0, error="", not_before=timezone.now())
