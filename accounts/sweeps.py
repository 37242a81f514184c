"""Sweeps that handle each row by itself: a row that raises keeps no other row waiting.

A failure is stored as a :class:`~accounts.models.SweepFailure`, which the admin
lists.  The row is tried again after a pause that doubles up to
``LONGEST_PAUSE``; a success deletes the failure.  A failure that no sweep has met
again for ``KEPT_FOR`` belongs to a deleted row, and is deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.utils import timezone

from accounts.models import SweepFailure

logger = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)
BUDGET_S = 30.0
KEPT_ERROR_CHARACTERS = 2000
KEPT_FOR = timedelta(days=30)
REMOVED_AT_ONCE = 1000

Row = TypeVar("Row", bound=Model)


def each(
    sweep: str,
    rows: QuerySet[Row],
    act: Callable[[Row], object],
    *,
    at_most: int,
    budget_s: float = BUDGET_S,
) -> int:
    """Call ``act`` with up to ``at_most`` of ``rows``; return the number of successful calls.

    Rows that failed lately are left out until their pause is over, so they do
    not use up ``at_most``.  No new call starts after ``budget_s`` seconds: the
    next sweep goes on.
    """
    began_at, done = monotonic(), 0
    failures = SweepFailure.objects.filter(sweep=sweep)
    paused = failures.filter(retry_at__gt=timezone.now())
    has_failures = failures.exists()
    for row in rows.exclude(pk__in=paused.values("row_pk"))[:at_most]:
        try:
            act(row)
        except Exception as error:  # noqa: BLE001 (the error of one row must not stop the others)
            _record_failure(sweep, row, error)
        else:
            done += 1
            if has_failures:
                failures.filter(row_pk=row.pk).delete()
        if monotonic() - began_at > budget_s:
            break
    return done


def pause_after(attempts: int) -> timedelta:
    """Return the pause after the given number of failures (1 or more)."""
    return min(FIRST_PAUSE * float(2 ** min(attempts - 1, 16)), LONGEST_PAUSE)


def remove_stale_failures() -> int:
    """Delete up to ``REMOVED_AT_ONCE`` failures older than ``KEPT_FOR``; return their number."""
    stale = SweepFailure.objects.filter(failed_at__lt=timezone.now() - KEPT_FOR)
    batch = list(stale.values_list("pk", flat=True)[:REMOVED_AT_ONCE])
    return SweepFailure.objects.filter(pk__in=batch).delete()[0]


def _record_failure(sweep: str, row: Model, error: Exception) -> None:
    logger.warning("Sweep failed for one row", extra={"sweep": sweep, "row": row.pk}, exc_info=error)
    now = timezone.now()
    failure, _created = SweepFailure.objects.get_or_create(
        sweep=sweep, row_pk=row.pk, defaults={"error": "", "first_failed_at": now}
    )
    failure.attempts += 1
    failure.label = str(row)[:200]
    failure.error = f"{type(error).__name__}: {error}"[:KEPT_ERROR_CHARACTERS]
    failure.failed_at, failure.retry_at = now, now + pause_after(failure.attempts)
    failure.save()
