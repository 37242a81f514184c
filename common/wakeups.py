"""Messages that wake workers; SQL holds the work (see ``videos.models.Job``)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import redis
from celery import current_app
from kombu.exceptions import OperationalError

from common.redis_clients import shared_client

if TYPE_CHECKING:
    from celery import Task

logger = logging.getLogger(__name__)


class Wakeup:
    """Wake-up call for a task of a higher layer, which the app injects when it starts."""

    def __init__(self) -> None:
        self._task: Task[..., None] | None = None

    def inject(self, task: Task[..., None]) -> None:
        self._task = task

    def send(self, *arguments: object, queue: str, count: int = 1, expires_s: float = 600) -> None:
        """Call :func:`send_soon` with the injected task."""
        if self._task is None:
            raise RuntimeError("no task was injected for this wake-up call")
        send_soon(self._task, *arguments, queue=queue, count=count, expires_s=expires_s)


def send_soon(
    task: Task[..., None], *arguments: object, queue: str, count: int = 1, expires_s: float = 600
) -> None:
    """Wake a worker for stored work, ``count`` times.

    A sweep finds the work as well, so a message that cannot be sent is only
    logged, and one that no worker takes within ``expires_s`` is dropped.
    """
    try:
        # Celery waits seconds for a broker that is away, and endlessly for a silent one;
        # this client fails at once.
        shared_client(current_app.conf.broker_url).ping()
        for _ in range(count):
            current_app.send_task(task.name, arguments, queue=queue, expires=expires_s)
    except (OperationalError, redis.RedisError, OSError):
        logger.warning("Workers not notified: the broker does not answer", extra={"task": task.name})
