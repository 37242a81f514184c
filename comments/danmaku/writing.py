"""Writes of danmaku; pages, API and admin all call these.

Each checks the permission of ``by``, and raises a class of :mod:`comments.errors`.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from accounts import moderation, sign_up
from accounts.errors import EmailNotConfirmed
from comments import changes
from comments.changes import Change
from comments.danmaku.buckets import forget_bucket
from comments.errors import BadColor, CommentsClosed, DanmakuClosed, MayNotSpeak, NotAllowed, PastTheEnd
from comments.models import MAX_DANMAKU, Danmaku, target_columns
from comments.services import cleaned
from comments.spam import facts, rules
from comments.text import clean_line

if TYPE_CHECKING:
    from accounts.models import User
    from comments.targets import Target

logger = logging.getLogger(__name__)

LATEST_OFFSET_MS = 48 * 3600 * 1000
# The stored length may be a little shorter than the one that a player shows.
END_SLACK_MS = 1000


def is_open(target: Target) -> bool:
    """Return whether danmaku may be posted: not if comments are held, as a held moment would pass."""
    return target.comments_open and not target.comments_held


def post(
    *,
    target: Target,
    author: User,
    offset_ms: int,
    text: str,
    mode: str = Danmaku.Mode.SCROLL,
    color: str = "#ffffff",
    length_ms: int | None = None,
) -> Danmaku:
    """Post a message at ``offset_ms``.  ``length_ms`` is the target's length, if it is known."""
    if not is_open(target):
        raise DanmakuClosed if target.comments_open else CommentsClosed
    if not moderation.may_speak(author):
        raise MayNotSpeak
    if not sign_up.may_take_part(author):
        raise EmailNotConfirmed
    latest_ms = LATEST_OFFSET_MS if length_ms is None else length_ms + END_SLACK_MS
    if not 0 <= offset_ms <= latest_ms:
        raise PastTheEnd
    if not re.fullmatch("#[0-9a-f]{6}", color := color.lower()):
        raise BadColor
    text = cleaned(text, MAX_DANMAKU, clean_line)
    rules.judge_danmaku(facts.of_danmaku(target, author, text))
    danmaku = Danmaku.objects.create(
        **target_columns(target), author=author, offset_ms=offset_ms, text=text, mode=mode, color=color
    )
    forget_bucket(target, offset_ms)
    return danmaku


def delete(*, danmaku: Danmaku, by: User) -> None:
    """Delete a message as its author or a moderator of the target; a second call does nothing."""
    target: Any = danmaku.target
    if not danmaku.is_by(by) and not target.can_moderate(by):
        raise NotAllowed
    if danmaku.deleted_at is None:
        _change(danmaku, Change.REMOVED, deleted_at=timezone.now(), deleted_by=by)
        logger.info("Danmaku deleted", extra={"danmaku": danmaku.public_id, "by": by.pk})


def hide(*, danmaku: Danmaku, by: User) -> None:
    if not by.is_moderator:
        raise NotAllowed
    _change(danmaku, Change.REMOVED, is_hidden=True)
    logger.info("Danmaku hidden", extra={"danmaku": danmaku.public_id, "by": by.pk})


def restore(*, danmaku: Danmaku, by: User) -> None:
    """Undo hiding and deleting, but not the author's own deletion."""
    if not by.is_moderator:
        raise NotAllowed
    is_theirs = danmaku.deleted_by_id == danmaku.author_id
    back = {} if is_theirs else {"deleted_at": None, "deleted_by": None}
    _change(danmaku, Change.RESTORED, is_hidden=False, **back)
    logger.info("Danmaku restored", extra={"danmaku": danmaku.public_id, "by": by.pk})


def _change(danmaku: Danmaku, change: Change, /, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(danmaku, name, value)
    danmaku.save(update_fields=list(fields))
    target: Any = danmaku.target
    forget_bucket(target, danmaku.offset_ms)
    changes.publish_on_commit(target, changes.TextKind.DANMAKU, [danmaku.public_id], change)
