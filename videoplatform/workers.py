"""Steps of a Celery worker's main process: pulses, the state of the machine, orderly shutdown."""

from __future__ import annotations

import logging
import threading
from typing import Any

import redis
from celery import bootsteps
from celery.worker import state
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from common import disk, heartbeat
from videoplatform.celery import app
from videoplatform.embedded.lineage import children
from videoplatform.tasks import pulse
from videos import queue, transcriptions
from videos.transcoding.layers import layer_reasons

logger = logging.getLogger(__name__)

BEAT_EVERY_S = 2.0
SWEEP_FOLDER_EVERY_S = 600.0


class WorkerLife(bootsteps.StartStopStep):
    """A worker step that sends pulses to idle queues and reports the state of the machine.

    A pulse is a task for the pool, so a frozen pool falls silent although this process
    lives on.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.timers: list[Any] = []
        # Every pid that the pool has had: a worker that ends kills its pool, and may
        # replace it, before it stops its steps.
        self.pids: set[int] = set()

    def start(self, parent: Any) -> None:
        if lacks := {layer: reason for layer, reason in layer_reasons().items() if reason}:
            logger.warning("FFmpeg runs without a layer of its sandbox", extra={"lacks": lacks})
        queues = [name for name in parent.app.amqp.queues.consume_from if name in heartbeat.QUEUES]
        self.beat(queues)
        self.sweep_folder()
        self.timers = [
            parent.timer.call_repeatedly(BEAT_EVERY_S, self.beat, (queues,)),
            parent.timer.call_repeatedly(SWEEP_FOLDER_EVERY_S, self.sweep_folder),
        ]

    def stop(self, parent: Any) -> None:
        """Stop the timers. At the worker's own end, release its jobs at no cost."""
        for timer in self.timers:
            timer.cancel()
        self.timers = []
        # Celery also stops its steps after losing the broker; in that case jobs continue.
        if state.should_stop is not None or state.should_terminate is not None:
            release_jobs(self.pids | set(children()))

    def beat(self, queues: list[str]) -> None:
        """Report the state of the machine, and send a pulse to each idle queue."""
        self.pids |= set(children())
        try:
            heartbeat.show_host(queue.this_host(), machine_state(queues))
            for name in queues:
                if heartbeat.may_pulse(name):
                    app.send_task(pulse.name, queue=name, expires=10, retry=False)
        except (redis.RedisError, OperationalError, OSError) as error:
            logger.warning("Heartbeat not written", extra={"reason": type(error).__name__})

    def sweep_folder(self) -> None:
        """Remove files of killed workers of this machine, in a thread, because they may be gigabytes."""
        threading.Thread(target=disk.sweep_work_folder, name="work folder", daemon=True).start()


def machine_state(queues: list[str]) -> dict[str, Any]:
    """Return the state of this machine for ``/readyz``."""
    free = disk.measure()
    return {
        "queues": queues,
        "free_bytes": free.free_bytes,
        "disk": free.missing,
        "sandbox": layer_reasons(),
    }


def release_jobs(pids: set[int]) -> None:
    """Release the jobs of these processes; after ``leased_work.RELEASED_PAUSE`` others may claim them."""
    try:
        count = queue.release(pids) + transcriptions.release(pids)
    except DatabaseError:
        logger.warning("Jobs not released: the database does not answer, and their leases will expire")
        return
    finally:
        connection.close()
    if count:
        logger.info("Jobs released", extra={"count": count})
