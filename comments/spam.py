"""What may be said, from the facts about it: nothing here counts or stores."""

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
# The same text of so many people in ten minutes is one machine with many names.
CHORUS = 4


class Verdict(Enum):
    PUBLISH = "publish"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Facts:
    """About one text and who sends it; the counters are zero where rate limits are off."""

    links: int
    account_age: timedelta
    is_trusted: bool = False  # decides about the place anyway
    recent: int = 0  # sent in the last window, this one included
    is_repeated: bool = False  # by the same person
    others: int = 0  # who said the same


def judge_comment(facts: Facts) -> Verdict:
    """Publish or hold; raises what is refused."""
    if facts.is_trusted:
        return Verdict.PUBLISH
    if facts.recent > COMMENTS_A_WINDOW:
        raise TooFast(WINDOW_S)
    if facts.is_repeated:
        raise SaidBefore
    return judge_links(facts)


def judge_links(facts: Facts) -> Verdict:
    """The part that an edit has to pass as well."""
    if facts.is_trusted:
        return Verdict.PUBLISH
    if facts.links > MAX_LINKS:
        raise TooManyLinks
    is_new = facts.account_age < NEW_ACCOUNT
    if facts.links >= HELD_FROM_LINKS or (facts.links and is_new) or facts.others >= CHORUS:
        return Verdict.HOLD
    return Verdict.PUBLISH


def judge_danmaku(facts: Facts) -> None:
    """Raises what is refused: what flies is never held, its moment would be gone."""
    if facts.links:
        raise NoLinks
    if facts.is_trusted:
        return
    if facts.recent > DANMAKU_A_WINDOW:
        raise TooFast(WINDOW_S)
    if facts.is_repeated:
        raise SaidBefore
