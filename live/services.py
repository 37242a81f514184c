"""Services for streams: key, settings, end.  Pages, API, admin and commands all call these."""

from __future__ import annotations

import hashlib
import logging
import secrets

from django.db import transaction
from django.utils import timezone

from accounts import moderation, sign_up
from accounts.errors import EmailNotConfirmed
from accounts.models import Case, Channel, User
from common.words import composed
from live import broadcasting, stream_state
from live.chat import log as chat_log
from live.errors import NotOnAir, StreamSuspended
from live.models import Broadcast, Stream, recording_title
from videos.models import MAX_TITLE, Video
from videos.services import recordings

logger = logging.getLogger(__name__)

KEY_PREFIX = "live_"
EDITABLE = ("title", "category", "visibility", "latency", "record")


def stream_of(channel: Channel) -> Stream:
    """Return the channel's stream, creating it on first use."""
    stream, _is_new = Stream.objects.get_or_create(channel=channel)
    stream.channel = channel
    return stream


def current_broadcast(stream: Stream) -> Broadcast | None:
    broadcast = stream.broadcasts.running().select_related("recording").first()
    if broadcast is not None:
        broadcast.stream = stream
    return broadcast


def digest_of(stream_key: str) -> str:
    return hashlib.sha256(stream_key.encode()).hexdigest()


def rotate_stream_key(stream: Stream) -> str:
    """Create and return a new key, and disconnect a publisher with the old one.

    The key cannot be read again.  Raises StreamSuspended, EmailNotConfirmed.
    """
    if not stream.can_publish():
        raise StreamSuspended
    if not sign_up.may_take_part(stream.channel.owner):
        raise EmailNotConfirmed
    key = KEY_PREFIX + secrets.token_urlsafe(20)
    _set_key(stream, digest_of(key))
    return key


def revoke_stream_key(stream: Stream) -> None:
    """Remove the stream's key and disconnect its publisher; going live needs a new key."""
    _set_key(stream, None)


@transaction.atomic
def _set_key(stream: Stream, digest: str | None) -> None:
    stream.key_digest = digest
    stream.key_created_at = timezone.now() if digest else None
    stream.key_used_at = None
    stream.save(update_fields=["key_digest", "key_created_at", "key_used_at"])
    if broadcast := current_broadcast(stream):
        transaction.on_commit(lambda: broadcasting.cut_off(broadcast))
    logger.info("Stream key changed", extra={"stream": stream.pk, "has_key": digest is not None})


def owner_of_key(stream_key: str) -> Stream | None:
    """Return the stream of a key, even if it may not go live; None for a wrong or revoked key.

    The database compares digests, so the duration of the query reveals nothing
    about any key.
    """
    streams = Stream.objects.select_related("channel__owner")
    return streams.filter(key_digest=digest_of(stream_key)).first()


@transaction.atomic
def edit_stream(stream: Stream, **fields: object) -> Stream:
    """Change any of ``EDITABLE``, also on the running broadcast and its recording."""
    # A form has already changed the instance.
    was = Stream.objects.select_for_update().values_list("visibility", flat=True).get(pk=stream.pk)
    for name, value in fields.items():
        if name not in EDITABLE:
            raise ValueError(f"{name} cannot be edited")
        setattr(stream, name, composed(str(value), MAX_TITLE) if name == "title" else value)
    if fields:
        stream.save(update_fields=list(fields))
    is_other_visibility = fields.get("visibility", was) != was
    if is_other_visibility:
        transaction.on_commit(lambda: chat_log.state_changed(stream))
    if stream_state.DESCRIBED & fields.keys():
        news = {"type": "stream", **stream_state.description(stream)}
        transaction.on_commit(lambda: chat_log.publish(stream, news))
    broadcast = current_broadcast(stream)
    if broadcast is None:
        return stream
    if broadcast.recording_id:
        recording = Video.objects.filter(pk=broadcast.recording_id)
        recordings.describe_recording(
            broadcast.recording_id,
            title=recording_title(stream, broadcast.started_at),
            category=stream.category,
        )
        if is_other_visibility:
            # The owner may have given the recording a visibility or a schedule of its own.
            recording.filter(visibility=was, publish_at=None).update(visibility=stream.visibility)
        recording.record_published()
    if is_other_visibility:
        transaction.on_commit(lambda: broadcasting.change_access(broadcast))
    return stream


def end_broadcast(stream: Stream, *, by: User) -> None:
    """End the stream's running broadcast, for its owner or as a moderator's decision.

    Raises NotOnAir, or the refusal of the decision.
    """
    broadcast = current_broadcast(stream)
    if broadcast is None:
        raise NotOnAir
    if not stream.is_owned_by(by):
        moderation.set_at_once("broadcast", broadcast.public_id, by=by, content=Case.Content.REMOVED)
    elif not broadcasting.end(broadcast, Broadcast.Ending.STOPPED):
        raise NotOnAir


def suspend_stream(stream: Stream) -> None:
    """Forbid the channel to go live, and end its broadcast."""
    _set_suspended(stream, True)
    if broadcast := current_broadcast(stream):
        broadcasting.end(broadcast, Broadcast.Ending.SUSPENDED)


def lift_suspension(stream: Stream) -> None:
    """Allow the channel to go live again."""
    _set_suspended(stream, False)


def _set_suspended(stream: Stream, is_suspended: bool) -> None:
    stream.is_suspended = is_suspended
    stream.save(update_fields=["is_suspended"])
    transaction.on_commit(lambda: chat_log.state_changed(stream))
