"""Counters of posts and repetitions in the cache, on which :mod:`comments.spam.rules` decides.

Nothing is counted if rate limits are switched off.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache

from comments.models import target_columns
from comments.spam.rules import WINDOW_S
from comments.text import gist

if TYPE_CHECKING:
    from accounts.models import User
    from comments.targets import Target

REPEATED_COMMENT_S = 600
REPEATED_DANMAKU_S = 10
# Shorter texts are exclamations, which many users write in many places.
LONG_TEXT = 20


def count_post(kind: str, author: User) -> int:
    """Count one more post of ``kind``, and return their number in this window."""
    if not settings.RATE_LIMITS:
        return 0
    return _increment(f"said:{kind}:{author.pk}", WINDOW_S)


def record_and_check_repeat(kind: str, author: User, target: Target, text: str, within_s: int) -> bool:
    """Record the text; return whether ``author`` had already posted it in the last ``within_s`` seconds.

    Long texts count anywhere on the site, short ones only at ``target``.
    """
    if not settings.RATE_LIMITS:
        return False
    place = "anywhere" if is_long(text) else "{target_type.pk}.{target_id}".format(**target_columns(target))
    return not cache.add(f"said:{kind}:{author.pk}:{place}:{_digest(text)}", 1, within_s)


def record_and_count_others(author: User, text: str) -> int:
    """Record ``author`` as a poster of this long text; return the number of others in ten minutes."""
    if not settings.RATE_LIMITS or not is_long(text):
        return 0
    key = f"said-by:{_digest(text)}"
    if cache.add(f"{key}:{author.pk}", 1, REPEATED_COMMENT_S):
        return _increment(key, REPEATED_COMMENT_S) - 1
    return int(cache.get(key) or 1) - 1


def is_long(text: str) -> bool:
    return len(gist(text)) >= LONG_TEXT


def _increment(key: str, ttl_s: int) -> int:
    """Increment the counter and return it; the first increment opens the window."""
    cache.add(key, 0, ttl_s)
    try:
        return int(cache.incr(key))
    except ValueError:  # the window ended in between
        return 1


def _digest(text: str) -> str:
    return sha256(gist(text).encode()).hexdigest()[:32]
