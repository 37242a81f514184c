"""Base admins for rows that people create and moderators only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

if TYPE_CHECKING:
    from django.http import HttpRequest


class SeenNotEdited(admin.ModelAdmin[Any]):
    """Base admin without adding and editing; the model's permissions decide about deletion."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OnlySeen(SeenNotEdited):
    """Base admin without adding, editing and deletion."""

    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
