"""What a dead ingest left behind (stub)."""

from live.models import Broadcast


def store_tail(broadcast: Broadcast) -> None: ...
