"""Celery's front door, one line each into the modules that do the work."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from accounts import mail, moderation, notifications


@shared_task
def tell_followers(
    channel_id: int, kind: str, data: dict[str, Any], url: str, key: str, after: int = 0
) -> None:
    """One batch, and the next as a task of its own: told twice, everybody is told once."""
    last = notifications.tell_some_followers(channel_id, after, kind=kind, data=data, url=url, key=key)
    if last is not None:
        tell_followers.delay(channel_id, kind, data, url, key, last)


@shared_task
def mail_decision(decision_id: int) -> None:
    mail.mail_decision(decision_id)


@shared_task
def restore_lapsed() -> None:
    moderation.restore_lapsed()


@shared_task
def prune_notifications() -> None:
    notifications.prune()
