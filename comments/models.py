"""Comments, their likes, and danmaku.

No text is erased while its author's account exists.  It is *deleted* (by its author
or a moderator of its target), *hidden* (by the site's moderators) or *held* (until
a moderator approves it), and each of these can be undone.
"""

from __future__ import annotations

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
from common.ids import new_public_id

if TYPE_CHECKING:
    from typing import Self

    from django.contrib.auth.models import AnonymousUser

    from comments.targets import Target

MAX_COMMENT = 2000
MAX_DANMAKU = 100


def target_columns(target: Target) -> dict[str, Any]:
    """Return the two columns that identify ``target``."""
    model: Any = type(target)
    return {"target_type": ContentType.objects.get_for_model(model), "target_id": target.pk}


# Neither deleted, hidden nor held.
STANDING = Q(deleted_at=None, is_hidden=False, is_held=False)
ROOT = Q(parent=None)


def is_spoken() -> Q:
    """Return the filter of public comments: not deleted, hidden or held, with an active author."""
    return STANDING & Q(author__is_active=True)


def is_readable(user: User | AnonymousUser, *, can_moderate: bool) -> Q:
    """Return the filter of the comments that ``user`` may read.

    Everybody reads public comments; authors also their own held ones; moderators of the
    target all held ones; the site's moderators also hidden ones.
    """
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
        return self.filter(**target_columns(target))

    def spoken(self) -> Self:
        return self.filter(is_spoken())

    def spoken_count(self) -> int:
        """Return the number of public comments, from an index alone.

        Inactive authors are few, so they are excluded instead of joining each author.
        """
        standing = self.filter(STANDING).exclude(author=None)
        return standing.exclude(author__in=User.objects.filter(is_active=False).values("pk")).count()

    def roots(self) -> Self:
        return self.filter(parent=None)

    def waiting(self) -> Self:
        """Return the held comments that wait for review."""
        return self.filter(is_held=True, deleted_at=None, is_hidden=False, author__is_active=True)

    def seen_by(self, user: User | AnonymousUser, *, can_moderate: bool) -> Self:
        """Return the comments that ``user`` sees, with the annotations that pages show.

        A root that may not be read stays, without its text, while it has readable
        replies: ``is_readable`` is then false.  ``reply_count`` counts the readable
        replies; ``is_liked`` is true if ``user`` likes the comment.
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
    public_id = models.CharField(
        _("public ID"), max_length=16, unique=True, default=new_public_id, editable=False
    )
    target_type = models.ForeignKey(ContentType, models.CASCADE, related_name="+", editable=False)
    target_id = models.PositiveBigIntegerField(editable=False)
    target = GenericForeignKey("target_type", "target_id")
    author = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="comments", verbose_name=_("author")
    )
    parent = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        related_name="replies",
        verbose_name=_("reply to"),
        help_text=_("top-level comment of a reply"),
    )
    text = models.TextField(_("text"), max_length=MAX_COMMENT)
    # The existing user names that ``text`` mentioned at the time of writing, as they are spelt.
    mentions = models.JSONField(default=list, editable=False)
    created_at = models.DateTimeField(_("posted"), default=timezone.now, editable=False)
    edited_at = models.DateTimeField(_("edited"), null=True, editable=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, editable=False)
    deleted_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", editable=False, verbose_name=_("deleted by")
    )
    is_hidden = models.BooleanField(_("hidden"), default=False, help_text=_("Visible to moderators only."))
    is_held = models.BooleanField(_("held"), default=False, help_text=_("Waiting for review."))
    is_pinned = models.BooleanField(_("pinned"), default=False)
    has_heart = models.BooleanField(_("heart"), default=False)
    like_count = models.PositiveIntegerField(_("likes"), default=0)
    score = models.FloatField(default=0, editable=False, help_text="its place among the best; see ranking.py")

    objects = CommentQuerySet.as_manager()

    # Annotations of ``seen_by``, for one reader.
    is_readable: bool
    reply_count: int
    is_liked: bool

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ["-created_at", "-pk"]
        indexes = [
            # Roots only: PostgreSQL cannot read an index that starts with the parent in this
            # order, because IS NULL is not an equality.
            models.Index(
                fields=["target_type", "target_id", "-score", "-id"], condition=ROOT, name="comment_best"
            ),
            models.Index(
                fields=["target_type", "target_id", "-created_at", "-id"],
                condition=ROOT,
                name="comment_newest",
            ),
            models.Index(fields=["parent", "created_at", "id"], name="comment_replies"),
            models.Index(fields=["author", "-created_at"], name="comment_of_author"),
            models.Index(
                fields=["target_type", "target_id", "author"], condition=STANDING, name="comment_spoken"
            ),
            models.Index(
                fields=["target_type", "target_id", "-created_at", "-id"],
                condition=Q(is_held=True),
                name="comment_held",
            ),
            # For the lists of the admin: all comments, and the rare states among them.
            models.Index(fields=["-created_at", "-id"], name="comment_created"),
            models.Index(fields=["-created_at", "-id"], condition=Q(is_held=True), name="comment_all_held"),
            models.Index(
                fields=["-created_at", "-id"], condition=Q(is_hidden=True), name="comment_all_hidden"
            ),
            models.Index(
                fields=["-created_at", "-id"],
                condition=Q(deleted_at__isnull=False),
                name="comment_all_deleted",
            ),
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
        """Return the address of the page that shows this comment first."""
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
        return self.filter(**target_columns(target))

    def spoken(self) -> Self:
        return self.filter(deleted_at=None, is_hidden=False, is_cut=False, author__is_active=True)


class Danmaku(models.Model):
    """Message at a moment of a video; only moderators see its author."""

    class Mode(models.TextChoices):
        SCROLL = "scroll", _("Scrolling")
        TOP = "top", _("Top")
        BOTTOM = "bottom", _("Bottom")

    public_id = models.CharField(
        _("public ID"), max_length=16, unique=True, default=new_public_id, editable=False
    )
    target_type = models.ForeignKey(ContentType, models.CASCADE, related_name="+", editable=False)
    target_id = models.PositiveBigIntegerField(editable=False)
    target = GenericForeignKey("target_type", "target_id")
    author = models.ForeignKey(User, models.CASCADE, related_name="danmaku", verbose_name=_("author"))
    offset_ms = models.PositiveIntegerField(_("time (ms)"))
    # Its moment was cut out of the target; the time is that before any cut.
    is_cut = models.BooleanField(default=False, db_default=False, editable=False)
    text = models.CharField(_("text"), max_length=MAX_DANMAKU)
    mode = models.CharField(_("mode"), max_length=8, choices=Mode.choices, default=Mode.SCROLL)
    color = models.CharField(
        _("color"),
        max_length=7,
        default="#ffffff",
        validators=[RegexValidator(r"\A#[0-9a-f]{6}\Z", _("Write the color as #rrggbb."))],
    )
    created_at = models.DateTimeField(_("posted"), default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, editable=False)
    deleted_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", editable=False, verbose_name=_("deleted by")
    )
    is_hidden = models.BooleanField(_("hidden"), default=False, help_text=_("Visible to moderators only."))

    objects = DanmakuQuerySet.as_manager()

    class Meta:
        verbose_name = _("danmaku")
        verbose_name_plural = _("danmaku")
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["target_type", "target_id", "offset_ms", "id"], name="danmaku_at"),
            models.Index(fields=["author", "-created_at"], name="danmaku_of_author"),
            models.Index(fields=["-created_at", "-id"], name="danmaku_created"),
            models.Index(
                fields=["-created_at", "-id"], condition=Q(is_hidden=True), name="danmaku_all_hidden"
            ),
            models.Index(
                fields=["-created_at", "-id"],
                condition=Q(deleted_at__isnull=False),
                name="danmaku_all_deleted",
            ),
        ]

    def __str__(self) -> str:
        return self.text

    def get_absolute_url(self) -> str:
        """Return the address of the target at this moment."""
        target: Any = self.target
        return f"{target.get_absolute_url()}?t={self.offset_ms // 1000}"

    def is_by(self, user: User | AnonymousUser) -> bool:
        return user.is_authenticated and self.author_id == user.pk
