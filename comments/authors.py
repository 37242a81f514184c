"""What somebody said, on every open page, when their account is locked or restored.

Nothing of it changes in SQL, where readers find only what was said by people who
may be here: this is about the pages that show it already.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from comments import changes, danmaku
from comments.changes import Change, Kind
from comments.models import Comment, Danmaku

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User
    from comments.targets import Target

MOST = 200  # the newest; what is older stands on few pages, until they are loaded again


def switch_comments(author: User) -> None:
    said = Comment.objects.filter(author=author, deleted_at=None, is_hidden=False, is_held=False)
    for target, ids in _by_target(said).items():
        changes.tell_on_commit(target, Kind.COMMENT, ids, change_for(author))


def switch_danmaku(author: User) -> None:
    said = Danmaku.objects.filter(author=author, deleted_at=None, is_hidden=False)
    for target, ids in _by_target(said).items():
        danmaku.forget(target)
        changes.tell_on_commit(target, Kind.DANMAKU, ids, change_for(author))


def change_for(author: User) -> Change:
    return Change.RESTORED if author.is_active else Change.TAKEN


def _by_target(said: QuerySet[Any]) -> dict[Target, list[str]]:
    found: dict[Target, list[str]] = defaultdict(list)
    for one in said.prefetch_related("target").order_by("-pk")[:MOST]:
        if one.target is not None:
            found[one.target].append(one.public_id)
    return found
