"""What people ask for: a key, a title, an end.  Pages, API, admin and commands all call these."""

from __future__ import annotations

import hashlib
import logging
import secrets

from django.db import transaction
from django.utils import timezone

from accounts.models import Channel
from live import broadcasting
from live.chat import log as chat_log
from live.errors import NotOnAir, StreamSuspended
from live.models import Broadcast, Stream
from videos.models import Video

logger = logging.getLogger(__name__)

KEY_PREFIX = "live_"
EDITABLE = ("title", "category", "visibility", "latency", "record")


def stream_of(channel: Channel) -> Stream:
    """The channel's place to go live; made when first asked for."""
    stream, _is_new = Stream.objects.get_or_create(channel=channel)
    stream.channel = channel
    return stream


def current_broadcast(stream: Stream) -> Broadcast | None:
    broadcast = stream.broadcasts.running().select_related("recording").first()
    if broadcast is not None:
        broadcast.stream = stream
    return broadcast


# --- Keys -----------------------------------------------------------------------


def digest_of(stream_key: str) -> str:
    return hashlib.sha256(stream_key.encode()).hexdigest()


def rotate_stream_key(stream: Stream) -> str:
    """Make a new key and return it, seen this once; whoever publishes with the old one is cut off."""
    if not stream.can_publish():
        raise StreamSuspended
    key = KEY_PREFIX + secrets.token_urlsafe(20)
    _set_key(stream, digest_of(key))
    return key


def revoke_stream_key(stream: Stream) -> None:
    """Leave the stream without a key: nobody can go live until a new one is made."""
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
    """Whose key this is, whether or not they may go live; None for one that is wrong or revoked.

    The database compares digests of what was sent: how long that takes says
    nothing about any key.
    """
    streams = Stream.objects.select_related("channel__owner")
    return streams.filter(key_digest=digest_of(stream_key)).first()


def stream_with_key(stream_key: str) -> Stream | None:
    """Who may go live with this key; None for one that is wrong, revoked or of somebody who may not."""
    stream = owner_of_key(stream_key)
    return stream if stream and stream.can_publish() else None


# --- What is shown ----------------------------------------------------------------


@transaction.atomic
def edit_stream(stream: Stream, **fields: object) -> Stream:
    """Change any of ``EDITABLE``; a running broadcast follows at once."""
    was = stream.visibility
    for name, value in fields.items():
        if name not in EDITABLE:
            raise ValueError(f"{name} cannot be edited")
        setattr(stream, name, value)
    if fields:
        stream.save(update_fields=list(fields))
    if stream.visibility != was:
        transaction.on_commit(lambda: chat_log.state_changed(stream))
    broadcast = current_broadcast(stream)
    if broadcast is None:
        return stream
    if broadcast.recording_id:
        Video.objects.filter(pk=broadcast.recording_id).update(
            title=str(stream.shown_title), category=stream.category, visibility=stream.visibility
        )
    if stream.visibility != was:
        transaction.on_commit(lambda: broadcasting.change_access(broadcast))
    return stream


def end_broadcast(stream: Stream) -> None:
    """Take the stream off the air, for good.  Raises NotOnAir."""
    broadcast = current_broadcast(stream)
    if broadcast is None or not broadcasting.end(broadcast, Broadcast.Ending.STOPPED):
        raise NotOnAir


def suspend_stream(stream: Stream, *, is_suspended: bool) -> None:
    """Forbid or allow going live; what is on air ends."""
    stream.is_suspended = is_suspended
    stream.save(update_fields=["is_suspended"])
    transaction.on_commit(lambda: chat_log.state_changed(stream))
    if is_suspended and (broadcast := current_broadcast(stream)):
        broadcasting.end(broadcast, Broadcast.Ending.SUSPENDED)
