"""Pages of the watch history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.viewers import Viewer
from videos import services
from videos.listing import read_position, write_position
from videos.models import WatchedVideo

if TYPE_CHECKING:
    from accounts.requests import PersonRequest

PAGE_SIZE = 24
MAX_WORDS = 200  # characters


@login_required
@require_safe
def history(request: PersonRequest) -> HttpResponse:
    """List the videos that the requester watched and may still watch, the latest first."""
    words = request.GET.get("q", "").strip()[:MAX_WORDS]
    entries = WatchedVideo.objects.of(request.user).for_cards().matching(words)
    if position := read_position(request.GET.get("after", ""), "watched_at"):
        watched_at, pk = position
        entries = entries.filter(Q(watched_at__lt=watched_at) | Q(watched_at=watched_at, pk__lt=pk))
    found = list(entries.order_by("-watched_at", "-pk")[: PAGE_SIZE + 1])
    page, last = found[:PAGE_SIZE], found[PAGE_SIZE - 1 : PAGE_SIZE]
    visitor = Viewer(request.user, request.session)
    context = {
        "entries": services.watchable(page, visitor),
        "words": words,
        "after": write_position(last[0].watched_at, last[0].pk) if len(found) > PAGE_SIZE else "",
        "is_paused": services.is_history_paused(request.user),
        "is_empty": not found and not words and not position,
    }
    return render(request, "videos/history.html", context)


@login_required
@require_POST
def forget(request: PersonRequest, public_id: str) -> HttpResponse:
    services.forget_watched(request.user, public_id)
    return redirect("history")


@login_required
@require_POST
def clear(request: PersonRequest) -> HttpResponse:
    services.clear_history(request.user)
    return redirect("history")


@login_required
@require_POST
def pause(request: PersonRequest) -> HttpResponse:
    """Pause the history, or resume it if the form says ``paused=0``."""
    services.pause_history(request.user, is_paused=request.POST.get("paused") != "0")
    return redirect("history")
