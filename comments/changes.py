"""Removed and restored texts, published at once to every open page that may show them.

An event carries ids and no text.  A page drops removed texts, and requests
restored ones as its reader may see them.  ``consumers.py`` says who receives it.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from comments.models import Comment, target_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comments.targets import Target

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 500


class TextKind(StrEnum):
    COMMENT = "comment"
    DANMAKU = "danmaku"  # and other texts that fly over the video


class Change(StrEnum):
    REMOVED = "taken"  # the word that open pages know
    RESTORED = "restored"


def group_name(target: Target) -> str:
    return "said-{target_type.pk}.{target_id}".format(**target_columns(target))


def publish_on_commit(target: Target, kind: TextKind, ids: Sequence[str], change: Change) -> None:
    """Publish the first ``MOST_AT_ONCE`` of ``ids``; pages loaded later read them all from SQL."""
    if ids:
        transaction.on_commit(lambda: _publish(target, kind, ids[:MOST_AT_ONCE], change))


def _publish(target: Target, kind: TextKind, ids: Sequence[str], change: Change) -> None:
    event: dict[str, Any] = {"type": change.value, "kind": kind.value, "ids": list(ids)}
    if kind is TextKind.COMMENT:
        event["count"] = Comment.objects.of(target).spoken_count()
    layer: Any = get_channel_layer()
    try:
        async_to_sync(layer.group_send)(group_name(target), {"type": "said.changed", "told": event})
    except (redis.RedisError, OSError):
        # A page that loads reads SQL, and the change is stored there.
        logger.warning("Change not published: Redis does not answer", extra={"change": change.value})
