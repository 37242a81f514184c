"""Recovery after a dead ingest: all segments that viewers could see are added to the recording."""

from __future__ import annotations

import logging
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator

import redis
from django.conf import settings
from redis.lock import Lock

from accounts import sweeps
from common import storage
from live.edge.tail import TailSegment, read_tail
from live.models import Broadcast
from live.recording import spool
from live.recording.assembler import LiveSegment, RecordedSegment, join
from live.recording.spool import SpooledSegment
from live.recording.writer import RecordingWriter
from live.redis_connections import new_edge_client
from videos.models import Video
from videos.services.recordings import RecordedRendition, RecordingClosed

logger = logging.getLogger(__name__)

LOCK = "live:recovering:{broadcast}"
# Renewed before each segment, so it outlasts the storing of one.
LOCKED_S = 120


def store_tail(broadcast: Broadcast) -> bool:
    """Call :func:`recover`; return False if storage or Redis is away, as the sweep tries again."""
    try:
        recover(broadcast)
    except (*storage.StorageError, redis.RedisError) as error:
        logger.warning(
            "End of broadcast not recovered",
            extra={"broadcast": broadcast.public_id, "reason": type(error).__name__},
        )
        return False
    return True


class SpooledElsewhere(redis.exceptions.LockError):
    """Error: segments are on another host's disk, or a process of this host is still storing them."""


def store_left_behind() -> None:
    """Store the segments that dead processes left on this disk; on failure, they stay there."""
    names = spool.left_behind()
    broadcasts = Broadcast.objects.filter(public_id__in=names, recording__isnull=False)
    for unknown in names.difference(broadcasts.values_list("public_id", flat=True)):
        spool.forget(unknown)
    sweeps.each("recover segments", broadcasts, _store_left_behind, at_most=len(names))


def _store_left_behind(broadcast: Broadcast) -> None:
    # A publisher that has continued the broadcast stores its own segments.
    is_live = broadcast.status == Broadcast.Status.LIVE
    try:
        recover(broadcast, before_msn=broadcast.first_msn if is_live else None)
    except (*storage.StorageError, redis.RedisError) as error:
        extra = {"broadcast": broadcast.public_id, "reason": type(error).__name__}
        logger.warning("Segments stay on disk", extra=extra)


def recover(broadcast: Broadcast, *, before_msn: int | None = None) -> None:
    """Store and list the unlisted segments on this disk and in the edge.

    ``before_msn`` is the caller's own first segment, if it continues the broadcast.
    Safe to repeat and to run in parallel: a segment is listed once.  Raises
    StorageError, and RedisError, also if another recovery is running.
    """
    with (
        new_edge_client() as client,
        # One at a time: parallel writers would take the recording from each other.
        client.lock(
            LOCK.format(broadcast=broadcast.public_id),
            timeout=LOCKED_S,
            blocking=False,
            # A lock that ran out during the last segment changes nothing: what is listed is listed.
            raise_on_release_error=False,
        ) as lock,
    ):
        _recover(broadcast, before_msn, lock)


def _recover(broadcast: Broadcast, before_msn: int | None, lock: Lock) -> None:
    if spool.is_held(broadcast.public_id, before_msn=sys.maxsize if before_msn is None else before_msn):
        # The edge's segments follow those on that disk.
        raise SpooledElsewhere("segments of this broadcast wait on a disk that is not at hand")
    with spool.leftovers(broadcast.public_id) as spooled:
        _store(broadcast, list(_understood(spooled)), before_msn, lock)
    # Also a folder without a readable segment, which would keep the recording unfinished.
    fresh = Broadcast.objects.filter(pk=broadcast.pk, recording__status=Video.Status.PROCESSING).first()
    spool.forget(broadcast.public_id, up_to_msn=fresh.recorded_msn if fresh else None)


def _understood(spooled: Iterable[SpooledSegment]) -> Iterator[LiveSegment]:
    for left in spooled:
        try:
            yield LiveSegment.of_disk(left)
        except (KeyError, TypeError, ValueError):
            logger.exception("Segment on disk skipped", extra={"msn": left.msn})


def _store(broadcast: Broadcast, spooled: list[LiveSegment], before_msn: int | None, lock: Lock) -> None:
    """Store segments, and keep ``lock`` meanwhile.  Raises StorageError, and RedisError if it is lost."""
    fresh = Broadcast.objects.select_related("recording").filter(pk=broadcast.pk).first()
    if fresh is None or fresh.recording is None or not fresh.renditions_json:
        return
    renditions = recorded_renditions(fresh)
    tail = read_tail(fresh.public_id, fresh.recorded_msn)
    found = {segment.msn: segment for segment in whole(tail, [rendition.name for rendition in renditions])}
    found |= {segment.msn: segment for segment in spooled}
    segments = [found[msn] for msn in sorted(found) if before_msn is None or msn < before_msn]
    writer = RecordingWriter(fresh, renditions, gives_way=True)
    try:
        for joined in join(segments):
            lock.reacquire()
            _write(writer, joined)
    except RecordingClosed:
        return
    except storage.StorageError:
        _keep(fresh, segments)
        raise
    if segments:
        logger.info("Recovered", extra={"broadcast": fresh.public_id, "segments": len(segments)})


def _write(writer: RecordingWriter, joined: RecordedSegment) -> None:
    """Store a recorded segment; one that cannot be read becomes a gap, so that it does not stop the rest."""
    try:
        writer.write(joined)
    except spool.Unreadable as error:
        logger.exception("Gap in a recording", extra={"path": str(error), "seconds": joined.duration_s})
        joined.set_aside()


def _keep(broadcast: Broadcast, segments: list[LiveSegment]) -> None:
    """Move segments that only the edge has to disk: the edge may expire before storage answers again."""
    folder = spool.Spool(settings.LIVE_SPOOL_BYTES).folder(broadcast.public_id)
    try:
        for segment in segments:
            if not segment.is_on_disk:
                segment.spill(folder)
    except spool.SpoolFull:
        logger.warning(
            "Not enough disk space to recover the end of a broadcast",
            extra={"broadcast": broadcast.public_id},
        )
    finally:
        folder.close()


def whole(tail: Iterable[TailSegment], names: list[str]) -> Iterator[LiveSegment]:
    """Yield, in order, the segments of a tail that every rendition has."""
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
    """Return ``renditions_json`` as the recording's renditions."""
    return [RecordedRendition(**fields) for fields in broadcast.renditions_json]
