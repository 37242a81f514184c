"""Celery tasks: one line each, calling the modules that do the work."""

from celery import shared_task

from videos import (
    channel_listing,
    cleaning,
    loudness,
    pipeline,
    services,
    storyboards,
    sweeping,
    transcribing,
    transcriptions,
)
from videos.models import Job


@shared_task
def work(lane: int) -> None:
    pipeline.work(Job.Lane(lane))


@shared_task
def sweep() -> None:
    sweeping.sweep()
    transcriptions.sweep()
    channel_listing.sweep()
    services.begin_chosen()


@shared_task
def transcribe() -> None:
    transcribing.work()


@shared_task
def list_channel() -> None:
    channel_listing.work()


@shared_task
def publish_due() -> None:
    services.publish_due()


@shared_task
def rank_trending() -> None:
    services.rank_trending()


@shared_task
def clean_up() -> None:
    cleaning.clean_up()
    sweeping.measure_old_encodes()
    sweeping.store_missing_texts()
    storyboards.queue_missing()
    loudness.queue_missing()
    services.prune_histories()
