"""SQL queries for chat rooms and their people: states, restrictions, the last messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts import moderation as sanctions
from accounts import sign_up
from accounts.models import ADMINISTRATORS, MODERATORS, Follow, User
from live.chat.messages import Event, message_around_seq
from live.chat.rules import RoomMode, RoomState
from live.chat.tickets import Visitor
from live.models import Broadcast, ChatMessage, ChatRestriction, Stream
from videos.models import Video

OFFLINE = "offline"
# Messages up to this age are removed together with their silenced author.
CLEARED_FOR = timedelta(days=1)


def mode_of(stream: Stream) -> RoomMode:
    return RoomMode(stream.slow_s, stream.followers_only, stream.emotes_only)


def find_room(username: str) -> RoomState | None:
    """Return the room of a channel by its username, ignoring case; None if there is none."""
    stream = Stream.objects.named(username).values_list("pk", flat=True).first()
    return None if stream is None else room_states([stream]).get(stream)


def room_states(stream_ids: Iterable[int]) -> dict[int, RoomState]:
    """Return the rooms' current states by stream id, in three queries; deleted streams are missing."""
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
            title=stream.title,
            category=stream.category,
            mode=mode_of(stream),
            restrictions=restrictions[stream.pk],
        )
        for stream in streams
    }


def silence(visitor: Visitor) -> str:
    """Return the code of the site-wide reason against posting in any room; empty if there is none."""
    person = person_behind(visitor)
    if person is None or not sanctions.may_speak(person):
        return "silenced"
    return "" if sign_up.may_take_part(person) else "email_not_confirmed"


def person_behind(visitor: Visitor) -> User | None:
    """Return the person of a ticket, or None if their access was revoked since."""
    return User.objects.filter(pk=visitor.user_id, access_version=visitor.access_version).first()


def follows(stream_id: int, user_id: int) -> bool:
    return Follow.objects.filter(channel__stream=stream_id, follower=user_id).exists()


def revoked(visitors: Iterable[Visitor]) -> set[Visitor]:
    """Return the ``visitors`` with revoked access or a suspended or deleted account."""
    asked = set(visitors)
    active = User.objects.filter(pk__in={visitor.user_id for visitor in asked}, is_active=True)
    versions = dict(active.values_list("pk", "access_version"))
    return {visitor for visitor in asked if versions.get(visitor.user_id) != visitor.access_version}


def last_messages(stream_id: int, count: int) -> list[Event]:
    """Return the room's last messages in SQL, oldest first, as events."""
    rows = ChatMessage.objects.filter(stream=stream_id, deleted_at=None, user__is_active=True)
    newest = list(rows.select_related("user__channel", "stream__channel").order_by("-seq")[:count])
    authors = User.objects.filter(pk__in={row.user_id for row in newest}, is_active=True)
    has_role = Q(groups__name__in=[MODERATORS, ADMINISTRATORS]) | Q(is_superuser=True)
    moderators = set(authors.filter(has_role).values_list("pk", flat=True))
    return [as_event(row, is_moderator=row.user_id in moderators) for row in reversed(newest)]


def as_event(row: ChatMessage, *, is_moderator: bool) -> Event:
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
    """Format ``moment`` as ISO 8601 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
