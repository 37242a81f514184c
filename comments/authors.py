"""Live updates of an author's comments and danmaku after their account is locked or restored.

Nothing changes in SQL: readers already find only texts of active authors.  These
functions update the pages that are open.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from comments import changes
from comments.changes import Change, TextKind
from comments.danmaku import buckets
from comments.models import Comment, Danmaku

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User
    from comments.targets import Target

MOST = 200  # the newest; older texts are on few open pages, and go with the next reload


def switch_comments(author: User) -> None:
    texts = Comment.objects.filter(author=author, deleted_at=None, is_hidden=False, is_held=False)
    for target, ids in _by_target(texts).items():
        changes.publish_on_commit(target, TextKind.COMMENT, ids, change_for(author))


def switch_danmaku(author: User) -> None:
    texts = Danmaku.objects.filter(author=author, deleted_at=None, is_hidden=False)
    for target, ids in _by_target(texts).items():
        buckets.forget(target)
        changes.publish_on_commit(target, TextKind.DANMAKU, ids, change_for(author))


def change_for(author: User) -> Change:
    return Change.RESTORED if author.is_active else Change.REMOVED


def _by_target(texts: QuerySet[Any]) -> dict[Target, list[str]]:
    found: dict[Target, list[str]] = defaultdict(list)
    for one in texts.prefetch_related("target").order_by("-pk")[:MOST]:
        if one.target is not None:
            found[one.target].append(one.public_id)
    return found
