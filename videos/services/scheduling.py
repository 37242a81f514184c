"""Publishing at a time that the owner chose, and premieres.

A scheduled video is private until its moment.  A premiere is public before, so that
people find its page and talk there, but nobody may load its media: it begins at its
moment, once it is encoded, and everyone joins at the position of the clock.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import notifications, sweeps
from accounts.models import Notification
from videos.models import Video
from videos.services.errors import BadMoment

logger = logging.getLogger(__name__)

MAX_AHEAD = timedelta(days=730)
AT_ONCE = 100
# A premiere whose start was delayed longer begins when it starts, not when it was due.
PUNCTUAL_WITHIN = timedelta(seconds=30)

PUBLISHED = "published"  # begins the keys of notifications

NOT_SCHEDULED: dict[str, Any] = {"publish_at": None, "is_premiere": False}
# Nothing else is published: a video whose visibility was changed otherwise is not overruled.
AS_SCHEDULED = Q(is_premiere=True, visibility=Video.Visibility.PUBLIC) | Q(
    is_premiere=False, visibility=Video.Visibility.PRIVATE
)


def scheduled_fields(publish_at: datetime, *, is_premiere: bool) -> dict[str, Any]:
    """Return the fields of a video that is published at ``publish_at``.  Raises BadMoment."""
    now = timezone.now()
    if not now < publish_at <= now + MAX_AHEAD:
        raise BadMoment
    visibility = Video.Visibility.PUBLIC if is_premiere else Video.Visibility.PRIVATE
    return {
        "visibility": visibility,
        "publish_at": publish_at,
        "is_premiere": is_premiere,
        "premiered_at": None,
    }


def publish_due() -> None:
    """Publish the videos whose moment has come; one that cannot be played yet waits for its encode."""
    is_ready = Q(is_premiere=False, status=Video.Status.PROCESSING) | Q(status=Video.Status.READY)
    due = Video.objects.filter(
        is_ready,
        AS_SCHEDULED,
        publish_at__lte=timezone.now(),
        is_playable=True,
        withheld="",
        channel__owner__is_active=True,
    )
    in_order = due.select_related("channel__owner").order_by("publish_at", "pk")
    sweeps.each("publish videos", in_order, _publish, at_most=AT_ONCE)


@transaction.atomic
def _publish(video: Video) -> None:
    """Publish the video and notify followers, unless the owner has changed its schedule meanwhile."""
    now = timezone.now()
    if video.publish_at is None:
        return
    began_at = video.publish_at if now - video.publish_at < PUNCTUAL_WITHIN else now
    still_due = Video.objects.filter(
        AS_SCHEDULED, pk=video.pk, publish_at=video.publish_at, is_premiere=video.is_premiere, withheld=""
    )
    published = still_due.update(
        visibility=Video.Visibility.PUBLIC,
        publish_at=None,
        # Also if it was out before: lists put it at the head, where its followers look for it.
        published_at=began_at,
        premiered_at=began_at if video.is_premiere else None,
    )
    if not published:
        return
    logger.info("Video published on schedule", extra={"video": video.public_id})
    notifications.notify_followers(
        video.channel,
        kind=Notification.Kind.PREMIERE if video.is_premiere else Notification.Kind.VIDEO_PUBLISHED,
        data={"name": video.channel.name, "title": video.title},
        url=video.get_absolute_url(),
        key=f"{PUBLISHED}:{video.public_id}",
    )


def register_check() -> None:
    """Let the notifications of a publication stop if the video is taken back."""
    notifications.register_check(
        PUBLISHED, lambda public_id: Video.objects.listed().filter(public_id=public_id).exists()
    )
