"""Admin of invitations; administrators create codes here and pass them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin

from accounts.models import Invitation, User

if TYPE_CHECKING:
    from django.http import HttpRequest


@admin.register(Invitation)
class InvitationAdmin(admin.ModelAdmin[Invitation]):
    list_display = ("code", "note", "used_count", "most_uses", "expires_at", "created_by", "created_at")
    list_select_related = ("created_by",)
    search_fields = ("code", "note")
    fields = ("code", "note", "most_uses", "used_count", "expires_at", "created_by", "created_at")
    readonly_fields = ("code", "used_count", "created_by", "created_at")

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = cast(User, request.user)
        super().save_model(request, obj, form, change)
