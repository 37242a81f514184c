"""Streams, broadcasts and what was said in chat, as moderators deal with them; and the charts of both."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import charts, moderation
from accounts.charts import Counts, per_day
from live import broadcasting
from live.chat import moderation as chat
from live.chat import store
from live.models import Broadcast, ChatMessage
from videos.services.watching import playback

if TYPE_CHECKING:
    from accounts.models import User


# --- Chat -------------------------------------------------------------------------


def find_message(public_id: str, asker: User) -> ChatMessage | None:
    """A message that ``asker`` could read; one that was said a moment ago is stored first."""
    message = _stored(public_id)
    if message is None:
        store.store_chat()
        message = _stored(public_id)
    if message is None or asker.is_moderator:
        return message
    is_readable = message.deleted_at is None and message.stream.can_watch(asker)
    return message if is_readable else None


def _stored(public_id: str) -> ChatMessage | None:
    messages = ChatMessage.objects.select_related("user__channel", "stream__channel__owner", "broadcast")
    return messages.filter(public_id=public_id).first()


def moment_of(message: ChatMessage) -> float | None:
    """Seconds into the broadcast it was said in."""
    if message.broadcast is None:
        return None
    return max(0.0, (message.sent_at - message.broadcast.started_at).total_seconds())


def delete_message(message: ChatMessage, by: User) -> None:
    chat.delete_message(stream=message.stream, by=by, message_id=message.public_id)


def restore_message(message: ChatMessage, by: User) -> None:
    chat.restore_message(message=message, by=by)


def switch_author(author: User) -> None:
    """Take today's messages out of every room, or bring them back; those said a moment ago too."""

    def switch() -> None:
        store.store_chat()
        chat.switch_author(author)

    transaction.on_commit(switch)


def conversation_around(message: ChatMessage) -> dict[str, Any]:
    """What was said before and after, for the desk."""
    said = message.stream.messages.select_related("user__channel")
    before = said.filter(seq__lt=message.seq).order_by("-seq")[:5]
    after = said.filter(seq__gt=message.seq).order_by("seq")[:5]
    return {"around": [*reversed(before), message, *after]}


def register_message() -> None:
    moderation.register(
        moderation.Kind(
            name="chat_message",
            label=_("Chat message"),
            preview="admin/previews/chat_message.html",
            find=find_message,
            author=lambda message: message.user,
            title=lambda message: message.text[:80],
            text=lambda message: message.text,
            url=lambda message: message.stream.get_absolute_url(),
            hide=delete_message,
            remove=delete_message,
            restore=restore_message,
            at=moment_of,
            context=conversation_around,
            author_switched=switch_author,
        )
    )


# --- Broadcasts ---------------------------------------------------------------------


def find_broadcast(public_id: str, asker: User) -> Broadcast | None:
    broadcasts = Broadcast.objects.select_related("stream__channel__owner", "recording__channel__owner")
    broadcast = broadcasts.filter(public_id=public_id).first()
    return broadcast if broadcast and broadcast.stream.can_watch(asker) else None


def end_broadcast(broadcast: Broadcast, _by: User) -> None:
    """Take it off the air; its replay is a video, with decisions of its own."""
    broadcasting.end(broadcast, Broadcast.Ending.SUSPENDED)


def player_of(broadcast: Broadcast) -> dict[str, Any]:
    """What was broadcast, as far as it can be played by now."""
    recording = broadcast.recording
    return {"video": recording, "playback": recording and playback(recording)}


def register_broadcast() -> None:
    moderation.register(
        moderation.Kind(
            name="broadcast",
            label=_("Broadcast"),
            preview="admin/previews/broadcast.html",
            find=find_broadcast,
            author=lambda broadcast: broadcast.stream.channel.owner,
            title=lambda broadcast: str(broadcast.stream.shown_title),
            text=lambda broadcast: str(broadcast.stream.shown_title),
            url=lambda broadcast: broadcast.stream.get_absolute_url(),
            remove=end_broadcast,
            context=player_of,
        )
    )


# --- Charts -------------------------------------------------------------------------


def _broadcasts(since: datetime) -> dict[str, Counts]:
    return {"broadcasts": per_day(Broadcast.objects, "started_at", since)}


def _messages(since: datetime) -> dict[str, Counts]:
    return {"messages": per_day(ChatMessage.objects, "sent_at", since)}


def register_charts() -> None:
    charts.register(
        charts.Chart(
            name="live",
            title=_("Live"),
            question=_("How often do people go live?"),
            lines={"broadcasts": _("Broadcasts")},
            permission="live.view_broadcast",
            count=_broadcasts,
        )
    )
    charts.register(
        charts.Chart(
            name="chat",
            title=_("Chat"),
            question=_("How much is said?"),
            lines={"messages": _("Messages")},
            permission="live.view_chatmessage",
            count=_messages,
        )
    )
