"""What a dead ingest left behind: everything that viewers could see becomes part of the recording."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator

import redis
from django.conf import settings

from live import edge
from live.edge import TailSegment
from live.ingest.recorder import LiveSegment, RecordingWriter, join
from live.models import Broadcast
from videoplatform import storage
from videos.services.recordings import RecordedRendition, RecordingClosed

logger = logging.getLogger(__name__)

LOCK = "live:recovering:{broadcast}"
LOCKED_S = 30


def store_tail(broadcast: Broadcast) -> None:
    """Do what :func:`recover` does; where Redis or storage does not answer, that may be lost."""
    try:
        recover(broadcast)
    except (*storage.StorageError, redis.RedisError) as error:
        logger.warning(
            "The end of a broadcast was not recovered",
            extra={"broadcast": broadcast.public_id, "reason": type(error).__name__},
        )


def recover(broadcast: Broadcast, *, before_msn: int | None = None) -> None:
    """Store and list what the edge still holds beyond what the recording lists.

    ``before_msn`` is where the caller's own segments begin, if it goes on with the
    broadcast.  Safe to repeat, and while another does the same: a segment is
    listed once.  Raises RedisError, also where somebody else is at it, and StorageError.
    """
    with (
        redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=3, socket_timeout=3) as client,
        # One at a time: they would take the recording from each other.
        client.lock(LOCK.format(broadcast=broadcast.public_id), timeout=LOCKED_S, blocking=False),
    ):
        _recover(broadcast, before_msn)


def _recover(broadcast: Broadcast, before_msn: int | None) -> None:
    fresh = Broadcast.objects.select_related("recording").filter(pk=broadcast.pk).first()
    if fresh is None or fresh.recording is None or not fresh.renditions_json:
        return
    renditions = recorded_renditions(fresh)
    tail = edge.tail(fresh.public_id, fresh.recorded_msn)
    old = [piece for piece in tail if before_msn is None or piece.msn < before_msn]
    segments = list(whole(old, [rendition.name for rendition in renditions]))
    writer = RecordingWriter(fresh, renditions, gives_way=True)
    try:
        for joined in join(segments):
            writer.write(joined)
    except RecordingClosed:
        return
    if segments:
        logger.info("Recovered", extra={"broadcast": fresh.public_id, "segments": len(segments)})


def whole(tail: Iterable[TailSegment], names: list[str]) -> Iterator[LiveSegment]:
    """The segments of a tail that every rendition has, in order."""
    by_msn: dict[int, dict[str, TailSegment]] = defaultdict(dict)
    for piece in tail:
        if piece.data and piece.init:
            by_msn[piece.msn][piece.rendition] = piece
    for msn, pieces in sorted(by_msn.items()):
        if all(name in pieces for name in names):
            yield LiveSegment(
                msn,
                max(piece.duration_s for piece in pieces.values()),
                any(piece.is_discontinuous for piece in pieces.values()),
                min(piece.starts_at for piece in pieces.values()),
                {name: pieces[name].init for name in names},
                {name: pieces[name].data for name in names},
            )


def recorded_renditions(broadcast: Broadcast) -> list[RecordedRendition]:
    """What ``renditions_json`` says, as the recording lists it."""
    return [RecordedRendition(**fields) for fields in broadcast.renditions_json]
