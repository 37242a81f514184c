"""Room for new files: on the disk of our own S3 server, and of a person in a day and in all."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet, Sum
from django.utils import timezone

from accounts.models import Channel
from videos.models import SegmentRun, UploadCharge, Video

logger = logging.getLogger(__name__)


def has_disk_room(size_bytes: int) -> bool:
    """Return whether the disk of our own S3 server has room for ``size_bytes``; true for other servers.

    Files that were only announced are not reserved, so nobody can fill the disk by
    announcing alone: check again while the bytes arrive.
    """
    if not settings.S3_DATA_DIR:
        return True
    free = shutil.disk_usage(settings.S3_DATA_DIR).free
    if free - size_bytes >= settings.UPLOAD_MIN_FREE_BYTES:
        return True
    logger.warning("File refused: the disk is nearly full", extra={"free_bytes": free})
    return False


def has_room_today(channel: Channel, size_bytes: int) -> bool:
    """Return whether a channel may receive ``size_bytes`` more in these 24 hours."""
    if not settings.RATE_LIMITS:
        return True
    day_ago = timezone.now() - timedelta(days=1)
    charges = UploadCharge.objects.filter(channel=channel, created_at__gte=day_ago)
    return _total(charges, "size_bytes") + size_bytes <= int(settings.MAX_UPLOAD_BYTES_PER_DAY)


def may_keep(channel: Channel, size_bytes: int) -> bool:
    """Return whether a channel stays within its storage limit with ``size_bytes`` more."""
    most = settings.MAX_BYTES_KEPT_PER_PERSON
    return not most or kept_bytes(channel) + size_bytes <= most


def keeps_enough(channel: Channel) -> bool:
    """Return whether a channel has reached its storage limit, so that nothing new is stored for it."""
    return not may_keep(channel, 1)


def kept_bytes(channel: Channel) -> int:
    """Return the bytes of a channel's sources, open uploads and encoded videos."""
    sourced = Video.objects.filter(channel=channel).exclude(edition_kind__in=Video.OF_SAME_SOURCE)
    sources = _total(sourced, "source_size_bytes")
    return sources + _total(SegmentRun.objects.filter(video__channel=channel), "bytes_stored")


def _total(rows: QuerySet[Any], field: str) -> int:
    return int(rows.aggregate(total=Sum(field))["total"] or 0)
