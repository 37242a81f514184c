"""Services that change comments, called by pages, API and admin.

Each function checks the permission of ``by`` (``author`` in :func:`post`) and raises a
``Refusal``.  :func:`like` and :func:`unlike` expect a comment that ``user`` can read.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Lower
from django.utils import timezone

from accounts import moderation, sign_up
from accounts.errors import EmailNotConfirmed
from accounts.models import User
from comments import changes
from comments.changes import Change
from comments.errors import (
    CommentsClosed,
    ForbiddenCharacters,
    MayNotSpeak,
    NoSuchParent,
    NotAllowed,
    NoText,
    OnlyRoots,
    TextTooLong,
)
from comments.models import MAX_COMMENT, Comment, CommentLike, target_columns
from comments.ranking import score
from comments.reply_notifications import notify_about
from comments.spam import facts, rules
from comments.text import Unshowable, clean, link_count, mentioned

if TYPE_CHECKING:
    from collections.abc import Callable

    from comments.targets import Target

logger = logging.getLogger(__name__)


def post(*, target: Target, author: User, text: str, parent: Comment | None = None) -> Comment:
    """Post a comment; it may be held (``is_held``).  A reply to a reply becomes a reply to its root."""
    if not target.comments_open:
        raise CommentsClosed
    if not moderation.may_speak(author):
        raise MayNotSpeak
    if not sign_up.may_take_part(author):
        raise EmailNotConfirmed
    root = _root_for(parent, target) if parent else None
    text = cleaned(text, MAX_COMMENT)
    is_trusted = target.can_moderate(author)
    verdict = rules.judge_comment(facts.of_comment(target, author, text, is_trusted=is_trusted))
    must_hold = verdict is rules.SpamVerdict.HOLD or (target.comments_held and not is_trusted)
    with transaction.atomic():
        comment = Comment.objects.create(
            **target_columns(target),
            author=author,
            parent=root,
            text=text,
            mentions=mentioned_usernames(text),
            is_held=must_hold,
        )
        _rank(comment)
        if not must_hold:
            notify_about(comment, target, answered=parent.author if parent else None)
    logger.info("Comment posted", extra={"comment": comment.public_id, "is_held": must_hold})
    return comment


def _root_for(parent: Comment, target: Target) -> Comment:
    """Return the root of ``parent``; raise :class:`NoSuchParent` for a foreign or unreadable one."""
    columns = target_columns(target)
    is_here = (parent.target_type_id, parent.target_id) == (columns["target_type"].pk, target.pk)
    if not is_here or not Comment.objects.spoken().filter(pk=parent.pk).exists():
        raise NoSuchParent
    return parent.root


def cleaned(text: str, max_length: int, clean_text: Callable[[str], str] = clean) -> str:
    """Return ``text`` as it is stored.  Raise :class:`comments.errors.TextError`."""
    try:
        text = clean_text(text)
    except Unshowable as error:
        raise ForbiddenCharacters from error
    if not text:
        raise NoText
    if len(text) > max_length:
        raise TextTooLong(max_length)
    return text


def mentioned_usernames(text: str) -> list[str]:
    """Return the names of active users mentioned in ``text``, in their stored spelling."""
    names = mentioned(text)
    if not names:
        return []
    users = User.objects.filter(is_active=True).annotate(name=Lower("username")).filter(name__in=names)
    return sorted(users.values_list("username", flat=True))


def edit(*, comment: Comment, by: User, text: str) -> Comment:
    """Change the text of ``by``'s own comment; it may be held again."""
    target: Any = comment.target
    if not comment.is_by(by) or comment.deleted_at or comment.is_hidden:
        raise NotAllowed
    if not target.comments_open:
        raise CommentsClosed
    if not moderation.may_speak(by):
        raise MayNotSpeak
    if not sign_up.may_take_part(by):
        raise EmailNotConfirmed
    text = cleaned(text, MAX_COMMENT)
    if text == comment.text:
        return comment
    is_trusted = target.can_moderate(by)
    age = timezone.now() - by.date_joined
    verdict = rules.judge_links(rules.Facts(link_count(text), age, is_trusted=is_trusted))
    must_hold = verdict is rules.SpamVerdict.HOLD or (target.comments_held and not is_trusted)
    comment.text, comment.mentions = text, mentioned_usernames(text)
    comment.edited_at = timezone.now()
    is_newly_held = must_hold and not comment.is_held
    comment.is_held = comment.is_held or must_hold
    comment.is_pinned = comment.is_pinned and not comment.is_held
    with transaction.atomic():
        # Only the changed fields are written: the creator may have pinned another comment meanwhile.
        unpinned = ["is_pinned"] if comment.is_held else []
        comment.save(update_fields=["text", "mentions", "edited_at", "is_held", *unpinned])
        _rank(comment)
        if is_newly_held:
            changes.publish_on_commit(target, changes.TextKind.COMMENT, [comment.public_id], Change.REMOVED)
    return comment


def delete(*, comment: Comment, by: User) -> None:
    """Delete a comment as its author or a moderator of the target; a second call does nothing."""
    target: Any = comment.target
    if not comment.is_by(by) and not target.can_moderate(by):
        raise NotAllowed
    if comment.deleted_at is None:
        _change(comment, Change.REMOVED, deleted_at=timezone.now(), deleted_by=by, is_pinned=False)
        logger.info("Comment deleted", extra={"comment": comment.public_id, "by": by.pk})


@transaction.atomic
def like(*, comment: Comment, user: User) -> None:
    """Like a comment; a second call does nothing."""
    _like, is_new = CommentLike.objects.get_or_create(comment=comment, user=user)
    if is_new:
        _rank(comment, likes=1)


@transaction.atomic
def unlike(*, comment: Comment, user: User) -> None:
    """Remove a like; a second call does nothing."""
    deleted, _by_model = CommentLike.objects.filter(comment=comment, user=user).delete()
    if deleted:
        _rank(comment, likes=-1)


@transaction.atomic
def pin(*, comment: Comment, by: User) -> None:
    """Pin a comment above all others, in place of the pinned one."""
    target: Any = comment.target
    _check_creator(comment, by)
    if comment.parent_id:
        raise OnlyRoots
    # Concurrent pins wait for each other here: only one comment can be pinned.
    type(target)._default_manager.select_for_update().filter(pk=target.pk).first()
    Comment.objects.of(target).filter(is_pinned=True).update(is_pinned=False)
    _change(comment, is_pinned=True)


def unpin(*, comment: Comment, by: User) -> None:
    _check_creator(comment, by)
    _change(comment, is_pinned=False)


def give_heart(*, comment: Comment, by: User) -> None:
    _check_creator(comment, by)
    _change(comment, has_heart=True)


def remove_heart(*, comment: Comment, by: User) -> None:
    _check_creator(comment, by)
    _change(comment, has_heart=False)


def _check_creator(comment: Comment, by: User) -> None:
    """Raise :class:`NotAllowed` unless ``by`` is the creator and the comment is public."""
    target: Any = comment.target
    is_public = not (comment.deleted_at or comment.is_hidden or comment.is_held)
    if not is_public or not target.channel.is_owned_by(by):
        raise NotAllowed


def approve(*, comment: Comment, by: User) -> None:
    """Approve a held comment."""
    target: Any = comment.target
    if not target.can_moderate(by):
        raise NotAllowed
    if not comment.is_held:
        return
    with transaction.atomic():
        _change(comment, Change.RESTORED, is_held=False)
        # The answered reply is not stored, so the author of the root is notified.
        notify_about(comment, target, answered=comment.parent.author if comment.parent else None)


def hide(*, comment: Comment, by: User) -> None:
    """Hide a comment from everyone except the site's moderators."""
    _check_site_moderator(by)
    _change(comment, Change.REMOVED, is_hidden=True, is_pinned=False)
    logger.info("Comment hidden", extra={"comment": comment.public_id, "by": by.pk})


def restore(*, comment: Comment, by: User) -> None:
    """Restore a hidden comment, and a deleted one unless its author deleted it."""
    _check_site_moderator(by)
    is_deleted_by_author = comment.deleted_by_id is not None and comment.deleted_by_id == comment.author_id
    deletion_fields = {} if is_deleted_by_author else {"deleted_at": None, "deleted_by": None}
    _change(comment, Change.RESTORED, is_hidden=False, **deletion_fields)
    logger.info("Comment restored", extra={"comment": comment.public_id, "by": by.pk})


def _check_site_moderator(by: User) -> None:
    if not by.is_moderator:
        raise NotAllowed


@transaction.atomic
def _change(comment: Comment, change: Change | None = None, /, **fields: Any) -> None:
    """Save ``fields``, update the scores, and announce ``change`` to open pages if it is given."""
    for name, value in fields.items():
        setattr(comment, name, value)
    comment.save(update_fields=list(fields))
    _rank(comment)
    if change:
        target: Any = comment.target
        changes.publish_on_commit(target, changes.TextKind.COMMENT, [comment.public_id], change)


def _rank(comment: Comment, *, likes: int = 0) -> None:
    """Add ``likes`` to the comment, and compute its score and its root's; the caller holds a transaction."""
    added_likes = {comment.pk: likes} | ({comment.parent_id: 0} if comment.parent_id else {})
    for pk, added in sorted(added_likes.items()):  # locked in a fixed order, against deadlocks
        row = Comment.objects.select_for_update().get(pk=pk)
        row.like_count = max(0, row.like_count + added)
        replies = Comment.objects.spoken().filter(parent=row).count()
        row.score = score(
            likes=row.like_count, replies=replies, has_heart=row.has_heart, created_at=row.created_at
        )
        row.save(update_fields=["like_count", "score"])
        if pk == comment.pk:
            comment.like_count, comment.score = row.like_count, row.score
