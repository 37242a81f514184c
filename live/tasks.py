"""Celery tasks, one line each into the modules that do the work."""

from celery import shared_task

from live import broadcasting
from live.chat import store


@shared_task
def sweep() -> None:
    broadcasting.sweep()


@shared_task
def store_chat() -> None:
    store.store_chat()
