"""Pagination of the API's lists."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from rest_framework import pagination
from rest_framework.exceptions import NotFound

if TYPE_CHECKING:
    from rest_framework.request import Request


class CursorPagination(pagination.CursorPagination):
    """Pagination by opaque cursors: a list stays consistent while rows are added at its head."""

    page_size = 24
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = ("-created_at", "-id")
    # A cursor holds a value and the number of earlier rows with that value.  A cap on that
    # number would make a list with more equal values go round in circles.
    offset_cutoff = None  # type: ignore[assignment]

    def decode_cursor(self, request: Request) -> Any:
        """Read the cursor; raise ``ValueError`` or ``OverflowError`` for a time outside the database's range.

        A time of year 1 with an offset lies before year 1 in UTC.
        """
        cursor = super().decode_cursor(request)
        if cursor and cursor.position and (moment := parse_datetime(str(cursor.position))):
            moment.astimezone(UTC)
        return cursor

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Return a page; raise ``NotFound`` for a cursor that is made up or from another order."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, OverflowError) as error:
            raise NotFound(self.invalid_cursor_message) from error
