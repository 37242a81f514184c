"""The menu of a video in a list, and the list of videos in which a person is not interested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.viewers import Viewer
from videos import services
from videos.listing import read_position, write_position
from videos.models import DismissedVideo, Video

if TYPE_CHECKING:
    from accounts.requests import PersonRequest

PAGE_SIZE = 24


def _found(request: HttpRequest, public_id: str) -> Video:
    """Return the video if the requester may watch it; raises Http404."""
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    if not video.can_watch(Viewer(request.user, request.session)):
        raise Http404
    return video


@require_safe
def actions(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the actions for a video in a list; with ``?menu``, only the menu."""
    video = _found(request, public_id)
    context = {"video": video, "is_own": video.can_edit(request.user)}
    if request.user.is_authenticated:
        later = services.watch_later(request.user)
        context |= {"later": later, "is_later": later.pk in services.holding([later], video)}
    template = "videos/includes/actions.html" if "menu" in request.GET else "videos/actions.html"
    return render(request, template, context)


@login_required
@require_POST
def dismiss(request: PersonRequest, public_id: str) -> HttpResponse:
    """Leave a video out of recommendations, or show it again if the form says ``dismissed=0``.

    Answers scripts without a page.
    """
    if request.POST.get("dismissed") == "0":
        services.undo_dismissal(request.user, public_id)
    else:
        services.dismiss(_found(request, public_id), request.user)
    return HttpResponse(status=204) if "HX-Request" in request.headers else redirect("dismissed")


@login_required
@require_safe
def dismissed(request: PersonRequest) -> HttpResponse:
    """List the videos that the requester dismissed and may still watch, the latest first."""
    rows = DismissedVideo.objects.filter(user=request.user).select_related("video__channel__owner")
    if position := read_position(request.GET.get("after", ""), "pk"):
        rows = rows.filter(pk__lt=position[1])
    found = list(rows.order_by("-pk")[: PAGE_SIZE + 1])
    page = found[:PAGE_SIZE]
    visitor = Viewer(request.user, request.session).for_list(row.video.channel_id for row in page)
    context = {
        "videos": [row.video for row in page if row.video.can_watch(visitor)],
        "after": write_position(page[-1].pk, page[-1].pk) if len(found) > PAGE_SIZE else "",
        "is_empty": not found,
    }
    return render(request, "videos/dismissed.html", context)


@login_required
@require_POST
def clear(request: PersonRequest) -> HttpResponse:
    services.clear_dismissals(request.user)
    return redirect("dismissed")
