"""How lists are cut into pages."""

from rest_framework import pagination


class CursorPagination(pagination.CursorPagination):
    """Opaque cursors: a list stays consistent while rows are added at its head."""

    page_size = 24
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = ("-created_at", "-id")
