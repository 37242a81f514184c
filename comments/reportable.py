"""Comments and danmaku as content that people can report: lookup, and context for the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from accounts import moderation
from comments import authors, services
from comments.danmaku import writing
from comments.models import Comment, Danmaku

if TYPE_CHECKING:
    from accounts.viewers import Viewer


def find_comment(public_id: str, asker: Viewer) -> Comment | None:
    """Return the comment: any for moderators, a readable one for others; else ``None``."""
    comment = Comment.objects.select_related("author__channel", "parent").filter(public_id=public_id).first()
    target: Any = comment and comment.target
    if comment is None or target is None or not target.can_watch(asker):
        return None
    if asker.is_moderator:
        return comment
    seen = Comment.objects.seen_by(asker.user, can_moderate=target.can_moderate(asker.user))
    return comment if seen.filter(pk=comment.pk, is_readable=True).exists() else None  # type: ignore[misc]


def find_danmaku(public_id: str, asker: Viewer) -> Danmaku | None:
    rows = Danmaku.objects.select_related("author__channel").filter(public_id=public_id)
    row = rows.first() if asker.is_moderator else rows.spoken().first()
    target: Any = row and row.target
    return row if target is not None and target.can_watch(asker) else None


def context_of(text: Comment | Danmaku) -> dict[str, Any]:
    """Return the preview of the target as the desk shows it; the desk's registry links the two apps."""
    target: Any = text.target
    kind = moderation.kind_named(target._meta.model_name)
    below = {"about_preview": kind.preview, **kind.context(target)} if kind else {}
    return {**below, "about": str(target), "about_url": text.get_absolute_url()}


def moment_of(text: Danmaku) -> float:
    return text.offset_ms / 1000


def register_comment() -> None:
    moderation.register(
        moderation.Kind(
            name="comment",
            label=_("Comment"),
            preview="comments/preview.html",
            find=find_comment,
            author=lambda comment: comment.author,
            title=lambda comment: comment.text[:80],
            text=lambda comment: comment.text,
            url=lambda comment: comment.get_absolute_url(),
            hide=lambda comment, by: services.hide(comment=comment, by=by),
            remove=lambda comment, by: services.delete(comment=comment, by=by),
            restore=lambda comment, by: services.restore(comment=comment, by=by),
            context=context_of,
            author_switched=authors.switch_comments,
        )
    )


def register_danmaku() -> None:
    moderation.register(
        moderation.Kind(
            name="danmaku",
            label=_("Danmaku"),
            preview="comments/preview.html",
            find=find_danmaku,
            author=lambda flying: flying.author,
            title=lambda flying: flying.text[:80],
            text=lambda flying: flying.text,
            url=lambda flying: flying.get_absolute_url(),
            hide=lambda flying, by: writing.hide(danmaku=flying, by=by),
            remove=lambda flying, by: writing.delete(danmaku=flying, by=by),
            restore=lambda flying, by: writing.restore(danmaku=flying, by=by),
            at=moment_of,
            context=context_of,
            author_switched=authors.switch_danmaku,
        )
    )
