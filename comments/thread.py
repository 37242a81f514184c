"""Comments under one target as one reader sees them, for pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from comments.models import MAX_COMMENT, Comment, CommentQuerySet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User
    from comments.targets import Target

PAGE_SIZE = 20
REPLIES_PAGE_SIZE = 20
MOST_REPLIES_AT_ONCE = 200

ORDERS = {"best": _("Top comments"), "newest": _("Newest")}
HELD = "held"
COLUMNS = {"best": "score", "newest": "created_at", HELD: "created_at"}


def is_id(text: str) -> bool:
    """Return whether ``text`` can be a public id; other texts are not looked up."""
    return 0 < len(text) <= 16 and text.isascii() and text.isalnum()


@dataclass(frozen=True, slots=True)
class Place:
    """Target, the page that shows it, and the address of its comments (with a slash at the end)."""

    target: Target
    page_url: str
    url: str


@dataclass(frozen=True, slots=True)
class CommentPage:
    comments: Sequence[Comment]
    next_query: str = ""  # empty on the last page


class Thread:
    """Comments of a target that ``user`` may see, with their order and paging."""

    def __init__(self, place: Place, user: User | AnonymousUser) -> None:
        self.place = place
        self.target = place.target
        self.user = user

    @cached_property
    def can_moderate(self) -> bool:
        return self.target.can_moderate(self.user)

    @cached_property
    def is_creator(self) -> bool:
        return self.target.channel.is_owned_by(self.user)

    @property
    def is_moderator(self) -> bool:
        return self.user.is_authenticated and self.user.is_moderator

    @property
    def visible(self) -> CommentQuerySet:
        return Comment.objects.of(self.target).seen_by(self.user, can_moderate=self.can_moderate)

    @cached_property
    def count(self) -> int:
        return Comment.objects.of(self.target).spoken_count()

    @cached_property
    def held_count(self) -> int:
        """Return the number of held comments, for users who may approve them."""
        return self._held().count() if self.can_moderate else 0

    def _held(self) -> CommentQuerySet:
        return self.visible.waiting()

    def find(self, public_id: str) -> Comment | None:
        """Return a visible comment; None if there is no such comment."""
        if not is_id(public_id):
            return None
        comment = self.visible.filter(public_id=public_id).first()
        if comment:
            comment.target = self.target
        return comment

    def page(self, order: str, after: str = "") -> CommentPage:
        """Return a page of root comments (or of all held comments, for ``HELD``).

        The page follows the comment with the id ``after``.  The first page begins with the
        pinned comment.
        """
        if order == HELD:
            rows = self._held() if self.can_moderate else self.visible.none()
        else:
            rows = self.visible.roots()
        column = COLUMNS[order]
        last = self._cursor_comment(after)
        # Queried separately: one query for both would sort all comments, because no index
        # covers ``is_pinned`` and the order.
        pinned = list(rows.filter(is_pinned=True)) if last is None else []
        rows = rows.filter(is_pinned=False)
        if last is not None and not last.is_pinned:
            value = getattr(last, column)
            rows = rows.filter(
                Q(**{f"{column}__lt": value}) | Q(**{column: value}, pk__lt=last.pk),
                # Implied by the first condition; lets the index begin at ``value``.
                **{f"{column}__lte": value},
            )
        return self._paginate(rows.order_by(f"-{column}", "-pk"), PAGE_SIZE, first=pinned, order=order)

    def replies(self, root: Comment, after: str = "", through: Comment | None = None) -> CommentPage:
        """Return the replies to ``root``, oldest first.

        The page is extended to include ``through``, up to ``MOST_REPLIES_AT_ONCE`` replies.
        """
        rows = self.visible.filter(parent=root)
        size = REPLIES_PAGE_SIZE
        if through is not None:
            before = rows.filter(created_at__lte=through.created_at).count()
            size = min(max(size, before), MOST_REPLIES_AT_ONCE)
        last = self._cursor_comment(after)
        if last is not None:
            later = Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, pk__gt=last.pk)
            # As in :meth:`page`, the last condition is for the index.
            rows = rows.filter(later, created_at__gte=last.created_at)
        return self._paginate(rows.order_by("created_at", "pk"), size, show="replies")

    def _cursor_comment(self, public_id: str) -> Comment | None:
        """Return the last comment of the previous page, even if it was deleted since."""
        if not is_id(public_id):
            return None
        return Comment.objects.of(self.target).filter(public_id=public_id).first()

    def _paginate(
        self, rows: CommentQuerySet, size: int, first: Sequence[Comment] = (), **query: str
    ) -> CommentPage:
        found = [*first, *rows[: size + 1 - len(first)]]
        shown = found[:size]
        for comment in shown:
            comment.target = self.target
        if len(found) <= size:
            return CommentPage(shown)
        return CommentPage(shown, "?" + urlencode({**query, "after": shown[-1].public_id}))

    def base_context(self, **more: Any) -> dict[str, Any]:
        return {"thread": self, "place": self.place, "max_length": MAX_COMMENT, **more}

    def section(self, order: str = "best", after: str = "", chosen: str = "") -> dict[str, Any]:
        """Return the template context of the section.

        ``chosen`` is the id of a linked comment: its root comes first, with its replies.
        """
        order = order if order in ORDERS or (order == HELD and self.can_moderate) else "best"
        page = self.page(order, after)
        context = self.base_context(order=order, orders=ORDERS, page=page)
        comment = self.find(chosen)
        if comment is None:
            return context
        root = self.find(comment.root.public_id) if comment.parent_id else comment
        if root is None:
            return context
        others = [shown for shown in page.comments if shown.pk != root.pk]
        return {
            **context,
            "page": CommentPage(others, page.next_query),
            "chosen": comment,
            "chosen_root": root,
            "chosen_replies": self.replies(root, through=comment if comment.parent_id else None),
        }
