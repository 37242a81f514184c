"""Kills of a process at any write to SQL or storage, and the sweep after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from videos import sweeping
from videos.models import Job, Video


class Killed(BaseException):
    """The end of a process: nothing catches it, and an open transaction is rolled back."""


class KillAtWrite:
    """A counter of writes to SQL and storage that raises Killed before number ``at`` (from 0)."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.was_reached = False

    def count(self, *_args: Any, **_kwargs: Any) -> None:
        if self.left == 0:
            self.was_reached = True
            raise Killed
        self.left -= 1

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self.count()
        return execute(sql, params, many, context)


def killed_at_every_write(make: Callable[[], Callable[[], object]], storage: mock.Mock) -> Iterator[None]:
    """Run ``make``'s action again and again, killed one write later each time, until all writes are done."""
    for at in range(100):
        with transaction.atomic():
            act = make()
        kill = KillAtWrite(at)
        storage.side_effect = kill.count
        try:
            with connection.execute_wrapper(kill):
                act()
        except Killed:
            pass
        storage.side_effect = None
        yield
        if not kill.was_reached:
            return


def after_the_sweep() -> list[tuple[str, bool]]:
    """Expire all leases, sweep, and return each video's status and whether a job of it can go on."""
    Job.objects.update(lease_until=None)
    Job.objects.filter(status=Job.Status.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=1))
    Job.objects.filter(status=Job.Status.WAITING).update(not_before=timezone.now())
    sweeping.sweep()
    waiting = Q(status=Job.Status.WAITING)
    return [
        (video.status, (Job.objects.claimable() | Job.objects.filter(waiting)).filter(video=video).exists())
        for video in Video.objects.all()
    ]
