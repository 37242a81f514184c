"""Deletion from the bucket: SQL remembers paths until the bucket no longer has them.

:func:`delete_later` writes a row in the caller's transaction, so a rollback
deletes nothing.  :func:`delete_pending` works through the rows one by one: a
failed one is tried again after a pause that grows to ``MAX_PAUSE``, and its
error is shown in the admin.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from time import monotonic

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from common import storage
from common.models import PendingDeletion
from common.wakeups import Wakeup

logger = logging.getLogger(__name__)

# Injected: the task calls :func:`delete_pending`.
deletion_wakeup = Wakeup()

ROWS_AT_ONCE = 200
OBJECTS_AT_ONCE = 20_000  # of one row; the next run deletes the rest
RUN_BUDGET_S = 60.0  # a run occupies a slot of a worker
# After so many failures in a row the storage is probably away: the remaining rows wait
# for the next run instead of spending a timeout each.
FAILURES_IN_A_ROW = 5
FIRST_PAUSE = timedelta(minutes=1)
MAX_PAUSE = timedelta(hours=1)
# Lease of a row, for the case that its run is killed.
CLAIM = timedelta(minutes=10)


def delete_later(path: str, *, after: timedelta = timedelta(0)) -> None:
    """Delete an object, or all objects under a prefix that ends in "/", ``after`` this transaction."""
    begins_at = timezone.now() + after
    last_pass_at = begins_at + timedelta(seconds=3 * settings.ENCODE_LEASE_S)
    PendingDeletion.objects.create(path=path, next_try_at=begins_at, last_pass_at=last_pass_at)
    transaction.on_commit(wake, robust=True)


def wake() -> None:
    """Wake a worker to delete now; if the message is lost, the next run starts within a minute."""
    deletion_wakeup.send(queue="default")


def delete_pending() -> None:
    """Work through the rows that are due, the longest waiting first."""
    ends_at = monotonic() + RUN_BUDGET_S
    failures = 0
    for row in PendingDeletion.objects.filter(next_try_at__lte=timezone.now()).order_by("next_try_at")[
        :ROWS_AT_ONCE
    ]:
        if not _claim(row):
            continue
        failures = 0 if _try(row) else failures + 1
        if failures >= FAILURES_IN_A_ROW or monotonic() > ends_at:
            return


def _claim(row: PendingDeletion) -> bool:
    """Claim a row for this run; return false if another run was faster."""
    seen = PendingDeletion.objects.filter(pk=row.pk, next_try_at=row.next_try_at)
    return seen.update(next_try_at=timezone.now() + CLAIM) == 1


def _try(row: PendingDeletion) -> bool:
    """Delete the row's objects and record the result; return whether it worked."""
    now = timezone.now()
    this_row = PendingDeletion.objects.filter(pk=row.pk)
    try:
        is_empty = _delete(row.path)
    except (*storage.StorageError, ValueError) as error:
        pause = min(FIRST_PAUSE * 2 ** min(row.attempts, 10), MAX_PAUSE)
        this_row.update(
            attempts=row.attempts + 1, last_error=str(error)[:300], next_try_at=timezone.now() + pause
        )
        logger.warning(
            "Deletion failed", extra={"path": row.path, "attempts": row.attempts + 1, "error": str(error)}
        )
        return False
    if is_empty and row.last_pass_at <= now:
        this_row.delete()
    else:
        this_row.update(attempts=0, last_error="", next_try_at=row.last_pass_at if is_empty else now)
    return True


def _delete(path: str) -> bool:
    """Delete objects and unfinished multipart uploads; return whether nothing is left."""
    storage.abort_multiparts(path)
    if not path.endswith("/"):
        storage.delete_keys([path])
        return True
    return storage.delete_prefix(path, at_most=OBJECTS_AT_ONCE) < OBJECTS_AT_ONCE
