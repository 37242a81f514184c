"""Spam rules for comments and danmaku: pure decisions, without counters or storage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from comments.errors import NoLinks, RepeatedText, TooFast, TooManyLinks

WINDOW_S = 60
MAX_COMMENTS_PER_WINDOW = 6
MAX_DANMAKU_PER_WINDOW = 20
MAX_LINKS = 5
HELD_FROM_LINKS = 3
NEW_ACCOUNT = timedelta(days=1)
# So many other authors of one text within ten minutes indicate a spam network.
SAME_TEXT_AUTHORS = 4


class SpamVerdict(Enum):
    PUBLISH = "publish"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about one text and its author; the counters are zero if rate limits are off."""

    links: int
    account_age: timedelta
    is_trusted: bool = False  # moderates the target
    recent: int = 0  # posts in the last window, this one included
    is_repeated: bool = False  # by the same author
    others: int = 0  # other authors of the same text


def judge_comment(facts: Facts) -> SpamVerdict:
    """Return whether to publish or hold a comment.  Raises a ``Refusal`` for one that must not be stored."""
    if facts.is_trusted:
        return SpamVerdict.PUBLISH
    if facts.recent > MAX_COMMENTS_PER_WINDOW:
        raise TooFast(retry_after_s=WINDOW_S)
    if facts.is_repeated:
        raise RepeatedText
    return judge_links(facts)


def judge_links(facts: Facts) -> SpamVerdict:
    """Apply the rules for links and for one text of many authors, the only ones for edits."""
    if facts.is_trusted:
        return SpamVerdict.PUBLISH
    if facts.links > MAX_LINKS:
        raise TooManyLinks
    is_new = facts.account_age < NEW_ACCOUNT
    if facts.links >= HELD_FROM_LINKS or (facts.links and is_new) or facts.others >= SAME_TEXT_AUTHORS:
        return SpamVerdict.HOLD
    return SpamVerdict.PUBLISH


def judge_danmaku(facts: Facts) -> None:
    """Raise a ``Refusal`` if the danmaku is spam.  None is held: its moment would pass."""
    if facts.links:
        raise NoLinks
    if facts.is_trusted:
        return
    if facts.recent > MAX_DANMAKU_PER_WINDOW:
        raise TooFast(retry_after_s=WINDOW_S)
    if facts.is_repeated:
        raise RepeatedText
