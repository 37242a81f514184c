"""Comments, their likes, and danmaku.

Nothing that was said is erased while its account lives: it is *deleted* (by its
author or whoever may moderate), *hidden* (by the site's moderators) or *held*
(until somebody has looked at it), and every one of these can be undone.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import BooleanField, Case, Count, Exists, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User

if TYPE_CHECKING:
    from typing import Self

    from django.contrib.auth.models import AnonymousUser

    from comments.targets import Target

MAX_COMMENT = 2000
MAX_DANMAKU = 100

# No vowels and no look-alikes: an id is never a word and survives being read aloud.
_ID_ALPHABET = "23456789bcdfghjkmnpqrstvwxzBCDFGHJKMNPQRSTVWXZ"


def new_public_id() -> str:
    """Eleven characters, 60 bits: opaque, and not to be guessed."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(11))


def about(target: Target) -> dict[str, Any]:
    """The two columns that name ``target``."""
    model: Any = type(target)
    return {"target_type": ContentType.objects.get_for_model(model), "target_id": target.pk}


def is_spoken() -> Q:
    """What everybody reads: not deleted, hidden or held, of an account that is there and active."""
    return Q(deleted_at=None, is_hidden=False, is_held=False, author__is_active=True)


def is_readable(user: User | AnonymousUser, *, can_moderate: bool) -> Q:
    """What ``user`` reads: of what is held their own, or all who may moderate; what is hidden, moderators."""
    readable = is_spoken()
    if not user.is_authenticated:
        return readable
    readable |= Q(author=user.pk, deleted_at=None, is_hidden=False)
    if can_moderate:
        readable |= Q(is_held=True, deleted_at=None, is_hidden=False, author__is_active=True)
    if user.is_moderator:
        readable |= Q(is_hidden=True, deleted_at=None)
    return readable


class CommentQuerySet(models.QuerySet["Comment"]):
    def of(self, target: Target) -> Self:
        return self.filter(**about(target))

    def spoken(self) -> Self:
        return self.filter(is_spoken())

    def roots(self) -> Self:
        return self.filter(parent=None)

    def waiting(self) -> Self:
        """Held, and somebody ought to look at it."""
        return self.filter(is_held=True, deleted_at=None, is_hidden=False, author__is_active=True)

    def seen_by(self, user: User | AnonymousUser, *, can_moderate: bool) -> Self:
        """What ``user`` sees, with all that is shown of it.

        A root that may not be read stays, without its words, while there are
        replies to read under it.  ``is_readable`` tells the two apart;
        ``reply_count`` counts what unfolding would show; ``is_liked`` is the user's.
        """
        readable = is_readable(user, can_moderate=can_moderate)
        replies = Comment.objects.filter(readable, parent=OuterRef("pk"))
        counted = replies.order_by().values("parent").annotate(count=Count("pk")).values("count")
        likes = CommentLike.objects.filter(comment=OuterRef("pk"), user=user.pk or 0)
        return (
            self.filter(readable | Exists(replies))
            .annotate(
                is_readable=Case(When(readable, then=True), default=False, output_field=BooleanField()),
                reply_count=Coalesce(Subquery(counted), Value(0)),
                is_liked=Exists(likes),
            )
            .select_related("author__channel", "parent")
        )


class Comment(models.Model):
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    target_type = models.ForeignKey(ContentType, models.CASCADE, related_name="+", editable=False)
    target_id = models.PositiveBigIntegerField(editable=False)
    target = GenericForeignKey("target_type", "target_id")
    author = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="comments", verbose_name=_("author")
    )
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, related_name="replies", help_text="a root; roots have none"
    )
    text = models.TextField(_("text"), max_length=MAX_COMMENT)
    # The user names among its @names that were somebody's when it was written, as they are spelt.
    mentions = models.JSONField(default=list, editable=False)
    created_at = models.DateTimeField(_("written"), default=timezone.now, editable=False)
    edited_at = models.DateTimeField(_("edited"), null=True, editable=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, editable=False)
    deleted_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", editable=False)
    is_hidden = models.BooleanField(_("hidden"), default=False, help_text=_("Only moderators see it."))
    is_held = models.BooleanField(_("held"), default=False, help_text=_("Waits for somebody to look at it."))
    is_pinned = models.BooleanField(_("pinned"), default=False)
    has_heart = models.BooleanField(_("heart"), default=False)
    like_count = models.PositiveIntegerField(_("likes"), default=0)
    score = models.FloatField(default=0, editable=False, help_text="its place among the best; see ranking.py")

    objects = CommentQuerySet.as_manager()

    # What ``seen_by`` adds for one reader.
    is_readable: bool
    reply_count: int
    is_liked: bool

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["target_type", "target_id", "parent", "-score", "-id"], name="comment_best"),
            models.Index(
                fields=["target_type", "target_id", "parent", "-created_at", "-id"], name="comment_newest"
            ),
            models.Index(fields=["parent", "created_at", "id"], name="comment_replies"),
            models.Index(fields=["author", "-created_at"], name="comment_of_author"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["target_type", "target_id"], condition=Q(is_pinned=True), name="comment_one_pinned"
            ),
            models.CheckConstraint(
                condition=Q(is_pinned=False) | Q(parent=None), name="comment_pinned_is_a_root"
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    def get_absolute_url(self) -> str:
        """The page it is on, which shows it first."""
        target: Any = self.target
        return f"{target.get_absolute_url()}?comment={self.public_id}#comment-{self.public_id}"

    @property
    def root(self) -> Comment:
        return self.parent or self

    def is_by(self, user: User | AnonymousUser) -> bool:
        return user.is_authenticated and self.author_id == user.pk


class CommentLike(models.Model):
    comment = models.ForeignKey(Comment, models.CASCADE, related_name="likes")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["comment", "user"], name="comment_like_once")]

    def __str__(self) -> str:
        return f"{self.user_id} ♥ {self.comment_id}"


class DanmakuQuerySet(models.QuerySet["Danmaku"]):
    def of(self, target: Target) -> Self:
        return self.filter(**about(target))

    def spoken(self) -> Self:
        return self.filter(deleted_at=None, is_hidden=False, author__is_active=True)


class Danmaku(models.Model):
    """A message at a moment of what is played; who wrote it is for moderators to know."""

    class Mode(models.TextChoices):
        SCROLL = "scroll", _("Flying")
        TOP = "top", _("At the top")
        BOTTOM = "bottom", _("At the bottom")

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    target_type = models.ForeignKey(ContentType, models.CASCADE, related_name="+", editable=False)
    target_id = models.PositiveBigIntegerField(editable=False)
    target = GenericForeignKey("target_type", "target_id")
    author = models.ForeignKey(User, models.CASCADE, related_name="danmaku", verbose_name=_("author"))
    offset_ms = models.PositiveIntegerField(_("at (ms)"))
    text = models.CharField(_("text"), max_length=MAX_DANMAKU)
    mode = models.CharField(_("mode"), max_length=8, choices=Mode.choices, default=Mode.SCROLL)
    color = models.CharField(
        _("colour"),
        max_length=7,
        default="#ffffff",
        validators=[RegexValidator(r"\A#[0-9a-f]{6}\Z", _("A colour is written #rrggbb."))],
    )
    created_at = models.DateTimeField(_("written"), default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, editable=False)
    deleted_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", editable=False)
    is_hidden = models.BooleanField(_("hidden"), default=False, help_text=_("Only moderators see it."))

    objects = DanmakuQuerySet.as_manager()

    class Meta:
        verbose_name = _("danmaku")
        verbose_name_plural = _("danmaku")
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["target_type", "target_id", "offset_ms", "id"], name="danmaku_at"),
            models.Index(fields=["author", "-created_at"], name="danmaku_of_author"),
        ]

    def __str__(self) -> str:
        return self.text

    def get_absolute_url(self) -> str:
        """What it flies over, at its moment."""
        target: Any = self.target
        return f"{target.get_absolute_url()}?t={self.offset_ms // 1000}"

    def is_by(self, user: User | AnonymousUser) -> bool:
        return user.is_authenticated and self.author_id == user.pk
