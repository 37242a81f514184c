"""A room's log in Redis (stub)."""

from typing import Any

from live.models import Stream


def announce(stream: Stream, event: dict[str, Any]) -> None: ...
