"""Leases of jobs and transcriptions, renewed while their work goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, connection

from common import heartbeat
from videos import progress
from videos.models import Job
from videos.models.leased_work import LeasedWork
from videos.publishing import LeaseLost
from videos.transcoding.log_tail import current_text

logger = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 4


class LeaseKeeper:
    """The progress callback of an encode, called about twice a second: it also renews the lease."""

    def __init__(self, job: Job, *, from_s: float = 0.0) -> None:
        """Prepare for a clock that begins at ``from_s``."""
        self.job = job
        self.from_s = from_s
        self.renewed_at = monotonic()

    def __call__(self, encoded_s: float) -> None:
        heartbeat.show_progress()
        if monotonic() - self.renewed_at > settings.ENCODE_LEASE_S / RENEWALS_PER_LEASE:
            self._renew()
        progress.record(self.job, max(0.0, encoded_s - self.from_s))

    def _renew(self) -> None:
        try:
            log = current_text()
            is_held = self.job.renew_lease(**({"log_tail": log} if log else {}))
        except DatabaseError:
            # A short outage must not end an encode; the next call tries again.
            logger.warning("Lease not renewed: the database does not answer", extra={"job": self.job.pk})
            connection.close()
            return
        if not is_held:
            raise LeaseLost
        self.renewed_at = monotonic()


@contextmanager
def lease_kept(row: LeasedWork, on_lost: Callable[[], None] | None = None) -> Iterator[None]:
    """Renew the lease in a thread, during work that reports no progress and has its own time limit.

    ``on_lost`` is called in the thread.  Storing the result of a lost lease raises LeaseLost.
    """
    is_over = threading.Event()

    def renew() -> None:
        try:
            while not is_over.wait(settings.ENCODE_LEASE_S / RENEWALS_PER_LEASE):
                heartbeat.show_progress()
                try:
                    is_held = row.renew_lease()
                except DatabaseError:
                    logger.warning("Lease not renewed: the database does not answer", extra={"job": row.pk})
                    connection.close()
                    continue
                if not is_held:
                    if on_lost:
                        on_lost()
                    return
        finally:
            connection.close()  # the thread's own connection

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        is_over.set()
        renewing.join()
