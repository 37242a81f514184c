"""Errors of finished asyncio tasks."""

from __future__ import annotations

from asyncio import Task
from typing import Any


def error_of(task: Task[Any]) -> BaseException | None:
    """Return the exception that ended a finished task; None if it returned or was cancelled."""
    return None if task.cancelled() else task.exception()
