"""How often, and whether before: what :mod:`comments.spam` decides by, counted in the cache.

Where rate limits are switched off nothing is counted.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache

from comments.models import about
from comments.spam import WINDOW_S
from comments.text import gist

if TYPE_CHECKING:
    from accounts.models import User
    from comments.targets import Target

REPEATED_COMMENT_S = 600
REPEATED_DANMAKU_S = 10
# Shorter ones are exclamations: everybody says them, and everywhere.
LONG_TEXT = 20


def recent(kind: str, author: User) -> int:
    """Count one more of ``kind``; how many it are in this window."""
    if not settings.RATE_LIMITS:
        return 0
    return _increased(f"said:{kind}:{author.pk}", WINDOW_S)


def is_repeated(kind: str, author: User, target: Target, text: str, within_s: int) -> bool:
    """Whether ``author`` said the same within the time; long texts anywhere, short ones here."""
    if not settings.RATE_LIMITS:
        return False
    place = "anywhere" if is_long(text) else _place(target)
    return not cache.add(f"said:{kind}:{author.pk}:{place}:{_digest(text)}", 1, within_s)


def others(author: User, text: str) -> int:
    """How many people besides ``author`` said this long text lately."""
    if not settings.RATE_LIMITS or not is_long(text):
        return 0
    key = f"said-by:{_digest(text)}"
    if cache.add(f"{key}:{author.pk}", 1, REPEATED_COMMENT_S):
        return _increased(key, REPEATED_COMMENT_S) - 1
    return int(cache.get(key) or 1) - 1


def is_long(text: str) -> bool:
    return len(gist(text)) >= LONG_TEXT


def _increased(key: str, ttl_s: int) -> int:
    """One more; the window begins with its first."""
    cache.add(key, 0, ttl_s)
    try:
        return int(cache.incr(key))
    except ValueError:  # the window closed in between
        return 1


def _place(target: Target) -> str:
    return "{target_type.pk}.{target_id}".format(**about(target))


def _digest(text: str) -> str:
    return sha256(gist(text).encode()).hexdigest()[:32]
