"""The live studio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from common.errors import Refusal
from live import services
from live.addresses import ingest_url
from live.forms import StreamForm
from live.models import Broadcast, Stream
from live.views.room import room_context
from videos.room import keeps_enough

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


BROADCASTS_SHOWN = 10


@login_required
def studio(request: PersonRequest) -> HttpResponse:
    """Show the live studio, and save the stream's settings."""
    stream = services.stream_of(request.user.channel)
    form = StreamForm(request.POST or None, instance=stream)
    if request.method == "POST" and form.is_valid():
        form.apply()
        messages.success(request, _("Changes saved."))
        return redirect("studio-live")
    return _desk(request, stream, form)


def _desk(request: PersonRequest, stream: Stream, form: StreamForm, **more: Any) -> HttpResponse:
    past = stream.broadcasts.exclude(status__in=[Broadcast.Status.LIVE, Broadcast.Status.RECONNECTING])
    context = {
        **room_context(request, stream),
        "channel": stream.channel,
        "form": form,
        "ingest_url": ingest_url(request.get_host()),
        "is_storage_full": stream.record and keeps_enough(stream.channel),
        "broadcasts": past.select_related("recording")[:BROADCASTS_SHOWN],
        **more,
    }
    return render(request, "live/studio.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
def make_key(request: PersonRequest) -> HttpResponse:
    """Create a key and show it once, for browsers without JavaScript.

    The key itself is not stored, so a reload by GET, as after a change of language, shows the studio.
    """
    if request.method != "POST":
        return redirect("studio-live")
    stream = services.stream_of(request.user.channel)
    try:
        stream_key = services.rotate_stream_key(stream)
    except Refusal as error:
        messages.error(request, str(error))
        return redirect("studio-live")
    return _desk(request, stream, StreamForm(instance=stream), stream_key=stream_key)


@login_required
def revoke_key(request: PersonRequest) -> HttpResponse:
    """Ask for confirmation, then revoke the stream key."""
    stream = services.stream_of(request.user.channel)
    if request.method != "POST":
        return render(request, "live/revoke.html", {"stream": stream})
    services.revoke_stream_key(stream)
    messages.success(request, _("Stream key revoked. Create a new key to go live again."))
    return redirect("studio-live")


@login_required
def end(request: PersonRequest) -> HttpResponse:
    """Ask for confirmation, then end the broadcast."""
    stream = services.stream_of(request.user.channel)
    if request.method != "POST":
        return render(request, "live/end.html", {"stream": stream})
    try:
        services.end_broadcast(stream, by=request.user)
    except Refusal as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The broadcast has ended."))
    return redirect("studio-live")
