"""Ranking of comments, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from math import log2

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
# Being 30 days newer counts as much as doubling ``1 + worth``, so old comments do not stay first.
DOUBLING_DAYS = 30
REPLY_WORTH = 0.5  # in likes
HEART_WORTH = 3.0  # in likes


def score(*, likes: int, replies: int, has_heart: bool, created_at: datetime) -> float:
    """Return the score that orders the top comments of a target; the highest comes first.

    The score does not depend on the current time, so it is stored and changes only
    with a like, a reply or a heart.
    """
    worth = likes + REPLY_WORTH * replies + HEART_WORTH * has_heart
    days_since_epoch = (created_at - EPOCH).total_seconds() / 86_400
    return log2(1 + worth) + days_since_epoch / DOUBLING_DAYS
