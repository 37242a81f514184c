"""Notifications: stored in SQL, published over the socket, listed under the bell.

Call :func:`notify` for one person, :func:`notify_all` for several, and
:func:`notify_followers` for all followers of a channel.  ``data`` holds the values of
the sentence:

=============== ===================================================================
reply, mention  ``name`` of the author, ``title`` of the target, ``text``
follow          ``name``, ``username``
video_ready     ``title``
video_failed    ``title``; the page has the reason
edition_ready   ``title``
edition_failed  ``title``; the page has the reason
video_published ``name``, ``title``
premiere        ``name``, ``title``
channel_live    ``name``, ``title``
moderation      ``action``, ``content``, ``reason``, ``note``, ``until``, ``title``
report_decided  ``title``, ``upheld``
=============== ===================================================================

``key`` is the idempotency key: a second notification with the same key is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from accounts import outbox, sweeps
from accounts.models import Channel, Follow, Notification, Reason, User
from common.templatetags.human import in_utc, moment

logger = logging.getLogger(__name__)

KEPT = 200  # for each person
KEPT_FOR = timedelta(days=90)
PRUNED_AT_ONCE = 500
FOLLOWERS_AT_ONCE = 500

Kind = Notification.Kind


def notify(*, person: User, kind: str, data: dict[str, Any], url: str = "", key: str = "") -> None:
    """Notify one person; their oldest notifications beyond ``KEPT`` are deleted."""
    notify_all([person.pk], kind=kind, data=data, url=url, key=key)
    _make_room(person.pk)


def notify_all(
    person_ids: Sequence[int], *, kind: str, data: dict[str, Any], url: str = "", key: str = ""
) -> None:
    """Notify several people; :func:`prune` later deletes their notifications beyond ``KEPT``."""
    if not person_ids:
        return
    notified = [Notification(person_id=pk, kind=kind, data=data, url=url, key=key) for pk in person_ids]
    Notification.objects.bulk_create(notified, ignore_conflicts=True, batch_size=FOLLOWERS_AT_ONCE)
    publish_change_on_commit(list(person_ids))


def withdraw(person_ids: Iterable[int], *, key: str) -> None:
    """Delete the notifications of several people about an event that was undone."""
    sent = Notification.objects.filter(person__in=list(person_ids), key=key)
    withdrawn_from = list(sent.values_list("person", flat=True))
    sent.delete()
    publish_change_on_commit(withdrawn_from)


def notify_followers(channel: Channel, *, kind: str, data: dict[str, Any], url: str, key: str) -> None:
    """Have a worker notify the followers of ``channel`` in batches; inside a transaction."""
    outbox.add(notify_follower_batch, channel.pk, kind, data, url, key, 0)


def notify_follower_batch(
    channel_id: int, kind: str, data: dict[str, Any], url: str, key: str, after: int
) -> outbox.Again:
    """Notify the batch after the follow ``after``; return the arguments for the next batch, if any.

    It does nothing if the event was undone meanwhile (:func:`register_check`).
    """
    event, _colon, target_id = key.partition(":")
    is_current = _is_current.get(event)
    if is_current is not None and not is_current(target_id):
        return None
    follows = Follow.objects.filter(channel=channel_id, pk__gt=after, follower__is_active=True)
    batch = list(follows.order_by("pk").values_list("pk", "follower_id")[:FOLLOWERS_AT_ONCE])
    notify_all([follower_id for _pk, follower_id in batch], kind=kind, data=data, url=url, key=key)
    if len(batch) < FOLLOWERS_AT_ONCE:
        return None
    return [channel_id, kind, data, url, key, batch[-1][0]]


_is_current: dict[str, Callable[[str], bool]] = {}


def register_check(event: str, is_current: Callable[[str], bool]) -> None:
    """Ask ``is_current`` before each batch with a key ``event:ID``; called in ``AppConfig.ready``.

    It takes the ID and returns False if the followers need not know any more.
    """
    _is_current[event] = is_current


# The name in the rows of the outbox that earlier versions wrote.
tell_some_followers = notify_follower_batch


def group_name(person_id: int) -> str:
    return f"notifications-{person_id}"


def publish_change_on_commit(person_ids: Sequence[int]) -> None:
    transaction.on_commit(lambda: publish_change(person_ids))


def publish_change(person_ids: Iterable[int]) -> None:
    """Publish a change to the people's open pages, which then read the count from SQL."""
    try:
        async_to_sync(_publish_change)(person_ids)
    except (redis.RedisError, OSError):
        # The notifications are stored in SQL; only the event is lost.
        logger.warning("Notifications not published: Redis does not answer")


async def _publish_change(person_ids: Iterable[int]) -> None:
    layer = get_channel_layer()
    for person_id in person_ids:
        await layer.group_send(group_name(person_id), {"type": "notifications.changed"})


def unread_count(person: User) -> int:
    return Notification.objects.of(person).unread().count()


def mark_read(person: User, ids: Iterable[int] | None = None) -> int:
    """Mark the given notifications of the person read, or all; return the number of unread ones."""
    unread = Notification.objects.of(person).unread()
    if ids is not None:
        unread = unread.filter(pk__in=list(ids))
    if unread.update(read_at=timezone.now()):
        publish_change_on_commit([person.pk])
    return unread_count(person)


SENTENCES: dict[str, Promise] = {
    Kind.REPLY: _("%(name)s replied to you on “%(title)s”"),
    Kind.MENTION: _("%(name)s mentioned you on “%(title)s”"),
    Kind.FOLLOW: _("%(name)s followed you"),
    Kind.VIDEO_READY: _("“%(title)s” is ready to watch"),
    Kind.VIDEO_FAILED: _("“%(title)s” could not be processed"),
    Kind.EDITION_READY: _("“%(title)s” was updated"),
    Kind.EDITION_FAILED: _("“%(title)s” could not be updated. The old version stays."),
    Kind.VIDEO_PUBLISHED: _("%(name)s published “%(title)s”"),
    Kind.PREMIERE: _("%(name)s premieres “%(title)s” now"),
    Kind.CHANNEL_LIVE: _("%(name)s is live: %(title)s"),
}
UPHELD = _("Moderators reviewed your report of “%(title)s” and took action.")
DISMISSED = _("Moderators reviewed your report of “%(title)s” and found no violation.")
DECIDED: dict[str, Promise] = {
    "hide": _("Moderators hid “%(title)s”: %(reason)s"),
    "remove": _("Moderators removed “%(title)s”: %(reason)s"),
    "time_out": _("You cannot post or upload until %(until)s: %(reason)s"),
    "suspend": _("Your account is suspended until %(until)s: %(reason)s"),
    "ban": _("Your account is banned: %(reason)s"),
    "undo": _("Moderators reversed their decision about “%(title)s”"),
    "lifted": _("Moderators restored your account. Welcome back."),
    "over": _("Your suspension has ended. Welcome back."),
}

_decided_about: dict[str, Mapping[str, Promise]] = {}


def word_decisions(target_type: str, sentences: Mapping[str, Promise]) -> None:
    """Set the sentences of decisions about a kind of content, by action; called in ``AppConfig.ready``."""
    _decided_about[target_type] = sentences


def sentence(notification: Notification) -> str:
    """Return a notification's sentence in the reader's language; times in it are marked as UTC."""
    template, values = _wording(notification)
    until = values["until"]
    return str(template) % {**values, "until": in_utc(until) if until else ""}


def sentence_html(notification: Notification) -> SafeString:
    """Return a notification's sentence as HTML, with times that the browser shows in local time."""
    template, values = _wording(notification)
    safe = {name: conditional_escape(value) for name, value in values.items()}
    return mark_safe(  # noqa: S308 -- every value is escaped
        conditional_escape(str(template)) % {**safe, "until": moment(values["until"])}
    )


def _wording(notification: Notification) -> tuple[Promise, dict[str, Any]]:
    data = notification.data
    template: Promise
    if notification.kind == Kind.REPORT_DECIDED:
        template = UPHELD if data.get("upheld") else DISMISSED
    elif notification.kind == Kind.MODERATION:
        outcome = str(data.get("action", ""))
        if outcome == "undo" and not data.get("title"):
            outcome = "lifted"
        of_its_kind = _decided_about.get(data.get("target_type", ""), {})
        template = of_its_kind.get(outcome) or DECIDED.get(outcome, DECIDED["undo"])
    else:
        template = SENTENCES[notification.kind]
    reason = data.get("reason") if data.get("reason") in Reason.values else Reason.OTHER
    until = data.get("until")
    return template, {
        "name": data.get("name", ""),
        "title": data.get("title", ""),
        "reason": str(Reason(reason).label),
        "until": datetime.fromisoformat(until) if until else None,
    }


def detail(notification: Notification) -> str:
    """Return the second line: the comment's text, or the moderator's note."""
    lines = (notification.data.get(name) for name in ("text", "note"))
    return str(next(filter(None, lines), ""))


def _make_room(person_id: int) -> None:
    newest_first = Notification.objects.filter(person=person_id).order_by("-created_at", "-pk")
    too_many = list(newest_first.values_list("pk", flat=True)[KEPT : KEPT + PRUNED_AT_ONCE])
    if too_many:
        Notification.objects.filter(pk__in=too_many).delete()


def prune() -> None:
    """Delete notifications that are old or exceed ``KEPT`` for a person; run now and then."""
    old = Notification.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    Notification.objects.filter(pk__in=list(old.values_list("pk", flat=True)[: 10 * PRUNED_AT_ONCE])).delete()
    counted = Notification.objects.order_by().values("person").annotate(count=Count("pk"))
    crowded = User.objects.filter(pk__in=counted.filter(count__gt=KEPT).values("person")).order_by("pk")
    sweeps.each("prune notifications", crowded, lambda each: _make_room(each.pk), at_most=PRUNED_AT_ONCE)
