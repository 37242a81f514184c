"""The life of a broadcast: begun, interrupted, continued, ended.

Every change is a conditional UPDATE that names the connection it speaks for, so
what an older connection still says changes nothing.  Viewers hear of it through
their chat's room, players through the live edge.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import notifications
from live import edge, liveness
from live.chat import log as chat_log
from live.ingest import recovery
from live.models import Broadcast, Stream, new_access_key
from videos.models import Video
from videos.services import recordings

logger = logging.getLogger(__name__)

SWEPT_AT_ONCE = 100


def grace() -> timedelta:
    """How long we wait for a publisher that dropped."""
    return timedelta(seconds=settings.LIVE_GRACE_S)


# --- By an ingest -----------------------------------------------------------------


def begin(stream: Stream, *, connection_id: str, source: dict[str, Any]) -> Broadcast:
    """Go on air, or continue what the stream's last publisher left; the newest publisher wins.

    A running broadcast goes on, and one that its encoder ended within the grace
    period is taken up again.  Whoever published it before is told to let go.
    """
    with transaction.atomic():
        current = stream.broadcasts.select_for_update().select_related("recording").order_by("-pk").first()
        if current and _can_continue(current):
            broadcast = _continue(current, connection_id, source)
        else:
            broadcast = _start(stream, connection_id, source)
            _tell_followers(broadcast)
        Stream.objects.filter(pk=stream.pk).update(key_used_at=timezone.now())
    liveness.show_alive(broadcast.public_id, connection_id)
    liveness.tell_ingests(broadcast.public_id, keep=connection_id)
    announce(broadcast)
    logger.info("On air", extra={"broadcast": broadcast.public_id, "stream": stream.pk})
    return broadcast


def _can_continue(broadcast: Broadcast) -> bool:
    if broadcast.is_running:
        return True
    said_goodbye = broadcast.ending == Broadcast.Ending.UNPUBLISHED
    is_recent = broadcast.ended_at is not None and broadcast.ended_at > timezone.now() - grace()
    return said_goodbye and is_recent and (broadcast.recording_id is not None) == broadcast.stream.record


def _start(stream: Stream, connection_id: str, source: dict[str, Any]) -> Broadcast:
    recording = None
    if stream.record:
        recording = recordings.start_recording(
            channel=stream.channel,
            title=str(stream.shown_title),
            category=stream.category,
            visibility=stream.visibility,
        )
    return Broadcast.objects.create(
        stream=stream,
        connection_id=connection_id,
        started_at=timezone.now(),
        source_json=source,
        recording=recording,
    )


def _tell_followers(broadcast: Broadcast) -> None:
    """Whoever follows the channel hears of a public broadcast, once."""
    stream = broadcast.stream
    if stream.visibility == Video.Visibility.PUBLIC:
        notifications.tell_followers(
            stream.channel,
            kind="channel_live",
            data={"name": stream.channel.name, "title": str(stream.shown_title)},
            url=stream.get_absolute_url(),
            key=f"live:{broadcast.public_id}",
        )


def _continue(broadcast: Broadcast, connection_id: str, source: dict[str, Any]) -> Broadcast:
    if broadcast.recording and not broadcast.is_running:
        recordings.reopen_recording(broadcast.recording)
    broadcast.status = Broadcast.Status.LIVE
    broadcast.ending = ""
    broadcast.ended_at = broadcast.interrupted_at = None
    broadcast.connection_id = connection_id
    broadcast.source_json = source
    broadcast.save(
        update_fields=["status", "ending", "ended_at", "interrupted_at", "connection_id", "source_json"]
    )
    return broadcast


def keep_alive(broadcast_pk: int, connection_id: str) -> bool:
    """Say that ``connection_id`` still publishes; false when it no longer should.

    Takes back an interruption that was declared while Redis did not hear us.
    """
    mine = Broadcast.objects.running().filter(pk=broadcast_pk, connection_id=connection_id)
    broadcast = mine.select_related("stream__channel__owner").first()
    if broadcast is None or not broadcast.stream.can_publish():
        return False
    liveness.show_alive(broadcast.public_id, connection_id)
    if broadcast.status == Broadcast.Status.RECONNECTING:
        mine.update(status=Broadcast.Status.LIVE, interrupted_at=None)
        broadcast.status = Broadcast.Status.LIVE
        announce(broadcast)
    return True


def interrupt(broadcast_pk: int, connection_id: str) -> bool:
    """The publisher is gone without a word: wait for it; false if it was not the one that counts."""
    interrupted = Broadcast.objects.filter(
        pk=broadcast_pk, connection_id=connection_id, status=Broadcast.Status.LIVE
    )
    if not interrupted.update(status=Broadcast.Status.RECONNECTING, interrupted_at=timezone.now()):
        return False
    broadcast = Broadcast.objects.select_related("stream__channel__owner").get(pk=broadcast_pk)
    liveness.forget_alive(broadcast.public_id)
    announce(broadcast)
    logger.info("Publisher gone, waiting", extra={"broadcast": broadcast.public_id})
    return True


def unpublish(broadcast_pk: int, connection_id: str) -> bool:
    """The encoder said goodbye and everything it sent is stored; false if it was not the one that counts."""
    mine = Broadcast.objects.running().filter(pk=broadcast_pk, connection_id=connection_id)
    broadcast = mine.select_related("stream__channel__owner", "recording").first()
    return broadcast is not None and end(broadcast, Broadcast.Ending.UNPUBLISHED, connection_id=connection_id)


def release(broadcast_pk: int, connection_id: str, *, said_goodbye: bool) -> None:
    """An ingest lets go of a broadcast, with everything it had in hand stored.

    Ends it where the encoder said goodbye, waits for the encoder where it did
    not, and completes the recording where somebody ended the broadcast meanwhile.
    A connection that was replaced changes nothing.
    """
    if said_goodbye and unpublish(broadcast_pk, connection_id):
        return
    if interrupt(broadcast_pk, connection_id):
        return
    ended = Broadcast.objects.filter(
        pk=broadcast_pk, connection_id=connection_id, status=Broadcast.Status.ENDED
    )
    for broadcast in ended.select_related("stream"):
        complete_recording(broadcast)


# --- By people and by the sweeper -----------------------------------------------------


def end(broadcast: Broadcast, ending: str, *, connection_id: str | None = None) -> bool:
    """Take a broadcast off the air; false if it had ended already.

    The ingest that still holds a publisher hears of it, stores what it has in
    hand and completes the recording; without one the recording is complete now.
    """
    running = Broadcast.objects.running().filter(pk=broadcast.pk)
    if connection_id is not None:
        running = running.filter(connection_id=connection_id)
    fields = {"status": Broadcast.Status.ENDED, "ending": ending, "ended_at": timezone.now()}
    if not running.update(**fields):
        return False
    for name, value in fields.items():
        setattr(broadcast, name, value)
    liveness.tell_ingests(broadcast.public_id)
    edge.end(broadcast.public_id)
    announce(broadcast)
    # An ingest with a publisher in hand still stores its last seconds.
    if ending == Broadcast.Ending.UNPUBLISHED or not liveness.is_alive(broadcast.public_id):
        complete_recording(broadcast)
    logger.info("Off the air", extra={"broadcast": broadcast.public_id, "ending": ending})
    return True


def complete_recording(broadcast: Broadcast) -> None:
    """Turn what was recorded into a video that is ready; a broadcast without a picture leaves none."""
    liveness.forget_alive(broadcast.public_id)
    recording = Video.objects.filter(broadcast=broadcast).select_related("channel__owner").first()
    if recording is not None:
        recordings.finish_recording(
            recording, visibility=broadcast.stream.visibility, poster_key=broadcast.poster_key
        )


def cut_off(broadcast: Broadcast) -> None:
    """Close whoever publishes, as their key no longer counts; the broadcast waits for the new one."""
    liveness.tell_ingests(broadcast.public_id)


def change_access(broadcast: Broadcast) -> None:
    """Turn away everyone who holds the old way to its media, as its visibility has changed."""
    broadcast.access_key = new_access_key()
    broadcast.save(update_fields=["access_key"])
    edge.set_access(broadcast.public_id, broadcast.access)


def announce(broadcast: Broadcast) -> None:
    """Tell the room what its stream is now: ``live``, ``reconnecting`` or ``offline``."""
    status = broadcast.status if broadcast.is_running else "offline"
    chat_log.announce(broadcast.stream, {"type": "broadcast", "status": status})


def sweep() -> None:
    """Find publishers whose ingest died, give up on those who did not return, leave no recording open."""
    now = timezone.now()
    broadcasts = Broadcast.objects.select_related("stream__channel__owner", "recording")
    quiet_since = now - timedelta(seconds=liveness.ALIVE_FOR_S)
    live = broadcasts.filter(status=Broadcast.Status.LIVE, started_at__lt=quiet_since)
    for broadcast in live[:SWEPT_AT_ONCE]:
        if not liveness.is_alive(broadcast.public_id) and interrupt(broadcast.pk, broadcast.connection_id):
            recovery.store_tail(broadcast)
    overdue = broadcasts.filter(status=Broadcast.Status.RECONNECTING, interrupted_at__lt=now - grace())
    for broadcast in overdue[:SWEPT_AT_ONCE]:
        end(broadcast, Broadcast.Ending.TIMED_OUT)
    unfinished = broadcasts.filter(
        status=Broadcast.Status.ENDED, recording__status=Video.Status.PROCESSING, ended_at__lt=quiet_since
    )
    for broadcast in unfinished[:SWEPT_AT_ONCE]:
        if not liveness.is_alive(broadcast.public_id):
            recovery.store_tail(broadcast)
            complete_recording(broadcast)
