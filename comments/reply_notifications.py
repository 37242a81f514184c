"""Notifications about a comment, for the person it answers and the people it mentions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts import notifications
from accounts.models import Notification, User

if TYPE_CHECKING:
    from comments.models import Comment
    from comments.targets import Target

SHOWN = 140


def notify_about(comment: Comment, target: Target, *, answered: User | None) -> None:
    """Notify each person once, and only those who may see ``target``; inside a transaction."""
    notified = [comment.author, answered]
    if answered and answered != comment.author:
        _notify(comment, target, answered, Notification.Kind.REPLY)
    for person in User.objects.filter(username__in=comment.mentions):
        if person not in notified:
            _notify(comment, target, person, Notification.Kind.MENTION)


def _notify(comment: Comment, target: Target, person: User, kind: str) -> None:
    if not person.is_active or comment.author is None or not target.can_watch(person):
        return
    text = comment.text if len(comment.text) <= SHOWN else f"{comment.text[: SHOWN - 1]}…"
    notifications.notify(
        person=person,
        kind=kind,
        data={"name": comment.author.channel.name, "title": str(target), "text": text},
        url=comment.get_absolute_url(),
        key=f"comment:{comment.public_id}",
    )
