"""Moderation of a chat: each act is written to SQL, then published to the room.

Each act reads the moderator from SQL, so a revoked role stops working at once;
the badges in a ticket only exempt from the room's modes.
"""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import redis
from django.db import transaction
from django.utils import timezone

from accounts import moderation as decisions
from accounts.errors import CannotUndo, InOtherHands, NotTheirs
from accounts.models import Decision, User
from accounts.models.cases import MAX_TITLE
from accounts.ranks import reaches
from comments import authors, changes
from comments.changes import Change
from comments.danmaku import buckets
from live.chat import log, store
from live.chat.errors import NoSuchMessage, NoSuchPerson, NotAllowedHere
from live.chat.messages import (
    MAX_SLOW_S,
    MAX_TIMEOUT_S,
    Ban,
    ClientFrame,
    Delete,
    SetMode,
    TimeOut,
    Unban,
)
from live.chat.stored import CLEARED_FOR, as_event, mode_of, person_behind
from live.chat.tickets import Visitor
from live.models import ChatMessage, ChatRestriction, Stream
from videos.models import Video

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

KIND = "chat_message"  # name of messages in accounts.moderation
# Bounds for an author who is locked or restored: their latest rooms, the latest messages in each.
MOST_ROOMS, MOST_MESSAGES = 20, 50
MODES = ("slow_s", "followers_only", "emotes_only")


def delete_message(*, stream: Stream, by: User, message_id: str) -> None:
    """Remove a message by a decision.  Raises Refusal.

    If the streamer or the author removes it, reports about it stay open for the site's
    moderators; the same holds while another moderator has the case.
    """
    _require_moderator(stream, by)
    message = find_message(message_id)
    if message is None or message.stream_id != stream.pk:
        _delete_unstored(stream, by, message_id)
        return
    if not stream.is_owned_by(by) and not reaches(by, message.user):
        raise NotAllowedHere
    if message.deleted_at is not None:
        _publish_deletion(stream, message_id, by)  # an earlier event may have been lost
        return
    is_host = stream.is_owned_by(by) or message.user == by
    try:
        if is_host:
            decisions.remove_as_host(KIND, message_id, by=by)
        else:
            decisions.act(KIND, message_id, by=by, action=Decision.Action.REMOVE)
    except InOtherHands:
        decisions.remove_as_host(KIND, message_id, by=by)


@transaction.atomic
def _delete_unstored(stream: Stream, by: User, message_id: str) -> None:
    """Remove a message that SQL refused to store.  Raises NotAllowedHere, NoSuchMessage."""
    message = _message_in_log(stream, message_id)
    if message is None:
        raise NoSuchMessage
    author = User.objects.filter(username__iexact=message["user"]["username"]).first()
    if not stream.is_owned_by(by) and not reaches(by, author):
        raise NotAllowedHere
    decisions.record_removal(message["text"][:MAX_TITLE], author, by=by)
    _publish_deletion(stream, message_id, by)


@transaction.atomic
def remove_message(*, message: ChatMessage, by: User) -> None:
    """Carry out a decision: remove the message from the room and from replays.  Raises NotAllowedHere."""
    stream = message.stream
    _require_moderator(stream, by)
    messages = ChatMessage.objects.filter(pk=message.pk)
    messages.filter(deleted_at=None).update(deleted_at=timezone.now(), deleted_by=by)
    _refresh_replays(messages, Change.REMOVED)
    _publish_deletion(stream, message.public_id, by)


def _publish_deletion(stream: Stream, message_id: str, by: User) -> None:
    entry = {"deleted": message_id, "by": by.pk, "at": timezone.now().isoformat()}
    event = {"type": "message_deleted", "id": message_id}
    transaction.on_commit(lambda: log.publish(stream, event, entry=entry))
    logger.info("Chat message deleted", extra={"stream": stream.pk, "chat_message": message_id, "by": by.pk})


@transaction.atomic
def restore_message(*, message: ChatMessage, by: User) -> None:
    """Restore a message for present and future clients of the room.  Raises NotAllowedHere."""
    stream = message.stream
    _require_moderator(stream, by)
    taken = ChatMessage.objects.filter(pk=message.pk).exclude(deleted_at=None)
    if not taken.update(deleted_at=None, deleted_by=None):
        return
    _refresh_replays(ChatMessage.objects.filter(pk=message.pk), Change.RESTORED)
    is_moderator = message.user.is_moderator
    event = _restored(message, is_moderator=is_moderator)
    # An earlier deletion may still wait in the journal; this entry follows it.
    entry = {"restored": message.public_id}
    transaction.on_commit(lambda: log.publish(stream, event, entry=entry))
    logger.info(
        "Chat message restored",
        extra={"stream": stream.pk, "chat_message": message.public_id, "by": by.pk},
    )


def _restored(message: ChatMessage, *, is_moderator: bool) -> dict[str, Any]:
    fields = json.loads(as_event(message, is_moderator=is_moderator).json)
    return {"type": "message_restored", "id": message.public_id, "message": fields}


def switch_author(author: User) -> None:
    """Clear the last day's messages of a locked ``author`` from rooms, or restore them.

    The rows in SQL do not change; queries leave out locked authors.
    """
    since = timezone.now() - CLEARED_FOR
    messages = ChatMessage.objects.filter(user=author, deleted_at=None, sent_at__gte=since)
    _refresh_replays(messages, authors.change_for(author))
    by_stream: dict[Stream, list[ChatMessage]] = {}
    newest_first = messages.select_related("user__channel", "stream__channel").order_by("-sent_at")
    for message in newest_first[: MOST_ROOMS * MOST_MESSAGES]:
        by_stream.setdefault(message.stream, []).append(message)
    is_moderator = author.is_moderator
    for stream, newest in islice(by_stream.items(), MOST_ROOMS):
        if not author.is_active:
            # The reload makes hubs check at once for sockets without access.
            cleared = {"type": "user_cleared", "username": author.username}
            log.publish(stream, cleared, about={"reload": True})
            continue
        for message in reversed(newest[:MOST_MESSAGES]):
            log.publish(stream, _restored(message, is_moderator=is_moderator))


def _refresh_replays(messages: QuerySet[ChatMessage], change: Change) -> None:
    """Refresh the danmaku of the replays that show ``messages``, also on pages that play one now."""
    for video in Video.objects.filter(broadcast__in=messages.values("broadcast")):
        buckets.forget(video)
        shown = messages.filter(broadcast__recording=video).order_by("-seq")
        ids = list(shown.values_list("public_id", flat=True)[: changes.MOST_AT_ONCE])
        changes.publish_on_commit(video, changes.TextKind.DANMAKU, ids, change)


def find_message(public_id: str) -> ChatMessage | None:
    """Return a message, storing the journal first if SQL does not have it yet."""
    message = _stored(public_id)
    if message is None:
        store.store_chat()
        message = _stored(public_id)
    return message


def _stored(public_id: str) -> ChatMessage | None:
    messages = ChatMessage.objects.select_related("user__channel", "stream__channel__owner", "broadcast")
    return messages.filter(public_id=public_id).first()


def _message_in_log(stream: Stream, message_id: str) -> dict[str, Any] | None:
    """Return a message from the room's log; None if it is absent or Redis does not answer."""
    try:
        events = [json.loads(entry.event) for entry in log.recent(stream)]
    except redis.RedisError:
        return None
    found = (event for event in events if event["type"] == "message" and event["id"] == message_id)
    return next(found, None)


def time_out(*, stream: Stream, by: User, username: str, seconds: int) -> None:
    """Time a person out by a decision.  Raises NotAllowedHere, NoSuchPerson.

    A ban stays a ban, without another decision.
    """
    if not 1 <= seconds <= MAX_TIMEOUT_S:
        raise ValueError(f"no timeout of {seconds} s")
    _silence(stream, by, username, timedelta(seconds=seconds))


def ban(*, stream: Stream, by: User, username: str) -> None:
    """Ban a person by a decision, and close their sockets.  Raises NotAllowedHere, NoSuchPerson."""
    _silence(stream, by, username, None)


@transaction.atomic
def _silence(stream: Stream, by: User, username: str, duration: timedelta | None) -> None:
    person = _person(stream, by, username)
    until = None
    bans = ChatRestriction.objects.select_for_update().filter(stream=stream, user=person, until=None)
    # The event of a ban may have been lost, so it is repeated.
    if not bans.exists():
        decision = decisions.record_silence(person, by=by, room=stream.username, duration=duration)
        until = decision.until
        ChatRestriction.objects.update_or_create(
            stream=stream, user=person, defaults={"until": until, "created_by": by, "decision": decision}
        )
    now = timezone.now()
    cleared = ChatMessage.objects.filter(stream=stream, user=person, sent_at__gte=now - CLEARED_FOR)
    cleared.filter(deleted_at=None).update(deleted_at=now, deleted_by=by)
    _refresh_replays(cleared, Change.REMOVED)
    event = {"type": "user_cleared", "username": person.username}
    about = {"user": person.pk, "until": until and until.timestamp()}
    entry = {"cleared": person.pk, "by": by.pk, "at": now.isoformat()}
    bar_s = log.BAR_S if until is None else min(log.BAR_S, max(1, round((until - now).total_seconds())))
    transaction.on_commit(
        lambda: log.publish(stream, event, about=about, entry=entry, bar=person.pk, bar_s=bar_s)
    )
    extra = {"stream": stream.pk, "user": person.pk, "by": by.pk, "until": until and until.isoformat()}
    logger.info("Chat restriction set", extra=extra)


@transaction.atomic
def unban(*, stream: Stream, by: User, username: str) -> Decision | None:
    """Lift a person's ban or time-out, and publish it to their open pages.

    Return the decision that undoes the restriction, or None if none was in force.
    Raises NotAllowedHere, NoSuchPerson.
    """
    person = _person(stream, by, username)
    restrictions = ChatRestriction.objects.select_for_update(of=("self",)).select_related("decision")
    restriction = restrictions.filter(stream=stream, user=person).first()
    line = None
    if restriction is not None:
        if restriction.is_in_force:
            undoes = restriction.decision
            line = decisions.record_return(person, by=by, room=stream.username, undoes=undoes)
        restriction.delete()
    event = {"type": "user_allowed", "username": person.username}
    about = {"user": person.pk, "until": 0}
    transaction.on_commit(lambda: log.publish(stream, event, about=about, unbar=person.pk))
    logger.info("Chat restriction lifted", extra={"stream": stream.pk, "user": person.pk, "by": by.pk})
    return line


def lift_restriction(decision: Decision, by: User) -> Decision:
    """Lift the restriction that ``decision`` made.  Raises accounts' CannotUndo, NotTheirs."""
    restrictions = ChatRestriction.objects.select_related("stream__channel__owner", "user")
    restriction = restrictions.filter(decision=decision).first()
    if restriction is None:
        raise CannotUndo
    try:
        line = unban(stream=restriction.stream, by=by, username=restriction.user.username)
    except (NotAllowedHere, NoSuchPerson) as error:
        raise NotTheirs from error
    if line is None:
        raise CannotUndo
    return line


@transaction.atomic
def set_mode(*, stream: Stream, by: User, **changes: int | bool) -> None:
    """Change any of ``MODES``.  Raises NotAllowedHere."""
    _require_moderator(stream, by)
    for name, value in changes.items():
        if name not in MODES or not 0 <= value <= MAX_SLOW_S:
            raise ValueError(f"no mode {name}={value}")
        setattr(stream, name, value)
    stream.save(update_fields=list(changes))
    event = {"type": "mode", **mode_of(stream).as_json()}
    transaction.on_commit(lambda: log.publish(stream, event))
    logger.info("Chat mode changed", extra={"stream": stream.pk, "by": by.pk, **changes})


def act(visitor: Visitor, stream_id: int, frame: ClientFrame) -> None:
    """Execute a moderator's frame.  Raises Refusal."""
    by = person_behind(visitor)
    stream = Stream.objects.select_related("channel__owner").filter(pk=stream_id).first()
    if by is None or stream is None:
        raise NotAllowedHere
    match frame:
        case Delete(message_id):
            delete_message(stream=stream, by=by, message_id=message_id)
        case TimeOut(username, seconds):
            time_out(stream=stream, by=by, username=username, seconds=seconds)
        case Ban(username):
            ban(stream=stream, by=by, username=username)
        case Unban(username):
            unban(stream=stream, by=by, username=username)
        case SetMode(changes):
            set_mode(stream=stream, by=by, **changes)
        case _:
            raise TypeError(f"nothing a moderator does: {frame}")


def _require_moderator(stream: Stream, by: User) -> None:
    if not by.is_active or not stream.can_moderate(by):
        raise NotAllowedHere


def _person(stream: Stream, by: User, username: str) -> User:
    """Return the target of a moderator's act; refuse the owner, moderators and staff.

    Raises NotAllowedHere, NoSuchPerson.
    """
    _require_moderator(stream, by)
    person = User.objects.filter(username__iexact=username).first()
    if person is None:
        raise NoSuchPerson
    if stream.can_moderate(person) or person.is_staff:
        raise NotAllowedHere
    return person
