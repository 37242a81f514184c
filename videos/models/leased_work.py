"""Leased work: rows that workers claim, renew and end by conditional UPDATEs.

The columns and the queries that every queue of record shares.  An attempt fences one
worker against the next: a row is changed only by the attempt that holds it, and a claim
raises the attempt.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MAX_WAITS = 1000
MAX_DETAIL_CHARS = 2000
RELEASED_PAUSE = timedelta(seconds=10)

Work = TypeVar("Work", bound="LeasedWork")


class LeasedQuerySet(models.QuerySet[Work]):
    """Queries of a queue of record."""

    def claimable(self) -> Self:
        """Return the rows that wait and are due, or that run under an expired lease."""
        now = timezone.now()
        is_due = Q(status=LeasedWork.Status.WAITING, not_before__lte=now)
        return self.filter(is_due | Q(status=LeasedWork.Status.RUNNING, lease_until__lt=now))

    def active(self) -> Self:
        return self.filter(status__in=LeasedWork.ACTIVE)

    def held(self, row: Work) -> Self:
        """Return ``row`` if it still runs under this attempt; its lease may have expired."""
        return self.filter(pk=row.pk, status=LeasedWork.Status.RUNNING, attempt=row.attempt)

    def take(self, row: Work, worker: str) -> bool:
        """Start the next attempt of ``row``; return False if another worker did since it was read."""
        now = timezone.now()
        taken = {
            "status": LeasedWork.Status.RUNNING,
            "attempt": row.attempt + 1,
            # A row that is still running means that the previous worker ended silently.
            "losses": row.losses + (row.status == LeasedWork.Status.RUNNING),
            "lease_until": now + timedelta(seconds=settings.ENCODE_LEASE_S),
            "claimed_at": now,
            "worker": worker,
        }
        if not self.claimable().filter(pk=row.pk, attempt=row.attempt).update(**taken):
            return False
        for name, value in taken.items():
            setattr(row, name, value)
        return True

    def renew(self, row: Work, **fields: Any) -> bool:
        """Extend the lease and update ``fields``; return False if this attempt has lost the lease."""
        until = timezone.now() + timedelta(seconds=settings.ENCODE_LEASE_S)
        return self.held(row).update(lease_until=until, **fields) == 1

    def release(self, workers: Collection[str]) -> int:
        """Queue the running rows of ``workers`` again, without a loss; return their number.

        They wait for ``RELEASED_PAUSE``, so that no process that is about to end claims them.
        """
        running = self.filter(status=LeasedWork.Status.RUNNING, worker__in=workers)
        not_before = timezone.now() + RELEASED_PAUSE
        return running.update(status=LeasedWork.Status.WAITING, not_before=not_before, lease_until=None)

    def queue_again(self, row: Work, *, pause_s: float = 0.0, **fields: Any) -> bool:
        """End this attempt and let the next one wait; return False if the lease was lost."""
        waiting = {
            "status": LeasedWork.Status.WAITING,
            "not_before": timezone.now() + timedelta(seconds=pause_s),
            "lease_until": None,
        }
        return self.held(row).update(**waiting, **fields) == 1

    def put_off(
        self, row: Work, reason: str, error: Exception, *, first_s: float, longest_s: float, **fields: Any
    ) -> bool:
        """Let a row wait for ``reason`` without a failure: ``first_s``, doubled up to ``longest_s``."""
        return self.queue_again(
            row,
            pause_s=min(first_s * 2 ** min(row.waits, 16), longest_s),
            waits_for=reason,
            waits=min(row.waits + 1, MAX_WAITS),
            error_detail=f"{type(error).__name__}: {error}"[:MAX_DETAIL_CHARS],
            **fields,
        )

    def end(self, row: Work, status: LeasedWork.Status, **fields: Any) -> bool:
        """End a row for good; return False if the lease was lost."""
        ended = {"status": status, "finished_at": timezone.now(), "lease_until": None, "waits_for": ""}
        return self.held(row).update(**ended, **fields) == 1


class LeasedWork(models.Model):
    """One unit of work of a queue of record."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Canceled")

    ACTIVE = (Status.WAITING, Status.RUNNING)

    status = models.CharField(_("status"), max_length=9, choices=Status.choices, default=Status.WAITING)
    # Counts the claims and never decreases: it fences one worker against the next.
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    # Claims that failed because of the media, and claims that ended silently or without a proven reason.
    failures = models.PositiveSmallIntegerField(_("failures"), default=0)
    losses = models.PositiveSmallIntegerField(_("worker losses"), default=0)
    # Errors of the platform count as neither: the row waits, longer each time.
    waits_for = models.CharField(_("waits for"), max_length=8, blank=True)
    waits = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(_("worker"), max_length=100, blank=True)
    claimed_at = models.DateTimeField(_("claimed"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    error_code = models.CharField(_("error code"), max_length=32, blank=True)
    error_detail = models.TextField(_("error"), blank=True)

    class Meta:
        abstract = True

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    def renew_lease(self, **fields: Any) -> bool:
        """Extend the lease and update ``fields``; return False if this attempt has lost the lease."""
        rows: LeasedQuerySet[LeasedWork] = LeasedQuerySet(type(self))
        return rows.renew(self, **fields)
