"""What people do with comments; pages, API and admin all call these.

Each checks whether ``by`` may, and raises a class of :mod:`comments.errors`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Lower
from django.utils import timezone

from accounts import moderation
from accounts.models import User
from comments import changes, counters, spam
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
from comments.models import MAX_COMMENT, Comment, CommentLike, about
from comments.ranking import score
from comments.telling import tell_of
from comments.text import Unshowable, clean, link_count, mentioned

if TYPE_CHECKING:
    from collections.abc import Callable

    from comments.targets import Target

logger = logging.getLogger(__name__)


# --- Saying something -------------------------------------------------------------


def post(*, target: Target, author: User, text: str, parent: Comment | None = None) -> Comment:
    """Say something; a reply to a reply joins the thread of its root.  It may be held, see ``is_held``."""
    if not target.comments_open:
        raise CommentsClosed
    if not moderation.may_speak(author):
        raise MayNotSpeak
    root = _root_for(parent, target) if parent else None
    words = cleaned(text, MAX_COMMENT)
    is_trusted = target.can_moderate(author)
    verdict = spam.judge_comment(_facts(target, author, words, is_trusted=is_trusted))
    is_held = verdict is spam.Verdict.HOLD or (target.comments_held and not is_trusted)
    with transaction.atomic():
        comment = Comment.objects.create(
            **about(target),
            author=author,
            parent=root,
            text=words,
            mentions=existing_names(words),
            is_held=is_held,
        )
        _rank(comment)
        if not is_held:
            tell_of(comment, target, answered=parent.author if parent else None)
    logger.info("Comment posted", extra={"comment": comment.public_id, "is_held": is_held})
    return comment


def _root_for(parent: Comment, target: Target) -> Comment:
    """Raises :class:`NoSuchParent` for what is elsewhere, or no longer to be read."""
    place = about(target)
    is_here = (parent.target_type_id, parent.target_id) == (place["target_type"].pk, target.pk)
    if not is_here or not Comment.objects.spoken().filter(pk=parent.pk).exists():
        raise NoSuchParent
    return parent.root


def _facts(target: Target, author: User, words: str, *, is_trusted: bool) -> spam.Facts:
    return spam.Facts(
        links=link_count(words),
        account_age=timezone.now() - author.date_joined,
        is_trusted=is_trusted,
        recent=counters.recent("comment", author),
        is_repeated=not is_trusted
        and counters.is_repeated("comment", author, target, words, counters.REPEATED_COMMENT_S),
        others=counters.others(author, words),
    )


def cleaned(text: str, most: int, clean: Callable[[str], str] = clean) -> str:
    """``text`` as it is stored.  Raises :class:`comments.errors.TextError`."""
    try:
        words = clean(text)
    except Unshowable as error:
        raise ForbiddenCharacters from error
    if not words:
        raise NoText
    if len(words) > most:
        raise TextTooLong(most)
    return words


def existing_names(text: str) -> list[str]:
    """The people mentioned in ``text`` who exist, as their names are spelt."""
    names = mentioned(text)
    if not names:
        return []
    people = User.objects.filter(is_active=True).annotate(name=Lower("username")).filter(name__in=names)
    return sorted(people.values_list("username", flat=True))


def edit(*, comment: Comment, by: User, text: str) -> Comment:
    """Change one's own words; where comments are held, they are looked at again."""
    target: Any = comment.target
    if not comment.is_by(by) or comment.deleted_at or comment.is_hidden:
        raise NotAllowed
    if not target.comments_open:
        raise CommentsClosed
    if not moderation.may_speak(by):
        raise MayNotSpeak
    words = cleaned(text, MAX_COMMENT)
    if words == comment.text:
        return comment
    is_trusted = target.can_moderate(by)
    age = timezone.now() - by.date_joined
    verdict = spam.judge_links(spam.Facts(link_count(words), age, is_trusted=is_trusted))
    is_doubtful = verdict is spam.Verdict.HOLD or (target.comments_held and not is_trusted)
    comment.text, comment.mentions = words, existing_names(words)
    comment.edited_at = timezone.now()
    comment.is_held = comment.is_held or is_doubtful
    comment.is_pinned = comment.is_pinned and not comment.is_held
    with transaction.atomic():
        comment.save(update_fields=["text", "mentions", "edited_at", "is_held", "is_pinned"])
        _rank(comment)
    return comment


def delete(*, comment: Comment, by: User) -> None:
    """Take it away: its author may, and who may moderate.  Twice is once."""
    target: Any = comment.target
    if not comment.is_by(by) and not target.can_moderate(by):
        raise NotAllowed
    if comment.deleted_at is None:
        _change(comment, Change.TAKEN, deleted_at=timezone.now(), deleted_by=by, is_pinned=False)
        logger.info("Comment deleted", extra={"comment": comment.public_id, "by": by.pk})


# --- What others think of it --------------------------------------------------------


@transaction.atomic
def like(*, comment: Comment, user: User) -> None:
    """Like it; twice is once."""
    if CommentLike.objects.get_or_create(comment=comment, user=user)[1]:
        _rank(comment, likes=1)


@transaction.atomic
def unlike(*, comment: Comment, user: User) -> None:
    if CommentLike.objects.filter(comment=comment, user=user).delete()[0]:
        _rank(comment, likes=-1)


# --- The creator --------------------------------------------------------------------


@transaction.atomic
def pin(*, comment: Comment, by: User) -> None:
    """Put a comment above all others; it takes the place of the one that was there."""
    target: Any = comment.target
    _creator_only(comment, by)
    if comment.parent_id:
        raise OnlyRoots
    # Two pins at once wait for each other here: only one can be on top.
    _lock(target)
    Comment.objects.of(target).filter(is_pinned=True).update(is_pinned=False)
    _change(comment, is_pinned=True)


def unpin(*, comment: Comment, by: User) -> None:
    _creator_only(comment, by)
    _change(comment, is_pinned=False)


def give_heart(*, comment: Comment, by: User) -> None:
    _creator_only(comment, by)
    _change(comment, has_heart=True)


def take_heart(*, comment: Comment, by: User) -> None:
    _creator_only(comment, by)
    _change(comment, has_heart=False)


def _creator_only(comment: Comment, by: User) -> None:
    """Raises :class:`NotAllowed` for everybody else, and for what nobody reads."""
    target: Any = comment.target
    is_silent = comment.deleted_at or comment.is_hidden or comment.is_held
    if is_silent or not target.channel.is_owned_by(by):
        raise NotAllowed


def _lock(target: Any) -> None:
    type(target)._default_manager.select_for_update().filter(pk=target.pk).first()


# --- Whoever moderates ----------------------------------------------------------------


def approve(*, comment: Comment, by: User) -> None:
    """Let a held comment through."""
    target: Any = comment.target
    if not target.can_moderate(by):
        raise NotAllowed
    if not comment.is_held:
        return
    with transaction.atomic():
        _change(comment, Change.RESTORED, is_held=False)
        tell_of(comment, target, answered=comment.parent.author if comment.parent else None)


def hide(*, comment: Comment, by: User) -> None:
    """Show it to moderators only."""
    _moderators_only(by)
    _change(comment, Change.TAKEN, is_hidden=True, is_pinned=False)
    logger.info("Comment hidden", extra={"comment": comment.public_id, "by": by.pk})


def restore(*, comment: Comment, by: User) -> None:
    """Undo hiding, and deleting unless its author did it."""
    _moderators_only(by)
    is_theirs = comment.deleted_by_id is not None and comment.deleted_by_id == comment.author_id
    back = {} if is_theirs else {"deleted_at": None, "deleted_by": None}
    _change(comment, Change.RESTORED, is_hidden=False, **back)
    logger.info("Comment restored", extra={"comment": comment.public_id, "by": by.pk})


def _moderators_only(by: User) -> None:
    if not by.is_moderator:
        raise NotAllowed


# --- How it is stored ---------------------------------------------------------------------


@transaction.atomic
def _change(comment: Comment, change: Change | None = None, /, **fields: Any) -> None:
    """Set ``fields``; ``change`` is what that means to those who have it before their eyes."""
    for name, value in fields.items():
        setattr(comment, name, value)
    comment.save(update_fields=list(fields))
    _rank(comment)
    if change:
        target: Any = comment.target
        changes.tell_on_commit(target, changes.Kind.COMMENT, [comment.public_id], change)


def _rank(comment: Comment, *, likes: int = 0) -> None:
    """Count ``likes`` more, and find its place and its root's anew; inside a transaction."""
    changes = {comment.pk: likes} | ({comment.parent_id: 0} if comment.parent_id else {})
    for pk, more in sorted(changes.items()):  # always in this order: nobody waits for each other
        row = Comment.objects.select_for_update().get(pk=pk)
        row.like_count = max(0, row.like_count + more)
        replies = Comment.objects.spoken().filter(parent=row).count()
        row.score = score(
            likes=row.like_count, replies=replies, has_heart=row.has_heart, created_at=row.created_at
        )
        row.save(update_fields=["like_count", "score"])
        if pk == comment.pk:
            comment.like_count, comment.score = row.like_count, row.score
