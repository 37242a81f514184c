"""Celery's front door, one line each into the modules that do the work."""

from celery import shared_task

from videos import cleaning, pipeline
from videos.models import Job


@shared_task
def work(lane: int) -> None:
    pipeline.work(Job.Lane(lane))


@shared_task
def sweep() -> None:
    pipeline.sweep()


@shared_task
def clean_up() -> None:
    cleaning.clean_up()


@shared_task
def empty_doomed_prefixes() -> None:
    cleaning.empty_doomed_prefixes()
