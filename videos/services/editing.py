"""Editing, retrying, cancelling and deleting existing videos."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Channel
from common import deletion
from common.words import composed
from videos import arrivals, ends, progress, queue
from videos.cleaning import delete_with_objects
from videos.importing import has_free_import, queue_fetch
from videos.models import MAX_DESCRIPTION, MAX_TITLE, Job, Video, new_encode_key
from videos.services.access import check_has_password, password_fields
from videos.services.errors import CannotCancel, CannotRetry, TooManyImports
from videos.services.scheduling import NOT_SCHEDULED, scheduled_fields
from videos.tagging import set_tags
from videos.transcoding.errors import EncodeStopped

logger = logging.getLogger(__name__)

EDITABLE = ("title", "description", "category", "visibility", "comments_mode", "downloads", "clipping")


@transaction.atomic
def edit_video(
    video: Video,
    *,
    title: str | None = None,
    description: str | None = None,
    category: str | None = None,
    visibility: str | None = None,
    comments_mode: str | None = None,
    downloads: str | None = None,
    clipping: str | None = None,
    password: str | None = None,
    publish_at: datetime | None = None,
    is_premiere: bool | None = None,
    tags: Iterable[str] | None = None,
) -> Video:
    """Change the given fields and leave the others.

    A new visibility applies to every later playlist request.  A new ``comments_mode``
    applies to new comments only; existing comments stay.  ``publish_at`` schedules the
    video and replaces ``visibility``, which alone ends a schedule.  Raises
    PasswordMissing and BadMoment.
    """
    values = (title, description, category, visibility, comments_mode, downloads, clipping)
    changed = _changed(dict(zip(EDITABLE, values, strict=True)))
    if password:
        changed |= password_fields(password)
    changed |= _schedule(video, visibility, publish_at, is_premiere)
    for name, value in changed.items():
        setattr(video, name, value)
    if changed.get("visibility"):
        check_has_password(video)
    if changed:
        video.save(update_fields=list(changed))
    if "visibility" in changed:
        Video.objects.filter(pk=video.pk).record_published()
        transaction.on_commit(lambda: arrivals.publish(video.encode_key))
    if tags is not None:
        set_tags(video, tags)
    return video


def _changed(given: dict[str, str | None]) -> dict[str, Any]:
    """Return the given fields as they are stored, without those to leave."""
    for name, most in (("title", MAX_TITLE), ("description", MAX_DESCRIPTION)):
        text = given[name]
        if text is not None:
            given[name] = composed(text, most)
    return {name: value for name, value in given.items() if value is not None}


def _schedule(
    video: Video, visibility: str | None, publish_at: datetime | None, is_premiere: bool | None
) -> dict[str, Any]:
    """Return the fields of a new or changed schedule; a new visibility alone ends a schedule."""
    if publish_at is None and is_premiere is not None:
        publish_at = video.publish_at
    if publish_at is not None:
        return scheduled_fields(
            publish_at, is_premiere=video.is_premiere if is_premiere is None else is_premiere
        )
    return NOT_SCHEDULED if visibility is not None else {}


@transaction.atomic
def retry_video(video: Video) -> Video:
    """Restart the encode of a failed video from its source, under a new encode key.

    Raises CannotRetry, and TooManyImports if its file is still to be fetched.
    """
    if video.import_url and video.status == Video.Status.FAILED:
        Channel.objects.select_for_update().get(pk=video.channel_id)
        if not has_free_import(video.channel):
            raise TooManyImports
    old_prefix = video.encode_prefix
    fresh = {
        "encode_key": new_encode_key(),
        "failure_code": "",
        "failure_parameters": {},
        "is_playable": False,
        "poster_key": video.poster_key if video.has_own_poster else "",
        "storyboard_key": "",
        "poster_times_s": None,
        "loudness": None,
    }
    if video.status != Video.Status.FAILED or not video.transition(Video.Status.PROCESSING, **fresh):
        raise CannotRetry
    video.jobs.all().delete()
    video.runs.all().delete()
    video.plans.all().delete()
    video.renditions.all().delete()
    deletion.delete_later(old_prefix)
    if video.import_url:
        queue_fetch(video)
    else:
        Job.objects.create(video=video, encode_key=video.encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.FIRST)
        transaction.on_commit(lambda: queue.wake(Job.Lane.FIRST))
    transaction.on_commit(lambda: progress.publish(video))
    return video


def cancel_encode(video: Video) -> None:
    """Stop the encode and mark the video as failed: workers lose their leases, and the owner may retry."""
    if video.status != Video.Status.PROCESSING or video.is_recording:
        raise CannotCancel
    ends.fail_video(video, EncodeStopped())
    logger.info("Encode stopped", extra={"video": video.public_id})


def delete_video(video: Video) -> None:
    """Delete a video and, soon after, all its objects; a worker that encodes it loses its lease."""
    logger.info("Video deleted", extra={"video": video.public_id})
    delete_with_objects(video)
