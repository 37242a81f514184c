"""Which comments are the best: nothing here knows a database."""

from __future__ import annotations

from datetime import UTC, datetime
from math import log2

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
# A month newer is worth as much as twice the likes: what was first does not stay first for ever.
DOUBLING_DAYS = 30
REPLY_WORTH = 0.5  # of a like
HEART_WORTH = 3.0  # likes


def score(*, likes: int, replies: int, has_heart: bool, created_at: datetime) -> float:
    """A comment's place among the best of its target: higher is further up.

    It depends on nothing that goes by, so it is stored and changes only when
    somebody likes, replies or gives a heart.
    """
    worth = likes + REPLY_WORTH * replies + HEART_WORTH * has_heart
    age_days = (created_at - EPOCH).total_seconds() / 86_400
    return log2(1 + worth) + age_days / DOUBLING_DAYS
