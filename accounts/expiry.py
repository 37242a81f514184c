"""Removal of expired sessions and API tokens, and of work that was given up long ago."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.utils import timezone

from accounts import outbox, sweeps, tokens

logger = logging.getLogger(__name__)

# SQLite has one writer at a time, so each write is limited to this many rows.
SESSIONS_AT_ONCE = 5_000


def remove_expired() -> None:
    """Delete expired sessions and API tokens, and old failed calls and rows; run once a day.

    A table that cannot be written does not stop the others; the next run tries it again.
    """
    steps: dict[str, Callable[[], int]] = {
        "sessions": _remove_sessions,
        "tokens": partial(_all_batches, tokens.sweep),
        "calls": partial(_all_batches, outbox.remove_given_up),
        "failures": partial(_all_batches, sweeps.remove_stale_failures),
    }
    removed: dict[str, int] = {}
    for name, remove in steps.items():
        try:
            removed[name] = remove()
        except DatabaseError:
            logger.exception("Expired rows not removed", extra={"kind": name})
    logger.info("Expired rows removed", extra=removed)


def _remove_sessions() -> int:
    """Delete expired sessions batch by batch, and return their number."""
    expired = Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date")
    count = 0
    while keys := list(expired.values_list("pk", flat=True)[:SESSIONS_AT_ONCE]):
        count += Session.objects.filter(pk__in=keys).delete()[0]
    return count


def _all_batches(remove: Callable[[], int]) -> int:
    """Call ``remove``, which deletes one batch, until nothing is left; return the total."""
    count = 0
    while batch := remove():
        count += batch
    return count
