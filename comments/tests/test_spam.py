"""Tests of the spam rules and of the ranking."""

from __future__ import annotations

from datetime import timedelta

import pytest

from comments.ranking import EPOCH, score
from comments.spam import rules
from comments.spam.rules import Facts, SpamVerdict, judge_comment, judge_danmaku
from common.errors import Refusal

OLD, NEW = timedelta(days=30), timedelta(hours=1)


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (Facts(links=0, account_age=NEW), SpamVerdict.PUBLISH),
        (Facts(links=1, account_age=OLD), SpamVerdict.PUBLISH),
        (Facts(links=1, account_age=NEW), SpamVerdict.HOLD),
        (Facts(links=rules.HELD_FROM_LINKS, account_age=OLD), SpamVerdict.HOLD),
        (Facts(links=0, account_age=OLD, others=rules.SAME_TEXT_AUTHORS), SpamVerdict.HOLD),
        (Facts(links=99, account_age=NEW, is_trusted=True, is_repeated=True), SpamVerdict.PUBLISH),
        (Facts(links=0, account_age=OLD, recent=rules.MAX_COMMENTS_PER_WINDOW), SpamVerdict.PUBLISH),
    ],
)
def test_comment_is_published_or_held(facts: Facts, verdict: SpamVerdict) -> None:
    assert judge_comment(facts) is verdict


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (Facts(links=rules.MAX_LINKS + 1, account_age=OLD), "too_many_links"),
        (Facts(links=0, account_age=OLD, is_repeated=True), "said_before"),
        (Facts(links=0, account_age=OLD, recent=rules.MAX_COMMENTS_PER_WINDOW + 1), "too_fast"),
    ],
)
def test_refused_comment_has_a_code_and_a_sentence(facts: Facts, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        judge_comment(facts)

    assert refused.value.code == code
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (Facts(links=1, account_age=OLD, is_trusted=True), "no_links"),
        (Facts(links=0, account_age=OLD, recent=rules.MAX_DANMAKU_PER_WINDOW + 1), "too_fast"),
        (Facts(links=0, account_age=OLD, is_repeated=True), "said_before"),
    ],
)
def test_danmaku_is_refused_and_never_held(facts: Facts, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        judge_danmaku(facts)

    assert refused.value.code == code


def test_score_grows_with_likes_replies_and_hearts_and_newer_comments_overtake() -> None:
    def at(days: int, likes: int = 0, replies: int = 0, has_heart: bool = False) -> float:
        created_at = EPOCH + timedelta(days=days)
        return score(likes=likes, replies=replies, has_heart=has_heart, created_at=created_at)

    assert at(0) < at(0, replies=1) < at(0, likes=1) < at(0, has_heart=True) < at(0, likes=10)
    assert at(0, likes=10) > at(30, likes=1)
    assert at(0, likes=10) < at(365, likes=1)
