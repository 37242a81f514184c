"""Changing, retrying and deleting what is there already."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db import transaction

from videos import pipeline, progress, queue
from videos.cleaning import doom
from videos.models import Job, Tag, Video, new_encode_key
from videos.services.errors import CannotCancel, CannotRetry
from videos.tasks import empty_doomed_prefixes
from videos.transcoding.errors import EncodeFailed

logger = logging.getLogger(__name__)

MAX_TAGS = 12
EDITABLE = ("title", "description", "category", "visibility", "comments_mode")


@transaction.atomic
def edit_video(
    video: Video,
    *,
    title: str | None = None,
    description: str | None = None,
    category: str | None = None,
    visibility: str | None = None,
    comments_mode: str | None = None,
    tags: Iterable[str] | None = None,
) -> Video:
    """Change what is given and leave the rest.

    A new visibility holds for every playlist from now on; what was said stays,
    whatever becomes of new comments.
    """
    values = (title, description, category, visibility, comments_mode)
    given = dict(zip(EDITABLE, values, strict=True))
    changed = {name: value for name, value in given.items() if value is not None}
    for name, value in changed.items():
        setattr(video, name, value)
    if changed:
        video.save(update_fields=list(changed))
    if tags is not None:
        set_tags(video, tags)
    return video


def set_tags(video: Video, names: Iterable[str]) -> None:
    """Tag ``video`` with ``names``: trimmed, lower case, each once, twelve at most."""
    wanted = list(
        dict.fromkeys(filter(None, (name.strip().lstrip("#").strip().lower()[:40] for name in names)))
    )
    Tag.objects.bulk_create([Tag(name=name) for name in wanted[:MAX_TAGS]], ignore_conflicts=True)
    video.tags.set(Tag.objects.filter(name__in=wanted[:MAX_TAGS]))


@transaction.atomic
def retry_video(video: Video) -> Video:
    """Begin the encode of a failed video anew, from its source, under a new key."""
    old_prefix = video.encode_prefix
    fresh = {
        "encode_key": new_encode_key(),
        "failure_code": "",
        "failure_detail": "",
        "is_playable": False,
        "poster_key": "",
    }
    if video.status != Video.Status.FAILED or not video.transition(Video.Status.PROCESSING, **fresh):
        raise CannotRetry
    video.jobs.all().delete()
    video.renditions.all().delete()
    doom(old_prefix)
    Job.objects.create(video=video, encode_key=video.encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.FIRST)
    transaction.on_commit(lambda: queue.wake(Job.Lane.FIRST))
    transaction.on_commit(lambda: progress.announce(video))
    return video


def cancel_encode(video: Video) -> None:
    """Stop the encode: whoever works on it loses the lease, and its owner may try again."""
    if video.status != Video.Status.PROCESSING or video.is_recording:
        raise CannotCancel
    stopped = EncodeFailed("stopped", detail="The site's administrators stopped the work on this video.")
    pipeline.fail_video(video, stopped)
    logger.info("Encode stopped", extra={"video": video.public_id})


@transaction.atomic
def delete_video(video: Video) -> None:
    """Delete a video and, soon after, every object of it; whoever still encodes it loses the lease."""
    doom(video.prefix)
    logger.info("Video deleted", extra={"video": video.public_id})
    video.delete()
    transaction.on_commit(lambda: empty_doomed_prefixes.delay())
