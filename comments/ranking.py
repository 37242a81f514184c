"""Ranking of comments, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from math import log2

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
# A comment 30 days newer equals one with twice the worth, so old comments do not stay first.
DOUBLING_DAYS = 30
REPLY_WORTH = 0.5  # likes
HEART_WORTH = 3.0  # likes


def score(*, likes: int, replies: int, has_heart: bool, created_at: datetime) -> float:
    """Return the rank of a comment among the best of its target: higher is further up.

    The score does not depend on the current time, so it is stored and changes only
    with a like, a reply or a heart.
    """
    worth = likes + REPLY_WORTH * replies + HEART_WORTH * has_heart
    age_days = (created_at - EPOCH).total_seconds() / 86_400
    return log2(1 + worth) + age_days / DOUBLING_DAYS
