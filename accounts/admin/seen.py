"""Rows that come from what people do; at the desk they can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

if TYPE_CHECKING:
    from django.http import HttpRequest


class SeenNotEdited(admin.ModelAdmin[Any]):
    """What may be removed nevertheless, its model's permissions say."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OnlySeen(SeenNotEdited):
    """Not removed either, by nobody."""

    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
