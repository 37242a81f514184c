"""Comments and danmaku at the moderators' desk: read, hidden and brought back, never rewritten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from comments import danmaku, services
from comments.models import Comment, Danmaku

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from accounts.models import User


class ReadOnly:
    """What people said is not written, rewritten or erased at this desk."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Comment)
class CommentAdmin(ReadOnly, admin.ModelAdmin[Comment]):
    list_display = (
        "words",
        "author",
        "target",
        "created_at",
        "like_count",
        "is_held",
        "is_hidden",
        "is_deleted",
    )
    list_display_links = ("words",)
    list_filter = ("is_held", "is_hidden", ("deleted_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("author", "target_type")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("text", "public_id", "author__username")
    date_hierarchy = "created_at"
    fields = (
        "text", "author", "target", "parent", "public_id", "created_at", "edited_at", "like_count",
        "is_pinned", "has_heart", "is_held", "is_hidden", "deleted_at", "deleted_by",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("hide", "approve", "restore")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Comment]:
        return super().get_queryset(request).prefetch_related("target")

    @admin.display(description=_("text"), ordering="text")
    def words(self, comment: Comment) -> str:
        return comment.text if len(comment.text) <= 120 else f"{comment.text[:119]}…"

    @admin.display(description=_("about"))
    def target(self, comment: Comment) -> str:
        return str(comment.target or "–")

    @admin.display(description=_("deleted"), boolean=True)
    def is_deleted(self, comment: Comment) -> bool:
        return comment.deleted_at is not None

    @admin.action(description=_("Hide from everyone"), permissions=["change"])
    def hide(self, request: HttpRequest, comments: QuerySet[Comment]) -> None:
        for comment in comments:
            services.hide(comment=comment, by=cast("User", request.user))
        self._say(request, len(comments))

    @admin.action(description=_("Let through what is held"), permissions=["change"])
    def approve(self, request: HttpRequest, comments: QuerySet[Comment]) -> None:
        held = [comment for comment in comments if comment.is_held and comment.target]
        for comment in held:
            services.approve(comment=comment, by=cast("User", request.user))
        self._say(request, len(held))

    @admin.action(description=_("Show to everyone again"), permissions=["change"])
    def restore(self, request: HttpRequest, comments: QuerySet[Comment]) -> None:
        for comment in comments:
            services.restore(comment=comment, by=cast("User", request.user))
        self._say(request, len(comments))

    def _say(self, request: HttpRequest, count: int) -> None:
        sentence = ngettext("%(n)d comment was changed.", "%(n)d comments were changed.", count)
        self.message_user(request, sentence % {"n": count}, messages.SUCCESS)


@admin.register(Danmaku)
class DanmakuAdmin(ReadOnly, admin.ModelAdmin[Danmaku]):
    list_display = ("text", "author", "target", "moment", "mode", "created_at", "is_hidden", "is_deleted")
    list_filter = ("is_hidden", ("deleted_at", admin.EmptyFieldListFilter), "mode", "created_at")
    list_select_related = ("author", "target_type")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("text", "public_id", "author__username")
    date_hierarchy = "created_at"
    fields = (
        "text", "author", "target", "moment", "mode", "color", "public_id", "created_at",
        "is_hidden", "deleted_at", "deleted_by",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("hide", "restore")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Danmaku]:
        return super().get_queryset(request).prefetch_related("target")

    @admin.display(description=_("about"))
    def target(self, flying: Danmaku) -> str:
        return str(flying.target or "–")

    @admin.display(description=_("moment"), ordering="offset_ms")
    def moment(self, flying: Danmaku) -> str:
        seconds = flying.offset_ms // 1000
        return f"{seconds // 60}:{seconds % 60:02}"

    @admin.display(description=_("deleted"), boolean=True)
    def is_deleted(self, flying: Danmaku) -> bool:
        return flying.deleted_at is not None

    @admin.action(description=_("Hide from everyone"), permissions=["change"])
    def hide(self, request: HttpRequest, flying: QuerySet[Danmaku]) -> None:
        for one in flying:
            danmaku.hide(danmaku=one, by=cast("User", request.user))
        self._say(request, len(flying))

    @admin.action(description=_("Show to everyone again"), permissions=["change"])
    def restore(self, request: HttpRequest, flying: QuerySet[Danmaku]) -> None:
        for one in flying:
            danmaku.restore(danmaku=one, by=cast("User", request.user))
        self._say(request, len(flying))

    def _say(self, request: HttpRequest, count: int) -> None:
        sentence = ngettext("%(n)d danmaku was changed.", "%(n)d danmaku were changed.", count)
        self.message_user(request, sentence % {"n": count}, messages.SUCCESS)
