"""Celery tasks, one line each into the modules that do the work."""

from __future__ import annotations

from celery import shared_task

from accounts import expiry, moderation, notifications, outbox


@shared_task
def work_outbox() -> None:
    outbox.work()


@shared_task
def restore_lapsed() -> None:
    moderation.lift_lapsed()


@shared_task
def prune_notifications() -> None:
    notifications.prune()


@shared_task
def remove_expired() -> None:
    expiry.remove_expired()
