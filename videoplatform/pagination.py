"""How lists are cut into pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from rest_framework import pagination
from rest_framework.exceptions import NotFound

if TYPE_CHECKING:
    from rest_framework.request import Request


class CursorPagination(pagination.CursorPagination):
    """Opaque cursors: a list stays consistent while rows are added at its head."""

    page_size = 24
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = ("-created_at", "-id")
    # A cursor names a value and how many rows with that value came before; capped,
    # a list with more equal values than the cap would go round in circles.
    offset_cutoff = None  # type: ignore[assignment]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Cut the page; a cursor that somebody made up, or took from another order, is not found."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, OverflowError) as error:
            raise NotFound(self.invalid_cursor_message) from error
