"""Leases of jobs and transcriptions, renewed while their work goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, connection

from common import heartbeat
from videos import progress
from videos.models import Job
from videos.models.leased_work import LeasedWork
from videos.publishing import LeaseLost
from videos.transcoding.errors import TranscodeError
from videos.transcoding.log_tail import current_text
from videos.transcoding.processes import leashed
from videos.transcription.listening import RecognitionFailed

logger = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 4
# A program that was killed looks like one that failed.
KILLED = (TranscodeError, RecognitionFailed)


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
def lease_kept(row: LeasedWork) -> Iterator[None]:
    """Renew the lease in a thread, during work that reports no progress and has its own time limit.

    A lost lease kills the programs of the block.  Raises LeaseLost at the end of the block then.
    """
    is_over, is_lost = threading.Event(), threading.Event()

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
                    is_lost.set()
                    leash.pull()
                    return
        finally:
            connection.close()  # the thread's own connection

    with leashed() as leash:
        renewing = threading.Thread(target=renew, name="lease", daemon=True)
        renewing.start()
        try:
            yield
        except KILLED as error:
            if is_lost.is_set():
                raise LeaseLost from error
            raise
        finally:
            is_over.set()
            renewing.join()
    if is_lost.is_set():
        raise LeaseLost
