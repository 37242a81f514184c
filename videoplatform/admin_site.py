"""The URL of the figures on the admin's first page: the charts that the apps have registered."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_safe

from accounts import charts


@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """Return the charts that the requester may see, as JSON."""
    answer = JsonResponse(charts.read(request.user.has_perm))
    answer["Cache-Control"] = "private, max-age=60"
    return answer


urlpatterns = [path("figures/", admin.site.admin_view(figures), name="admin-figures")]
