"""Pages of the notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from accounts import notifications
from accounts.models import Notification

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


NOTIFICATIONS_PAGE_SIZE = 30
NOTIFICATIONS_UNDER_BELL = 8


@login_required
def notification_list(request: PersonRequest) -> HttpResponse:
    """Show all notifications; a POST marks them read."""
    if request.method == "POST":
        notifications.mark_read(request.user)
        return redirect("notifications")
    listed = Notification.objects.of(request.user)
    context = {
        "page": Paginator(listed, NOTIFICATIONS_PAGE_SIZE).get_page(request.GET.get("page")),
        "unread_count": notifications.unread_count(request.user),
    }
    return render(request, "accounts/notifications.html", context)


@login_required
@never_cache
def recent_notifications(request: PersonRequest) -> HttpResponse:
    """Return the newest notifications for the bell."""
    newest = list(Notification.objects.of(request.user)[:NOTIFICATIONS_UNDER_BELL])
    return render(request, "accounts/includes/notifications_recent.html", {"notifications": newest})
