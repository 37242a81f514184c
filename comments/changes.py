"""What is taken away or brought back, told at once to every open page that may show it.

An announcement names ids and carries no words: a page drops what it shows, and
asks for what came back as its reader may see it.  See ``consumers.py`` for who hears it.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from comments.models import Comment, about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comments.targets import Target

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 500


class Kind(StrEnum):
    COMMENT = "comment"
    DANMAKU = "danmaku"  # and whatever else flies over the picture


class Change(StrEnum):
    TAKEN = "taken"
    RESTORED = "restored"


def group_name(target: Target) -> str:
    return "said-{target_type.pk}.{target_id}".format(**about(target))


def tell_on_commit(target: Target, kind: Kind, ids: Sequence[str], change: Change) -> None:
    """Tell of the first ``MOST_AT_ONCE`` of ``ids``; who comes later finds all of it in SQL."""
    if ids:
        transaction.on_commit(lambda: _tell(target, kind, ids[:MOST_AT_ONCE], change))


def _tell(target: Target, kind: Kind, ids: Sequence[str], change: Change) -> None:
    told: dict[str, Any] = {"type": change.value, "kind": kind.value, "ids": list(ids)}
    if kind is Kind.COMMENT:
        told["count"] = Comment.objects.of(target).spoken().count()
    layer: Any = get_channel_layer()
    try:
        async_to_sync(layer.group_send)(group_name(target), {"type": "said.changed", "told": told})
    except (redis.RedisError, OSError):
        # Whoever loads the page reads SQL, and there it is done.
        logger.warning("Change not announced: Redis does not answer", extra={"change": change.value})
