"""Admin of comments and danmaku: moderators read, hide and restore them, but do not edit them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import moderation
from accounts.admin.forms import BulkDecisionForm
from accounts.models import Decision, Reason
from comments import services
from comments.decisions import kind_of
from comments.models import Comment, Danmaku
from common.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from accounts.models import User

    Text = Comment | Danmaku


class TextAdmin(admin.ModelAdmin[Any]):
    """Base admin of comments and danmaku: read-only, with the decisions of the desk as actions."""

    list_select_related = ("author", "target_type")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("text", "public_id", "author__username")
    sortable_by = ("created_at",)
    action_form = BulkDecisionForm

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("accounts.decide_case"))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("target")

    @admin.display(description=_("about"))
    def target(self, text: Text) -> str:
        return str(text.target or "–")

    @admin.display(description=_("deleted"), boolean=True)
    def is_deleted(self, text: Text) -> bool:
        return text.deleted_at is not None

    @admin.action(description=_("Hide"), permissions=["decide"])
    def hide(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._decide(request, rows, Decision.Action.HIDE)

    @admin.action(description=_("Remove"), permissions=["decide"])
    def remove(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._decide(request, rows, Decision.Action.REMOVE)

    @admin.action(description=_("Undo last decision"), permissions=["decide"])
    def undo_latest(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        by = cast("User", request.user)
        self._each(request, rows, lambda text: moderation.undo_latest(kind_of(text), text.public_id, by=by))

    def _decide(self, request: HttpRequest, rows: QuerySet[Any], action: Decision.Action) -> None:
        by, asked = cast("User", request.user), request.POST.get("reason", "")
        reason = asked if asked in Reason.values else Reason.OTHER

        def decide(text: Text) -> None:
            moderation.act(kind_of(text), text.public_id, by=by, action=action, reason=reason)

        self._each(request, rows, decide)

    def _each(self, request: HttpRequest, rows: QuerySet[Any], act: Callable[[Any], object]) -> None:
        """Call ``act`` for each row, and show the rows that it refuses with their reasons."""
        done = 0
        for text in rows:
            try:
                act(text)
                done += 1
            except Refusal as error:
                messages.warning(request, f"{text}: {error}")
        if done:
            messages.success(request, ngettext("%(n)d changed.", "%(n)d changed.", done) % {"n": done})


@admin.register(Comment)
class CommentAdmin(TextAdmin):
    list_display = (
        "words", "author", "target", "created_at", "like_count", "is_held", "is_hidden", "is_deleted",
    )  # fmt: skip
    list_filter = ("is_held", "is_hidden", ("deleted_at", admin.EmptyFieldListFilter), "created_at")
    fields = (
        "text", "author", "target", "parent", "public_id", "created_at", "edited_at", "like_count",
        "is_pinned", "has_heart", "is_held", "is_hidden", "deleted_at", "deleted_by",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("hide", "remove", "undo_latest", "approve")

    @admin.display(description=_("text"), ordering="text")
    def words(self, comment: Comment) -> str:
        return comment.text if len(comment.text) <= 120 else f"{comment.text[:119]}…"

    @admin.action(description=_("Approve held comments"), permissions=["change"])
    def approve(self, request: HttpRequest, rows: Any) -> None:
        by = cast("User", request.user)
        self._each(request, rows.waiting(), lambda comment: services.approve(comment=comment, by=by))


@admin.register(Danmaku)
class DanmakuAdmin(TextAdmin):
    list_display = ("text", "author", "target", "moment", "mode", "created_at", "is_hidden", "is_deleted")
    list_filter = ("is_hidden", ("deleted_at", admin.EmptyFieldListFilter), "mode", "created_at")
    fields = (
        "text", "author", "target", "moment", "mode", "color", "public_id", "created_at",
        "is_hidden", "deleted_at", "deleted_by",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("hide", "remove", "undo_latest")

    @admin.display(description=_("time"), ordering="offset_ms")
    def moment(self, flying: Danmaku) -> str:
        seconds = flying.offset_ms // 1000
        return f"{seconds // 60}:{seconds % 60:02}"
