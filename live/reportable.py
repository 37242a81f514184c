"""Chat messages, broadcasts and streams as content that people can report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import moderation, notifications
from live import broadcasting, services
from live.chat import room_moderation as chat
from live.chat import store
from live.models import Broadcast, ChatMessage, Stream
from videos.services.watching import playback

if TYPE_CHECKING:
    from accounts.models import User
    from accounts.viewers import Viewer


def find_message(public_id: str, asker: Viewer) -> ChatMessage | None:
    """Return a message that ``asker`` can read, storing the journal first if necessary; else None."""
    message = chat.find_message(public_id)
    if message is None or asker.is_moderator:
        return message
    is_readable = message.deleted_at is None and message.stream.can_watch(asker.user)
    return message if is_readable else None


def moment_of(message: ChatMessage) -> float | None:
    """Return the message's position in its broadcast, in seconds; None outside a broadcast."""
    if message.broadcast is None:
        return None
    return max(0.0, (message.sent_at - message.broadcast.started_at).total_seconds())


def remove_message(message: ChatMessage, by: User) -> None:
    chat.remove_message(message=message, by=by)


def restore_message(message: ChatMessage, by: User) -> None:
    chat.restore_message(message=message, by=by)


def switch_author(author: User) -> None:
    """Remove the author's messages of the last day from rooms, or restore them, after the commit.

    The journal is stored first, so that the newest messages are included.
    """

    def switch() -> None:
        store.store_chat()
        chat.switch_author(author)

    transaction.on_commit(switch)


def conversation_around(message: ChatMessage) -> dict[str, Any]:
    """Return the messages before and after, for the desk."""
    messages = message.stream.messages.select_related("user__channel")
    before = messages.filter(seq__lt=message.seq).order_by("-seq")[:5]
    after = messages.filter(seq__gt=message.seq).order_by("seq")[:5]
    return {"around": [*reversed(before), message, *after]}


def register_message() -> None:
    """Make messages reportable.  They can be removed, but not hidden: rooms know no hidden messages."""
    moderation.register_rooms(chat.lift_restriction)
    moderation.register(
        moderation.Kind(
            name=chat.KIND,
            label=_("Chat message"),
            preview="admin/previews/chat_message.html",
            find=find_message,
            author=lambda message: message.user,
            title=lambda message: message.text[:80],
            text=lambda message: message.text,
            url=lambda message: message.stream.get_absolute_url(),
            remove=remove_message,
            restore=restore_message,
            at=moment_of,
            context=conversation_around,
            author_switched=switch_author,
        )
    )


def find_broadcast(public_id: str, asker: Viewer) -> Broadcast | None:
    broadcasts = Broadcast.objects.select_related("stream__channel__owner", "recording__channel__owner")
    broadcast = broadcasts.filter(public_id=public_id).first()
    return broadcast if broadcast and broadcast.stream.can_watch(asker.user) else None


def remove_broadcast(broadcast: Broadcast, _by: User) -> None:
    """End the broadcast for good; its replay is a video, which has its own decisions."""
    if not broadcasting.end(broadcast, Broadcast.Ending.SUSPENDED):
        broadcasting.forbid_continuing(broadcast)


def player_of(broadcast: Broadcast) -> dict[str, Any]:
    """Return the recording and its playback for the desk's preview."""
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
            remove=remove_broadcast,
            context=player_of,
        )
    )


def find_stream(key: str, asker: Viewer) -> Stream | None:
    """Return a stream by its primary key, which outlives a change of its channel's name."""
    found = Stream.objects.filter(pk=key) if key.isascii() and key.isdigit() else Stream.objects.none()
    stream = found.select_related("channel__owner").first()
    return stream if stream and stream.can_watch(asker.user) else None


def register_stream() -> None:
    """Register streams: hiding one forbids going live, and ends its broadcast."""
    notifications.word_decisions(
        "stream",
        {
            "hide": _("Moderators suspended your channel from going live: %(reason)s"),
            "undo": _("Your channel may go live again."),
        },
    )
    moderation.register(
        moderation.Kind(
            name="stream",
            label=_("Live channel"),
            preview="admin/previews/stream.html",
            find=find_stream,
            public_id=lambda stream: str(stream.pk),
            author=lambda stream: stream.channel.owner,
            title=str,
            text=lambda stream: str(stream.shown_title),
            url=lambda stream: stream.get_absolute_url(),
            hide=lambda stream, _by: services.suspend_stream(stream),
            restore=lambda stream, _by: services.lift_suspension(stream),
        )
    )
