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


def take_away(said: Comment | Danmaku, by: User) -> None:
    """Delete a text as its author; for texts of others, record the removal as a decision.

    If the creator of the target removes it, reports about it stay open for the site's
    moderators.
    """
    target: Any = said.target
    if not said.is_by(by) and not target.can_moderate(by):
        raise NotAllowed
    if said.is_by(by):
        if isinstance(said, Comment):
            services.delete(comment=said, by=by)
        else:
            writing.delete(danmaku=said, by=by)
    elif said.deleted_at is not None:
        return
    elif target.channel.is_owned_by(by):
        moderation.take_down(kind_of(said), said.public_id, by=by)
    else:
        moderation.act(kind_of(said), said.public_id, by=by, action=Decision.Action.REMOVE)


def hide(said: Comment | Danmaku, by: User) -> None:
    if not by.is_moderator:
        raise NotAllowed
    moderation.act(kind_of(said), said.public_id, by=by, action=Decision.Action.HIDE)


def put_back(said: Comment | Danmaku, by: User) -> None:
    """Undo the latest decision."""
    if not by.is_moderator:
        raise NotAllowed
    moderation.put_back(kind_of(said), said.public_id, by=by)


def kind_of(said: Comment | Danmaku) -> str:
    return "comment" if isinstance(said, Comment) else "danmaku"
