"""Celery tasks that call services, which are above the tasks of their app."""

from celery import shared_task

from videos import services


@shared_task
def finish_interrupted_uploads() -> None:
    services.finish_interrupted_uploads()


@shared_task
def pulse() -> None:
    """Do nothing: its execution proves that the pool is alive (``heartbeat.LivelyTask``)."""
