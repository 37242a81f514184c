"""The API's root: one router, one pagination; each app brings its viewsets."""

from django.urls import include, path
from rest_framework.pagination import CursorPagination


class Pagination(CursorPagination):
    """Opaque cursors: a list stays consistent while rows are added at its head."""

    page_size = 24
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = ("-created_at", "-pk")


urlpatterns = [
    path("", include("accounts.api_urls")),
    path("", include("videos.api_urls")),
]
