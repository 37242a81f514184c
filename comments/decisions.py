"""Acts of moderators on pages.

Each is a decision like those of the desk: it is recorded in the audit trail, and the
author is notified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts import moderation
from accounts.models import Decision
from comments import services
from comments.danmaku import writing
from comments.errors import NotAllowed
from comments.models import Comment, Danmaku

if TYPE_CHECKING:
    from accounts.models import User


def remove(text: Comment | Danmaku, by: User) -> None:
    """Delete a text as its author; for texts of others, record the removal as a decision.

    If the creator of the target removes it, reports about it stay open for the site's
    moderators.
    """
    target: Any = text.target
    if not text.is_by(by) and not target.can_moderate(by):
        raise NotAllowed
    if text.is_by(by):
        if isinstance(text, Comment):
            services.delete(comment=text, by=by)
        else:
            writing.delete(danmaku=text, by=by)
    elif text.deleted_at is not None:
        return
    elif target.channel.is_owned_by(by):
        moderation.remove_as_host(kind_of(text), text.public_id, by=by)
    else:
        moderation.act(kind_of(text), text.public_id, by=by, action=Decision.Action.REMOVE)


def hide(text: Comment | Danmaku, by: User) -> None:
    if not by.is_moderator:
        raise NotAllowed
    moderation.act(kind_of(text), text.public_id, by=by, action=Decision.Action.HIDE)


def undo_latest(text: Comment | Danmaku, by: User) -> None:
    """Undo the latest decision."""
    if not by.is_moderator:
        raise NotAllowed
    moderation.undo_latest(kind_of(text), text.public_id, by=by)


def kind_of(text: Comment | Danmaku) -> str:
    return "comment" if isinstance(text, Comment) else "danmaku"
