"""Life of a broadcast: begun, interrupted, continued, ended.

Changes by an ingest are conditional on its connection, so those of a replaced
connection have no effect.  Viewers are informed through the chat room, players
through the live edge.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone
from redis.exceptions import RedisError

from accounts import notifications, sweeps
from common import deletion
from live import ingest_presence, stream_state
from live.chat import log as chat_log
from live.edge import control
from live.models import Broadcast, Stream, new_access_key, recording_title
from live.recording import recovery, spool
from videos.models import Video
from videos.room import keeps_enough
from videos.services import recordings

logger = logging.getLogger(__name__)

SWEPT_AT_ONCE = 100
BEGUN = "live"  # the event of a notification


class Standing(Enum):
    """Permission of a publisher to go on, or the reason against it."""

    GOOD = auto()
    KEY_CHANGED = auto()
    SUSPENDED = auto()
    STORAGE_LIMIT = auto()
    REPLACED = auto()
    ENDED = auto()


class MayNotPublish(Exception):
    """Refusal of an admitted publisher that may not go on air any more."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(standing.name)
        self.standing = standing


def grace() -> timedelta:
    """Return the time that a broadcast waits for its publisher to reconnect."""
    return timedelta(seconds=settings.LIVE_GRACE_S)


def begin(
    stream: Stream,
    *,
    connection_id: str,
    source: dict[str, Any],
    admitted_at: datetime | None = None,
) -> Broadcast:
    """Begin a broadcast, or continue the stream's last one; the newest publisher wins.

    ``stream`` is its state when the key was checked.  It is read again and locked,
    because it may have become private, or its key have been revoked, in the seconds
    since.  A publisher that was admitted before a person ended the stream's broadcast
    begins no other.  Raises MayNotPublish.

    A running broadcast is continued, and so is one that its encoder ended within the
    grace period.  The previous publisher is disconnected.  A channel at its storage
    limit begins no broadcast that is recorded.
    """
    with transaction.atomic():
        stream = _still_admitted(stream)
        # Only the broadcast: PostgreSQL cannot lock the nullable side of the join.
        broadcasts = stream.broadcasts.select_for_update(of=("self",)).select_related("recording")
        current = broadcasts.order_by("-pk").first()
        if current and _was_ended_since(current, admitted_at):
            raise MayNotPublish(Standing.ENDED)
        if current and _can_continue(current):
            broadcast = _continue(current, stream, connection_id, source)
        else:
            broadcast = _start(stream, connection_id, source)
            _notify_followers(broadcast)
        Stream.objects.filter(pk=stream.pk).update(key_used_at=timezone.now())
    ingest_presence.disconnect_publishers(broadcast.public_id, keep=connection_id)
    publish_state(broadcast)
    logger.info("Broadcast started", extra={"broadcast": broadcast.public_id, "stream": stream.pk})
    return broadcast


def _still_admitted(stream: Stream) -> Stream:
    """Return the current state of ``stream``, locked.  Raises MayNotPublish."""
    locked = Stream.objects.select_for_update(of=("self",)).select_related("channel__owner")
    fresh = locked.filter(pk=stream.pk).first()
    standing = Standing.KEY_CHANGED if fresh is None else _standing(fresh, stream.key_digest)
    if fresh is None or standing is not Standing.GOOD:
        raise MayNotPublish(standing)
    return fresh


def _standing(stream: Stream, key_digest: str | None) -> Standing:
    """Return whether a publisher with this key may go on."""
    if stream.key_digest != key_digest:
        return Standing.KEY_CHANGED
    return Standing.GOOD if stream.can_publish() else Standing.SUSPENDED


def _can_continue(broadcast: Broadcast) -> bool:
    if broadcast.is_running:
        return True
    has_unpublished = broadcast.ending == Broadcast.Ending.UNPUBLISHED
    is_recent = broadcast.ended_at is not None and broadcast.ended_at > timezone.now() - grace()
    return has_unpublished and is_recent and (broadcast.recording_id is not None) == broadcast.stream.record


def _was_ended_since(broadcast: Broadcast, admitted_at: datetime | None) -> bool:
    if broadcast.ending != Broadcast.Ending.STOPPED or broadcast.ended_at is None or admitted_at is None:
        return False
    return broadcast.ended_at > admitted_at


def _start(stream: Stream, connection_id: str, source: dict[str, Any]) -> Broadcast:
    recording = None
    if stream.record:
        if keeps_enough(stream.channel):
            raise MayNotPublish(Standing.STORAGE_LIMIT)
        recording = recordings.start_recording(
            channel=stream.channel,
            title=recording_title(stream, timezone.now()),
            category=stream.category,
            visibility=stream.visibility,
        )
    return Broadcast.objects.create(
        stream=stream,
        connection_id=connection_id,
        started_at=timezone.now(),
        heard_at=timezone.now(),
        source_json=source,
        rungs_json=settings.LIVE_RUNGS,
        recording=recording,
    )


def _notify_followers(broadcast: Broadcast) -> None:
    """Notify the channel's followers of a public broadcast, once."""
    stream = broadcast.stream
    if stream.visibility == Video.Visibility.PUBLIC:
        notifications.notify_followers(
            stream.channel,
            kind="channel_live",
            data={"name": stream.channel.name, "title": str(stream.shown_title)},
            url=stream.get_absolute_url(),
            key=f"{BEGUN}:{broadcast.public_id}",
        )


def register_check() -> None:
    """Let the notifications of a broadcast stop once followers can no longer watch it."""
    notifications.register_check(
        BEGUN, lambda public_id: Stream.objects.on_air().filter(broadcasts__public_id=public_id).exists()
    )


def _continue(broadcast: Broadcast, stream: Stream, connection_id: str, source: dict[str, Any]) -> Broadcast:
    broadcast.stream = stream
    if broadcast.recording and not broadcast.is_running:
        recordings.reopen_recording(broadcast.recording)
        if stream.visibility == Video.Visibility.PRIVATE:
            # The stream may have become private while no broadcast ran.
            still_open = Video.objects.filter(visibility__in=Video.OPEN, publish_at=None)
            still_open.filter(pk=broadcast.recording.pk).update(visibility=stream.visibility)
    broadcast.status = Broadcast.Status.LIVE
    broadcast.ending = ""
    broadcast.ended_at = broadcast.interrupted_at = None
    broadcast.connection_id = connection_id
    broadcast.source_json = source
    broadcast.heard_at = timezone.now()
    broadcast.generation += 1
    broadcast.first_msn = None
    broadcast.save(
        update_fields=[
            "status", "ending", "ended_at", "interrupted_at", "connection_id", "source_json", "generation",
            "first_msn", "heard_at",
        ]
    )  # fmt: skip
    return broadcast


def keep_alive(broadcast_pk: int, connection_id: str, *, key_digest: str | None) -> Standing:
    """Record that ``connection_id`` still publishes, and return whether it may.

    This makes up for lost commands: it checks the publisher's key, the owner's account
    and the stream's suspension, and corrects the access of the edge.  It undoes an
    interruption that was declared while the ingest could not reach SQL.
    """
    broadcast = Broadcast.objects.select_related("stream__channel__owner").filter(pk=broadcast_pk).first()
    if broadcast is None or not broadcast.is_running:
        return Standing.ENDED
    if broadcast.connection_id != connection_id:
        return Standing.REPLACED
    standing = _standing(broadcast.stream, key_digest)
    if standing is not Standing.GOOD:
        return standing
    mine = Broadcast.objects.running().filter(pk=broadcast_pk, connection_id=connection_id)
    mine.update(heard_at=timezone.now())
    if broadcast.status == Broadcast.Status.RECONNECTING:
        mine.update(status=Broadcast.Status.LIVE, interrupted_at=None)
        broadcast.status = Broadcast.Status.LIVE
        publish_state(broadcast)
    try:
        control.correct_access(broadcast.public_id, broadcast.access)
    except RedisError:
        logger.warning("Edge not checked: Redis does not answer", extra={"broadcast": broadcast.public_id})
    return Standing.GOOD


def interrupt(broadcast_pk: int, connection_id: str) -> bool:
    """Make a broadcast wait for a lost publisher; return False if the connection is not the current one."""
    interrupted = Broadcast.objects.filter(
        pk=broadcast_pk, connection_id=connection_id, status=Broadcast.Status.LIVE
    )
    now = timezone.now()
    if not interrupted.update(status=Broadcast.Status.RECONNECTING, interrupted_at=now, heard_at=None):
        return False
    broadcast = Broadcast.objects.select_related("stream__channel__owner").get(pk=broadcast_pk)
    publish_state(broadcast)
    logger.info("Publisher disconnected, waiting", extra={"broadcast": broadcast.public_id})
    return True


def keep_storing(broadcast_pk: int, connection_id: str) -> None:
    """Record that an ingest still stores segments, whether or not the broadcast is running."""
    ours = Broadcast.objects.filter(pk=broadcast_pk, connection_id=connection_id)
    ours.update(heard_at=timezone.now())


def end_before_stored(broadcast_pk: int, connection_id: str, *, has_unpublished: bool) -> None:
    """End a broadcast that its encoder has ended, while storage does not answer.

    Its recording stays open until :func:`release`.
    """
    mine = Broadcast.objects.running().filter(pk=broadcast_pk, connection_id=connection_id)
    broadcast = mine.select_related("stream__channel__owner", "recording").first()
    if has_unpublished and broadcast is not None:
        end(broadcast, Broadcast.Ending.UNPUBLISHED, connection_id=connection_id, is_stored=False)


def unpublish(broadcast_pk: int, connection_id: str) -> bool:
    """End a broadcast that its encoder has ended, with everything stored.

    Return False if it is not running, or the connection is not the current one.
    """
    mine = Broadcast.objects.running().filter(pk=broadcast_pk, connection_id=connection_id)
    broadcast = mine.select_related("stream__channel__owner", "recording").first()
    return broadcast is not None and end(broadcast, Broadcast.Ending.UNPUBLISHED, connection_id=connection_id)


def release(broadcast_pk: int, connection_id: str, *, has_unpublished: bool) -> None:
    """Release a broadcast after its ingest has stored everything.

    End it if the encoder has ended it; otherwise wait for the encoder.  Complete the
    recording if the broadcast was ended in the meantime.  A replaced connection
    changes nothing.
    """
    Broadcast.objects.filter(pk=broadcast_pk, connection_id=connection_id).update(heard_at=None)
    if has_unpublished and unpublish(broadcast_pk, connection_id):
        return
    if interrupt(broadcast_pk, connection_id):
        return
    ended = Broadcast.objects.filter(
        pk=broadcast_pk, connection_id=connection_id, status=Broadcast.Status.ENDED
    )
    for broadcast in ended.select_related("stream"):
        complete_recording(broadcast)


def end(
    broadcast: Broadcast, ending: str, *, connection_id: str | None = None, is_stored: bool = True
) -> bool:
    """End a broadcast; return False if it had ended already.

    An ingest that still has a publisher disconnects it, stores the rest and completes
    the recording.  Without one the recording is completed after the commit, unless ``is_stored`` is
    False: then the caller completes it after the rest is stored.
    """
    running = Broadcast.objects.running().filter(pk=broadcast.pk)
    if connection_id is not None:
        running = running.filter(connection_id=connection_id)
    fields = {"status": Broadcast.Status.ENDED, "ending": ending, "ended_at": timezone.now()}
    if not running.update(**fields):
        return False
    for name, value in fields.items():
        setattr(broadcast, name, value)
    # A moderator's decision ends a broadcast in its own transaction.
    transaction.on_commit(lambda: _carry_out_end(broadcast, is_stored=is_stored))
    return True


def _carry_out_end(broadcast: Broadcast, *, is_stored: bool) -> None:
    ingest_presence.disconnect_publishers(broadcast.public_id)
    control.end(broadcast.public_id)
    publish_state(broadcast)
    # An ingest with a publisher still stores its last seconds.
    is_heard = Broadcast.objects.filter(pk=broadcast.pk, heard_at__gt=_quiet_since()).exists()
    if is_stored and (broadcast.ending == Broadcast.Ending.UNPUBLISHED or not is_heard):
        try:
            complete_recording(broadcast)
        except DatabaseError:
            # The end is committed, and so is the decision that it may belong to.
            logger.warning("Recording completed later", extra={"broadcast": broadcast.public_id})
    logger.info("Broadcast ended", extra={"broadcast": broadcast.public_id, "ending": broadcast.ending})


def forbid_continuing(broadcast: Broadcast) -> None:
    """Keep an ended broadcast from going on if its encoder comes back."""
    ended = Broadcast.objects.filter(pk=broadcast.pk, status=Broadcast.Status.ENDED)
    ended.update(ending=Broadcast.Ending.SUSPENDED)


def complete_recording(broadcast: Broadcast) -> None:
    """Turn the recording into a ready video; a recording without a frame is discarded.

    If nothing was recorded, the broadcast's poster is deleted.  A recording with
    segments on a disk is left to the sweep, which stores them first.
    """
    Broadcast.objects.filter(pk=broadcast.pk).update(heard_at=None)
    recording = Video.objects.filter(broadcast=broadcast).select_related("channel__owner").first()
    if recording is not None and spool.is_spooled(broadcast.public_id):
        return
    if recording is not None:
        recordings.finish_recording(recording, poster_key=broadcast.poster_key)
        replay = stream_state.replay_of(broadcast.stream)
        if replay["replay_broadcast_id"] == broadcast.public_id:  # for pages that showed the end
            transaction.on_commit(lambda: chat_log.publish(broadcast.stream, {"type": "stream", **replay}))
    else:
        _delete_poster(broadcast)


@transaction.atomic
def _delete_poster(broadcast: Broadcast) -> None:
    row = Broadcast.objects.filter(pk=broadcast.pk).exclude(poster_key="")
    for key in row.select_for_update().values_list("poster_key", flat=True):
        row.update(poster_key="")
        deletion.delete_later(key)


def cut_off(broadcast: Broadcast) -> None:
    """Disconnect the publisher after its key was revoked; the broadcast waits for the new key."""
    ingest_presence.disconnect_publishers(broadcast.public_id)


def change_access(broadcast: Broadcast) -> None:
    """Give the media a new access after a change of visibility, which invalidates the old one.

    Raises RedisError.
    """
    broadcast.access_key = new_access_key()
    broadcast.save(update_fields=["access_key"])
    control.set_access(broadcast.public_id, broadcast.access)


def publish_state(broadcast: Broadcast) -> None:
    """Publish the stream's state to its chat room, with all that a page shows (``stream_state.news``).

    SQL has the state already; if Redis does not answer, pages get it with their next request.
    """
    try:
        chat_log.publish(
            broadcast.stream, {"type": "broadcast", **stream_state.news(broadcast.stream, broadcast)}
        )
    except RedisError:
        logger.warning("Room not notified: Redis does not answer", extra={"broadcast": broadcast.public_id})


def _quiet_since() -> datetime:
    """Return the time after which a live ingest has been heard."""
    return timezone.now() - timedelta(seconds=ingest_presence.ALIVE_FOR_S)


def sweep() -> None:
    """Interrupt broadcasts of dead ingests, end those not continued, complete abandoned recordings.

    Each broadcast is handled separately (:mod:`accounts.sweeps`).
    """
    broadcasts = Broadcast.objects.select_related("stream__channel__owner", "recording")
    quiet = broadcasts.filter(Q(heard_at=None) | Q(heard_at__lt=_quiet_since()))
    silent = quiet.filter(status=Broadcast.Status.LIVE, started_at__lt=_quiet_since())
    sweeps.each("interrupt broadcasts", silent, _interrupt_silent, at_most=SWEPT_AT_ONCE)
    overdue = broadcasts.filter(
        status=Broadcast.Status.RECONNECTING, interrupted_at__lt=timezone.now() - grace()
    )
    sweeps.each("end broadcasts", overdue, _time_out, at_most=SWEPT_AT_ONCE)
    unfinished = quiet.filter(
        status=Broadcast.Status.ENDED,
        recording__status=Video.Status.PROCESSING,
        ended_at__lt=_quiet_since(),
    )
    sweeps.each("complete recordings", unfinished, _complete_abandoned, at_most=SWEPT_AT_ONCE)


def _interrupt_silent(broadcast: Broadcast) -> None:
    if interrupt(broadcast.pk, broadcast.connection_id):
        recovery.store_tail(broadcast)


def _time_out(broadcast: Broadcast) -> None:
    end(broadcast, Broadcast.Ending.TIMED_OUT, is_stored=False)
    if recovery.store_tail(broadcast):
        complete_recording(broadcast)


def _complete_abandoned(broadcast: Broadcast) -> None:
    """Complete a recording without an ingest; on an error the sweep tries again."""
    recovery.recover(broadcast)
    complete_recording(broadcast)
