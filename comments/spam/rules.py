"""Spam rules for comments and danmaku: pure decisions, without counters or storage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from comments.errors import NoLinks, SaidBefore, TooFast, TooManyLinks

WINDOW_S = 60
COMMENTS_A_WINDOW = 6
DANMAKU_A_WINDOW = 20
MAX_LINKS = 5
HELD_FROM_LINKS = 3
NEW_ACCOUNT = timedelta(days=1)
# If so many people post the same text in ten minutes, it is one machine with many names.
CHORUS = 4


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
    """Return the verdict on a comment; raise a ``Refusal`` instead of the worst."""
    if facts.is_trusted:
        return SpamVerdict.PUBLISH
    if facts.recent > COMMENTS_A_WINDOW:
        raise TooFast(retry_after_s=WINDOW_S)
    if facts.is_repeated:
        raise SaidBefore
    return judge_links(facts)


def judge_links(facts: Facts) -> SpamVerdict:
    """Return the verdict of the rules that edits have to pass as well."""
    if facts.is_trusted:
        return SpamVerdict.PUBLISH
    if facts.links > MAX_LINKS:
        raise TooManyLinks
    is_new = facts.account_age < NEW_ACCOUNT
    if facts.links >= HELD_FROM_LINKS or (facts.links and is_new) or facts.others >= CHORUS:
        return SpamVerdict.HOLD
    return SpamVerdict.PUBLISH


def judge_danmaku(facts: Facts) -> None:
    """Raise a ``Refusal`` of a bad danmaku: none is held, as its moment would pass."""
    if facts.links:
        raise NoLinks
    if facts.is_trusted:
        return
    if facts.recent > DANMAKU_A_WINDOW:
        raise TooFast(retry_after_s=WINDOW_S)
    if facts.is_repeated:
        raise SaidBefore
