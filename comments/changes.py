"""Removed and restored texts, announced at once to every open page that may show them.

An announcement carries ids and no text.  A page drops removed texts, and requests
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
    TAKEN = "taken"
    RESTORED = "restored"


def group_name(target: Target) -> str:
    return "said-{target_type.pk}.{target_id}".format(**target_columns(target))


def tell_on_commit(target: Target, kind: TextKind, ids: Sequence[str], change: Change) -> None:
    """Announce the first ``MOST_AT_ONCE`` of ``ids``; pages loaded later read them all from SQL."""
    if ids:
        transaction.on_commit(lambda: _tell(target, kind, ids[:MOST_AT_ONCE], change))


def _tell(target: Target, kind: TextKind, ids: Sequence[str], change: Change) -> None:
    told: dict[str, Any] = {"type": change.value, "kind": kind.value, "ids": list(ids)}
    if kind is TextKind.COMMENT:
        told["count"] = Comment.objects.of(target).spoken_count()
    layer: Any = get_channel_layer()
    try:
        async_to_sync(layer.group_send)(group_name(target), {"type": "said.changed", "told": told})
    except (redis.RedisError, OSError):
        # A page that loads reads SQL, and the change is stored there.
        logger.warning("Change not published: Redis does not answer", extra={"change": change.value})
