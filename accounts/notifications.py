"""Telling people what happened: kept in SQL, announced over the socket, read under the bell.

Others call :func:`notify` for one person, :func:`tell` for several, and
:func:`tell_followers` for everyone who follows a channel.  ``data`` holds what
the sentence is made of:

=============== ===================================================================
reply, mention  ``name`` of who wrote, ``title`` of what it is under, ``text``
follow          ``name``, ``username``
video_ready     ``title``
video_failed    ``title``; why, says the page
channel_live    ``name``, ``title``
moderation      ``action``, ``content``, ``reason``, ``note``, ``until``, ``title``
report_decided  ``title``, ``upheld``
=============== ===================================================================

``key`` names the event: whoever tells of it twice tells it once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import Count
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Channel, Follow, Notification, Reason, User
from videoplatform.celery import app

logger = logging.getLogger(__name__)

KEPT = 200  # for each person
KEPT_FOR = timedelta(days=90)
PRUNED_AT_ONCE = 500
FOLLOWERS_AT_ONCE = 500
HAND_OVER_EXPIRES_S = 24 * 3600

Kind = Notification.Kind


# --- Telling ----------------------------------------------------------------------


def notify(*, person: User, kind: str, data: dict[str, Any], url: str = "", key: str = "") -> None:
    """Tell one person; their oldest notifications make room."""
    tell([person.pk], kind=kind, data=data, url=url, key=key)
    _make_room(person.pk)


def tell(person_ids: Sequence[int], *, kind: str, data: dict[str, Any], url: str = "", key: str = "") -> None:
    """Tell several people the same; what is too much for one of them, :func:`prune` takes later."""
    if not person_ids:
        return
    told = [Notification(person_id=pk, kind=kind, data=data, url=url, key=key) for pk in person_ids]
    Notification.objects.bulk_create(told, ignore_conflicts=True, batch_size=FOLLOWERS_AT_ONCE)
    announce_on_commit(list(person_ids))


def tell_followers(channel: Channel, *, kind: str, data: dict[str, Any], url: str, key: str) -> None:
    """Have a worker tell everyone who follows ``channel``, in batches."""
    hand_over("tell_followers", channel.pk, kind, data, url, key)


def tell_some_followers(
    channel_id: int, after: int, *, kind: str, data: dict[str, Any], url: str, key: str
) -> int | None:
    """Tell the next batch behind the follow ``after``; return where to go on, or None at the end."""
    follows = Follow.objects.filter(channel=channel_id, pk__gt=after, follower__is_active=True)
    batch = list(follows.order_by("pk").values_list("pk", "follower_id")[:FOLLOWERS_AT_ONCE])
    tell([follower_id for _pk, follower_id in batch], kind=kind, data=data, url=url, key=key)
    return batch[-1][0] if len(batch) == FOLLOWERS_AT_ONCE else None


def hand_over(task: str, *arguments: Any) -> None:
    """Have a worker do one of ``accounts.tasks``, once what it will read is committed."""

    def send() -> None:  # no partial: Django wants to name what failed
        app.send_task(f"accounts.tasks.{task}", arguments, expires=HAND_OVER_EXPIRES_S)

    transaction.on_commit(send, robust=True)


def group_name(person_id: int) -> str:
    return f"notifications-{person_id}"


def announce_on_commit(person_ids: Sequence[int]) -> None:
    transaction.on_commit(lambda: announce(person_ids))


def announce(person_ids: Iterable[int]) -> None:
    """Say to their open pages that there is something new, or less; what it is, they read from SQL."""
    try:
        async_to_sync(_announce)(person_ids)
    except (redis.RedisError, OSError):
        # Telling is decoration: what is told stands in SQL.
        logger.warning("Notifications not announced: Redis does not answer")


async def _announce(person_ids: Iterable[int]) -> None:
    layer = get_channel_layer()
    for person_id in person_ids:
        await layer.group_send(group_name(person_id), {"type": "notifications.changed"})


# --- Reading ----------------------------------------------------------------------


def unread_count(person: User) -> int:
    return Notification.objects.of(person).unread().count()


def mark_read(person: User, ids: Iterable[int] | None = None) -> int:
    """Mark these of the person's notifications read, or all of them; how many are unread then."""
    unread = Notification.objects.of(person).unread()
    if ids is not None:
        unread = unread.filter(pk__in=list(ids))
    if unread.update(read_at=timezone.now()):
        announce_on_commit([person.pk])
    return unread_count(person)


SENTENCES: dict[str, Promise] = {
    Kind.REPLY: _("%(name)s replied to you under “%(title)s”"),
    Kind.MENTION: _("%(name)s mentioned you under “%(title)s”"),
    Kind.FOLLOW: _("%(name)s follows you"),
    Kind.VIDEO_READY: _("“%(title)s” is ready"),
    Kind.VIDEO_FAILED: _("“%(title)s” could not be prepared"),
    Kind.CHANNEL_LIVE: _("%(name)s is live: %(title)s"),
}
UPHELD = _("You reported “%(title)s”: we looked at it and did something about it. Thank you.")
DISMISSED = _("You reported “%(title)s”: we looked at it and left it as it is. Thank you for telling us.")
DECIDED: dict[str, Promise] = {
    "hide": _("Moderators hid “%(title)s”: %(reason)s"),
    "remove": _("Moderators removed “%(title)s”: %(reason)s"),
    "time_out": _("You may not write or upload until %(until)s: %(reason)s"),
    "suspend": _("Your account is suspended until %(until)s: %(reason)s"),
    "ban": _("Your account is closed: %(reason)s"),
    "undo": _("Moderators took back what they had decided about “%(title)s”"),
    "forgiven": _("Moderators opened your account again. Welcome back."),
    "over": _("Your suspension is over. Welcome back."),
}


def sentence(notification: Notification) -> str:
    """What a notification says, in the reader's language."""
    data = notification.data
    template: Promise
    if notification.kind == Kind.REPORT_DECIDED:
        template = UPHELD if data.get("upheld") else DISMISSED
    elif notification.kind == Kind.MODERATION:
        template = DECIDED.get(_outcome(data), DECIDED["undo"])
    else:
        template = SENTENCES[notification.kind]
    return str(template) % {
        "name": data.get("name", ""),
        "title": data.get("title", ""),
        "reason": _reason(data.get("reason")),
        "until": _moment(data.get("until")),
    }


def _outcome(data: dict[str, Any]) -> str:
    """The decision; one that was taken back and was about nothing in particular is forgiveness."""
    action = str(data.get("action", ""))
    return "forgiven" if action == "undo" and not data.get("title") else action


def detail(notification: Notification) -> str:
    """The second line: what was written, or what a moderator has to say."""
    said = (notification.data.get(name) for name in ("text", "note"))
    return str(next(filter(None, said), ""))


def _reason(value: str | None) -> str:
    return str(Reason(value).label) if value in Reason.values else str(Reason.OTHER.label)


def _moment(value: str | None) -> str:
    if not value:
        return ""
    return formats.date_format(timezone.localtime(datetime.fromisoformat(value)), "DATETIME_FORMAT")


# --- Bounds -----------------------------------------------------------------------


def _make_room(person_id: int) -> None:
    newest_first = Notification.objects.filter(person=person_id).order_by("-created_at", "-pk")
    too_many = list(newest_first.values_list("pk", flat=True)[KEPT : KEPT + PRUNED_AT_ONCE])
    if too_many:
        Notification.objects.filter(pk__in=too_many).delete()


def prune() -> None:
    """Forget what is old, and what is too much for one person; run now and then."""
    old = Notification.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    Notification.objects.filter(pk__in=list(old.values_list("pk", flat=True)[: 10 * PRUNED_AT_ONCE])).delete()
    counted = Notification.objects.order_by().values("person").annotate(count=Count("pk"))
    for person_id in counted.filter(count__gt=KEPT).values_list("person", flat=True)[:PRUNED_AT_ONCE]:
        _make_room(person_id)
