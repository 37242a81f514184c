"""Heartbeats of processes in Redis, and the state of each machine.

A worker's parent process lives on while its pool is frozen, so heartbeats come from
executed work: each task (:class:`LivelyTask`), each step of a running encode, each
tick of beat.  An idle queue gets a small task every few seconds (:func:`may_pulse`).
Each heartbeat expires by itself.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import redis
from celery import Task
from celery.beat import PersistentScheduler
from django.conf import settings

from common.redis_clients import shared_client

logger = logging.getLogger(__name__)

HEARTBEAT_LIFETIME_S = 15
# A busy process writes no more often than this.
SHOWN_EVERY_S = 1.0
PULSE_EVERY_S = 3
HEARTBEAT_KEY = "health:{role}"
PULSE_KEY = "health:pulse:{queue}"
HOSTS_KEY = "health:hosts"
HOST_NAMED_FOR_S = 60.0
QUEUES = ("default", "encode")

_shown_at: dict[str, float] = {}
# The queue of the task that this process executes; one at most.
_executed_queue: list[str] = []


def show_life(*roles: str) -> None:
    """Write a heartbeat of these roles.  Raise ``redis.RedisError``."""
    pipeline = _redis().pipeline(transaction=False)
    for role in roles:
        pipeline.set(HEARTBEAT_KEY.format(role=role), 1, ex=HEARTBEAT_LIFETIME_S)
    pipeline.execute()


def show_progress() -> None:
    """Write a heartbeat of the running task's queue; cheap, and an outage of Redis is only logged."""
    if _executed_queue:
        show_now_and_then("worker", f"queue-{_executed_queue[-1]}")


def show_now_and_then(*roles: str) -> None:
    """Write a heartbeat of these roles, at most every ``SHOWN_EVERY_S``; errors are only logged."""
    now = time.monotonic()
    if now - _shown_at.get(roles[-1], float("-inf")) < SHOWN_EVERY_S:
        return
    _shown_at[roles[-1]] = now
    try:
        show_life(*roles)
    except redis.RedisError as error:
        logger.warning("Heartbeat not written", extra={"roles": roles, "reason": type(error).__name__})


def show_host(name: str, state: dict[str, Any]) -> None:
    """Write the state of this machine.  Raise ``redis.RedisError``."""
    _redis().hset(HOSTS_KEY, name, json.dumps(state | {"at": time.time()}))


def read_hosts() -> dict[str, dict[str, Any]]:
    """Return the state of each machine that reported lately, by name.  Raise ``redis.RedisError``."""
    return fresh_hosts(_redis().hgetall(HOSTS_KEY))


def fresh_hosts(found: Mapping[Any, Any]) -> dict[str, dict[str, Any]]:
    """Return the states of ``HOSTS_KEY`` that are at most ``HOST_NAMED_FOR_S`` old, by name."""
    states = {
        name.decode() if isinstance(name, bytes) else name: json.loads(state) for name, state in found.items()
    }
    since = time.time() - HOST_NAMED_FOR_S
    return {name: state for name, state in sorted(states.items()) if state["at"] > since}


def may_pulse(queue: str) -> bool:
    """Return whether it is this process's turn to send a queue its pulse.  Raise ``redis.RedisError``."""
    client = _redis()
    return bool(client.set(PULSE_KEY.format(queue=queue), 1, nx=True, ex=PULSE_EVERY_S))


def _redis() -> redis.Redis:
    return shared_client(settings.REDIS_URL)


class LivelyTask(Task[Any, Any]):
    """Base of all tasks; it writes a heartbeat of the task's queue."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        queue = (self.request.delivery_info or {}).get("routing_key")
        _executed_queue[:] = [queue] if queue in QUEUES else []
        show_progress()


class LivelyScheduler(PersistentScheduler):
    """Celery's scheduler with a heartbeat at each tick."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        show_now_and_then("beat")
        return super().tick(*args, **kwargs)
