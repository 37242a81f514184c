"""Facts about a text that is being posted; collecting them counts the post."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from comments.spam import counters
from comments.spam.rules import Facts
from comments.text import link_count

if TYPE_CHECKING:
    from accounts.models import User
    from comments.targets import Target


def of_comment(target: Target, author: User, text: str, *, is_trusted: bool) -> Facts:
    return Facts(
        links=link_count(text),
        account_age=timezone.now() - author.date_joined,
        is_trusted=is_trusted,
        recent=counters.count_post("comment", author),
        is_repeated=not is_trusted
        and counters.record_and_check_repeat("comment", author, target, text, counters.REPEATED_COMMENT_S),
        others=counters.record_and_count_others(author, text),
    )


def of_danmaku(target: Target, author: User, text: str) -> Facts:
    is_repeated = counters.record_and_check_repeat(
        "danmaku", author, target, text, counters.REPEATED_DANMAKU_S
    )
    return Facts(
        links=link_count(text),
        account_age=timezone.now() - author.date_joined,
        is_trusted=target.can_moderate(author),
        recent=counters.count_post("danmaku", author),
        is_repeated=is_repeated,
    )
