"""Turns of publishers: two encoders with one key, and one that reconnects after *End*.

The newest publisher wins, because a streamer whose network changed must not wait for
a dead connection.  Two encoders that both reconnect by themselves would replace each
other without end.  So an encoder that replaced a sending publisher keeps its place
until no other has tried for ``CONTESTED_FOR_S``.

A broadcast that was ended in the studio stays ended while its encoder reconnects.
Encoders wait longer after each attempt, so the required pause grows as well.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from live import ingest_presence
from live.ingest.server import PublisherRefused
from live.models import Broadcast, Stream
from live.rtmp.session import REJECTED

logger = logging.getLogger(__name__)

CONTESTED_FOR_S = 60
# An ingest reports its publisher every ``KEEP_ALIVE_S``; after a little longer, it may be gone.
HEARD_WITHIN_S = ingest_presence.KEEP_ALIVE_S * 1.5
REST_S = 30
# OBS waits 1.5 times as long after each attempt, FFmpeg twice as long.
REST_GROWTH = 2
MAX_REST_S = 900

IN_USE = "Another encoder is live with this key. Stop it first, or create a new key in the live studio."
ENDED_IN_STUDIO = (
    "This broadcast was ended in the live studio. To go live again, stop your encoder "
    "and restart it after {seconds} seconds."
)


def check(stream: Stream, are_sending: Mapping[str, bool]) -> None:
    """Raise Refused if a publisher with the stream's key has to wait.

    ``are_sending`` holds for each connection of this process whether it is sending.
    """
    newest = stream.broadcasts.order_by("-pk").first()
    if newest is None:
        return
    if newest.status == Broadcast.Status.LIVE:
        _check_place(newest, are_sending.get(newest.connection_id))
    elif newest.ending == Broadcast.Ending.STOPPED:
        _check_rest(stream, newest)


def is_contested(broadcast: Broadcast) -> bool:
    """Return whether a second encoder has connected with the key while the first was sending."""
    return cache.get(_contest(broadcast)) is not None


def _contest(broadcast: Broadcast) -> str:
    return f"live:contested:{broadcast.public_id}"


def _check_place(broadcast: Broadcast, is_sending: bool | None) -> None:
    """Raise Refused if the earlier publisher keeps its place; ``is_sending`` is None in another process."""
    if is_sending is None:
        since = timezone.now() - timedelta(seconds=HEARD_WITHIN_S)
        is_sending = broadcast.heard_at is not None and broadcast.heard_at > since
    if not is_sending:
        return
    was_contested = is_contested(broadcast)
    cache.set(_contest(broadcast), 1, CONTESTED_FOR_S)
    logger.info(
        "Second encoder with the same key",
        extra={"broadcast": broadcast.public_id, "is_refused": was_contested},
    )
    if was_contested:
        raise PublisherRefused(REJECTED, IN_USE)


def _check_rest(stream: Stream, broadcast: Broadcast) -> None:
    if broadcast.ended_at is None or (stream.key_created_at and stream.key_created_at > broadcast.ended_at):
        return  # a new key replaces the wait
    key = f"live:rest:{broadcast.public_id}"
    last_at, rest_s = cache.get(key) or (broadcast.ended_at.timestamp(), REST_S)
    now = timezone.now().timestamp()
    if now - last_at >= rest_s:
        return
    rest_s = min(MAX_REST_S, max(REST_S, math.ceil(REST_GROWTH * (now - last_at))))
    cache.set(key, [now, rest_s], rest_s)
    raise PublisherRefused(REJECTED, ENDED_IN_STUDIO.format(seconds=rest_s))
