"""Pages of playlists and of *watch later*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.viewers import Viewer
from common.errors import Refusal
from videos import services
from videos.forms import PlaylistForm
from videos.models import Playlist, Video

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


@login_required
def playlists(request: PersonRequest) -> HttpResponse:
    """List the requester's playlists; a POST makes one."""
    form = PlaylistForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            return redirect(services.create_playlist(request.user, **form.cleaned_data))
        except Refusal as error:
            form.add_error(error.attr if error.attr in form.fields else None, str(error))
    visitor = Viewer(request.user, request.session)
    rows = services.covers_of(services.playlists_of(request.user), visitor)
    status = 422 if form.errors else 200
    return render(request, "videos/playlists.html", {"form": form, "rows": rows}, status=status)


@require_safe
def playlist(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a playlist; answers 404 to requesters who may not know that it exists."""
    found = get_object_or_404(Playlist.objects.select_related("owner__channel__owner"), public_id=public_id)
    visitor = Viewer(request.user, request.session)
    if not found.can_see(visitor):
        raise Http404
    items = services.shown_items(found, visitor)
    services.add_progress([item.video for item in items], request.user)
    context = {
        "playlist": found,
        "items": items,
        "is_own": found.can_edit(request.user),
        "form": PlaylistForm(instance=found) if found.can_edit(request.user) else None,
        "duration_s": sum(item.video.duration_s or 0 for item in items),
    }
    return render(request, "videos/playlist.html", context)


@login_required
@require_safe
def later(request: PersonRequest) -> HttpResponse:
    """Lead to the requester's *watch later*."""
    return redirect(services.watch_later(request.user))


def _own(request: PersonRequest, public_id: str) -> Playlist:
    return get_object_or_404(
        Playlist.objects.filter(owner=request.user).exclude(withheld=Video.Withheld.REMOVED),
        public_id=public_id,
    )


@login_required
@require_POST
def edit(request: PersonRequest, public_id: str) -> HttpResponse:
    found = _own(request, public_id)
    form = PlaylistForm(request.POST)
    if form.is_valid():
        services.edit_playlist(found, **form.cleaned_data)
        messages.success(request, _("Changes saved."))
    else:
        messages.error(request, _("Give the playlist a title."))
    return redirect(found)


@login_required
@require_POST
def delete(request: PersonRequest, public_id: str) -> HttpResponse:
    services.delete_playlist(_own(request, public_id))
    return redirect("playlists")


@login_required
@require_POST
def remove(request: PersonRequest, public_id: str, video_id: str) -> HttpResponse:
    found = _own(request, public_id)
    services.remove_from_playlist(found, video_id)
    return redirect(found)


@login_required
@require_POST
def move(request: PersonRequest, public_id: str, video_id: str) -> HttpResponse:
    """Move a video in front of another one (``before``), or to the end."""
    found = _own(request, public_id)
    try:
        services.move_in_playlist(found, video_id, before=request.POST.get("before", ""))
    except Refusal as error:
        messages.error(request, str(error))
    return redirect(found)


@login_required
def save(request: PersonRequest, public_id: str) -> HttpResponse:
    """Show the requester's playlists for a video; a POST adds it to one, or removes it."""
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    visitor, error = Viewer(request.user, request.session), ""
    if not video.can_watch(visitor):
        raise Http404
    if request.method == "POST":
        try:
            _save(request, video, visitor)
        except Refusal as refusal:
            error = str(refusal)
    lists = services.playlists_of(request.user)
    held = services.holding(lists, video)
    context = {
        "video": video,
        "rows": [(one, one.pk in held) for one in lists],
        "error": error,
    }
    is_part = "HX-Request" in request.headers
    template = "videos/includes/save_list.html" if is_part else "videos/save.html"
    return render(request, template, context)


def _save(request: PersonRequest, video: Video, visitor: Viewer) -> None:
    """Carry out a form of the list: a new playlist, or a change of one."""
    if title := request.POST.get("title", ""):
        target = services.create_playlist(request.user, title=title)
    else:
        target = _own(request, request.POST.get("playlist", ""))
    if request.POST.get("saved") == "0":
        services.remove_from_playlist(target, video.public_id)
    else:
        services.add_to_playlist(target, video, visitor)
