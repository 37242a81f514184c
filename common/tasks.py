"""Celery tasks of the shared foundation."""

from celery import shared_task

from common import deletion


@shared_task
def delete_pending() -> None:
    deletion.delete_pending()
