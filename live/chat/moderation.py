"""What moderators do in a chat: written to SQL, then announced to the room.

Whoever acts is asked for in SQL each time, so power that was taken away is gone
at once; what a ticket says only spares them the room's modes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import redis
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import moderation as sanctions
from accounts.models import ADMINISTRATORS, MODERATORS, Follow, User
from comments import authors, changes, danmaku
from comments.changes import Change
from live.chat import log
from live.chat.errors import NoSuchMessage, NoSuchPerson, NotAllowed
from live.chat.messages import (
    MAX_SLOW_S,
    MAX_TIMEOUT_S,
    Ban,
    Delete,
    Event,
    Frame,
    SetMode,
    TimeOut,
    Unban,
    message_around_seq,
)
from live.chat.rules import Mode, RoomState
from live.models import Broadcast, ChatMessage, ChatRestriction, Stream
from videos.models import Video

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

# Whoever is silenced has their messages of this long taken away with it.
CLEARED_FOR = timedelta(days=1)
# Of whom the site locks out or lets in: the rooms they spoke in last, and what they said there last.
MOST_ROOMS, MOST_MESSAGES = 20, 50
MODES = ("slow_s", "followers_only", "emotes_only")
OFFLINE = "offline"


# --- What moderators do --------------------------------------------------------------


@transaction.atomic
def delete_message(*, stream: Stream, by: User, message_id: str) -> None:
    """Take one message away.  Raises NotAllowed, NoSuchMessage."""
    _require_moderator(stream, by)
    messages = ChatMessage.objects.filter(stream=stream, public_id=message_id)
    now = timezone.now()
    messages.filter(deleted_at=None).update(deleted_at=now, deleted_by=by)
    if not messages.exists() and not _is_in_log(stream, message_id):
        raise NoSuchMessage
    _refresh_replays(messages, Change.TAKEN)
    entry = {"deleted": message_id, "by": by.pk, "at": now.isoformat()}
    event = {"type": "message_deleted", "id": message_id}
    transaction.on_commit(lambda: log.announce(stream, event, entry=entry))
    logger.info("Chat message deleted", extra={"stream": stream.pk, "chat_message": message_id, "by": by.pk})


@transaction.atomic
def restore_message(*, message: ChatMessage, by: User) -> None:
    """Bring a message back for everyone who is in the room or joins it.  Raises NotAllowed."""
    stream = message.stream
    _require_moderator(stream, by)
    taken = ChatMessage.objects.filter(pk=message.pk).exclude(deleted_at=None)
    if not taken.update(deleted_at=None, deleted_by=None):
        return
    _refresh_replays(ChatMessage.objects.filter(pk=message.pk), Change.RESTORED)
    is_moderator = message.user.is_moderator
    event = _restored(message, is_moderator=is_moderator)
    # A deletion of a moment ago may still be on its way to SQL, in front of this.
    entry = {"restored": message.public_id}
    transaction.on_commit(lambda: log.announce(stream, event, entry=entry))
    logger.info(
        "Chat message restored",
        extra={"stream": stream.pk, "chat_message": message.public_id, "by": by.pk},
    )


def _restored(message: ChatMessage, *, is_moderator: bool) -> dict[str, Any]:
    said = json.loads(_as_event(message, is_moderator=is_moderator).json)
    return {"type": "message_restored", "id": message.public_id, "message": said}


def switch_author(author: User) -> None:
    """Clear rooms of what ``author`` said today, or bring it back: the account is locked, or restored.

    Messages stay as they are in SQL, whose readers leave out who is locked.
    """
    since = timezone.now() - CLEARED_FOR
    said = ChatMessage.objects.filter(user=author, deleted_at=None, sent_at__gte=since)
    _refresh_replays(said, authors.change_for(author))
    by_stream: dict[Stream, list[ChatMessage]] = {}
    newest_first = said.select_related("user__channel", "stream__channel").order_by("-sent_at")
    for message in newest_first[: MOST_ROOMS * MOST_MESSAGES]:
        by_stream.setdefault(message.stream, []).append(message)
    is_moderator = author.is_moderator
    for stream, newest in islice(by_stream.items(), MOST_ROOMS):
        if not author.is_active:
            # Hubs look at once who may still be there.
            cleared = {"type": "user_cleared", "username": author.username}
            log.announce(stream, cleared, about={"reload": True})
            continue
        for message in reversed(newest[:MOST_MESSAGES]):
            log.announce(stream, _restored(message, is_moderator=is_moderator))


def _refresh_replays(messages: QuerySet[ChatMessage], change: Change) -> None:
    """What was said flies over replays: have them ask again, and pages that play one do it at once."""
    for video in Video.objects.filter(broadcast__in=messages.values("broadcast")):
        danmaku.forget(video)
        said = messages.filter(broadcast__recording=video).order_by("-seq")
        ids = list(said.values_list("public_id", flat=True)[: changes.MOST_AT_ONCE])
        changes.tell_on_commit(video, changes.Kind.DANMAKU, ids, change)


def _is_in_log(stream: Stream, message_id: str) -> bool:
    """Whether it was said moments ago, and SQL has not heard of it yet."""
    try:
        events = [json.loads(entry.event) for entry in log.recent(stream)]
    except redis.RedisError:
        return False
    return any(event["type"] == "message" and event["id"] == message_id for event in events)


def time_out(*, stream: Stream, by: User, username: str, seconds: int) -> None:
    """Silence somebody for a while.  Who is banned stays so.  Raises NotAllowed, NoSuchPerson."""
    if not 1 <= seconds <= MAX_TIMEOUT_S:
        raise ValueError(f"no timeout of {seconds} s")
    _silence(stream, by, username, timezone.now() + timedelta(seconds=seconds))


def ban(*, stream: Stream, by: User, username: str) -> None:
    """Silence somebody for good, and close their sockets.  Raises NotAllowed, NoSuchPerson."""
    _silence(stream, by, username, None)


@transaction.atomic
def _silence(stream: Stream, by: User, username: str, until: datetime | None) -> None:
    person = _person(stream, by, username)
    current = ChatRestriction.objects.select_for_update().filter(stream=stream, user=person).first()
    if current is not None and current.until is None:
        until = None
    ChatRestriction.objects.update_or_create(
        stream=stream, user=person, defaults={"until": until, "created_by": by}
    )
    now = timezone.now()
    cleared = ChatMessage.objects.filter(stream=stream, user=person, sent_at__gte=now - CLEARED_FOR)
    cleared.filter(deleted_at=None).update(deleted_at=now, deleted_by=by)
    _refresh_replays(cleared, Change.TAKEN)
    event = {"type": "user_cleared", "username": person.username}
    about = {"user": person.pk, "until": until and until.timestamp()}
    entry = {"cleared": person.pk, "by": by.pk, "at": now.isoformat()}
    bar_s = log.BAR_S if until is None else min(log.BAR_S, max(1, round((until - now).total_seconds())))
    transaction.on_commit(
        lambda: log.announce(stream, event, about=about, entry=entry, bar=person.pk, bar_s=bar_s)
    )
    extra = {"stream": stream.pk, "user": person.pk, "by": by.pk, "until": until and until.isoformat()}
    logger.info("Silenced in chat", extra=extra)


@transaction.atomic
def unban(*, stream: Stream, by: User, username: str) -> None:
    """Let somebody speak again, however they were silenced.  Raises NotAllowed, NoSuchPerson."""
    person = _person(stream, by, username)
    ChatRestriction.objects.filter(stream=stream, user=person).delete()
    about = {"user": person.pk, "until": 0}
    transaction.on_commit(lambda: log.notice(stream, about, unbar=person.pk))
    logger.info("Allowed in chat again", extra={"stream": stream.pk, "user": person.pk, "by": by.pk})


@transaction.atomic
def set_mode(*, stream: Stream, by: User, **changes: int | bool) -> None:
    """Change any of ``MODES``.  Raises NotAllowed."""
    _require_moderator(stream, by)
    for name, value in changes.items():
        if name not in MODES or not 0 <= value <= MAX_SLOW_S:
            raise ValueError(f"no mode {name}={value}")
        setattr(stream, name, value)
    stream.save(update_fields=list(changes))
    event = {"type": "mode", **mode_of(stream).as_json()}
    transaction.on_commit(lambda: log.announce(stream, event))
    logger.info("Chat mode changed", extra={"stream": stream.pk, "by": by.pk, **changes})


def act(user_id: int, stream_id: int, frame: Frame) -> None:
    """Do what a moderator's frame asks for.  Raises what the services raise."""
    by = User.objects.filter(pk=user_id).first()
    stream = Stream.objects.select_related("channel__owner").filter(pk=stream_id).first()
    if by is None or stream is None:
        raise NotAllowed
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
        raise NotAllowed


def _person(stream: Stream, by: User, username: str) -> User:
    """Whom a moderator means; the owner and those who moderate themselves are beyond them."""
    _require_moderator(stream, by)
    person = User.objects.filter(username__iexact=username).first()
    if person is None:
        raise NoSuchPerson
    if stream.can_moderate(person) or person.is_staff:
        raise NotAllowed
    return person


# --- What SQL knows of a room --------------------------------------------------------


def mode_of(stream: Stream) -> Mode:
    return Mode(stream.slow_s, stream.followers_only, stream.emotes_only)


def find_room(username: str) -> RoomState | None:
    """The room of a channel, in whatever case it was typed."""
    stream = Stream.objects.named(username).values_list("pk", flat=True).first()
    return None if stream is None else room_states([stream]).get(stream)


def room_states(stream_ids: Iterable[int]) -> dict[int, RoomState]:
    """The rooms as they are now, by stream, in three queries; those that are gone are missing."""
    ids = list(stream_ids)
    now = timezone.now()
    restrictions: dict[int, dict[int, float | None]] = {stream_id: {} for stream_id in ids}
    in_force = ChatRestriction.objects.in_force(now).filter(stream__in=ids)
    for stream_id, user_id, until in in_force.values_list("stream_id", "user_id", "until"):
        restrictions[stream_id][user_id] = until.timestamp() if until else None
    running = Broadcast.objects.running().filter(stream__in=ids)
    statuses = dict(running.values_list("stream_id", "status"))
    streams = Stream.objects.filter(pk__in=ids).select_related("channel__owner")
    return {
        stream.pk: RoomState(
            stream_id=stream.pk,
            room=stream.room,
            status=statuses.get(stream.pk, OFFLINE),
            is_open=stream.visibility != Video.Visibility.PRIVATE and stream.can_publish(),
            mode=mode_of(stream),
            restrictions=restrictions[stream.pk],
        )
        for stream in streams
    }


def may_speak(user_id: int) -> bool:
    """Whether the site lets somebody speak at all, in whatever room."""
    person = User.objects.filter(pk=user_id).first()
    return person is not None and sanctions.may_speak(person)


def follows(stream_id: int, user_id: int) -> bool:
    return Follow.objects.filter(channel__stream=stream_id, follower=user_id).exists()


def switched_off(user_ids: Iterable[int]) -> set[int]:
    """Those of ``user_ids`` whose account was suspended or is gone."""
    asked = set(user_ids)
    return asked - set(User.objects.filter(pk__in=asked, is_active=True).values_list("pk", flat=True))


def last_messages(stream_id: int, count: int) -> list[Event]:
    """What SQL holds of the room's last messages, oldest first, as the events they were."""
    rows = ChatMessage.objects.filter(stream=stream_id, deleted_at=None, user__is_active=True)
    newest = list(rows.select_related("user__channel", "stream__channel").order_by("-seq")[:count])
    authors = User.objects.filter(pk__in={row.user_id for row in newest}, is_active=True)
    has_role = Q(groups__name__in=[MODERATORS, ADMINISTRATORS]) | Q(is_superuser=True)
    moderators = set(authors.filter(has_role).values_list("pk", flat=True))
    return [_as_event(row, is_moderator=row.user_id in moderators) for row in reversed(newest)]


def _as_event(row: ChatMessage, *, is_moderator: bool) -> Event:
    held = {"owner": row.stream.channel.owner_id == row.user_id, "moderator": is_moderator}
    user: dict[str, Any] = {
        "username": row.user.username,
        "display_name": row.user.channel.display_name or row.user.username,
        "badges": [badge for badge, is_held in held.items() if is_held],
    }
    sent_at = sent_at_text(row.sent_at)
    head, tail = message_around_seq(public_id=row.public_id, user=user, text=row.text, sent_at=sent_at)
    return Event.read(row.seq, f"{head}{row.seq}{tail}", row.user_id)


def sent_at_text(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
