"""Home, search and channels, where several apps meet; and the pages for when something is wrong."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponsePermanentRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.http import require_safe

from accounts.models import Channel, Follow
from live import state
from live.models import Stream
from live.views import live_now
from videoplatform.errors import client_error
from videos.listing import Listing
from videos.models import Video

CHANNELS_FOUND = 3
LIVE_IN_A_ROW = 8


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    listing = Listing.of(request.GET)
    after = request.GET.get("after", "")
    context = {
        "listing": listing,
        "page": listing.page(Video.objects.listed().for_cards(), after),
        "live_now": [] if after or listing.is_narrowed else live_now()[:LIVE_IN_A_ROW],
    }
    return _list(request, "pages/home.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    listing = Listing.of(request.GET)
    after = request.GET.get("after", "")
    page = listing.page(Video.objects.listed().for_cards(), after)
    channels = _channels_matching(listing.words) if listing.words and not after else []
    return _list(request, "pages/search.html", {"listing": listing, "page": page, "channels": channels})


def _channels_matching(words: str) -> list[Channel]:
    is_named_so = Q(owner__username__icontains=words) | Q(display_name__icontains=words)
    found = Channel.objects.public().select_related("owner").filter(is_named_so)
    return list(found.with_follower_count().order_by(F("follower_count").desc(), "pk")[:CHANNELS_FOUND])


@require_safe
def channel(request: HttpRequest, username: str) -> HttpResponse:
    known = Channel.objects.public().select_related("owner").with_follower_count()
    shown = get_object_or_404(known, owner__username__iexact=username)
    if shown.username != username:
        return HttpResponsePermanentRedirect(shown.get_absolute_url())
    listing = Listing.of(request.GET)
    page = listing.page(
        Video.objects.listed().for_cards().filter(channel=shown), request.GET.get("after", "")
    )
    context = {
        "channel": shown,
        "listing": listing,
        "page": page,
        "live": _live_state(shown),
        "is_own": shown.is_owned_by(request.user),
        "is_following": request.user.is_authenticated
        and Follow.objects.filter(channel=shown, follower=request.user).exists(),
    }
    return _list(request, "accounts/channel.html", context)


def _live_state(channel: Channel) -> dict[str, Any] | None:
    """The channel's stream while it is on air for everyone."""
    stream = Stream.objects.on_air().filter(channel=channel).first()
    if stream is None:
        return None
    stream.channel = channel
    return state.state(stream)


def _list(request: HttpRequest, template: str, context: dict[str, object]) -> HttpResponse:
    """The whole page; for htmx, which asks for more of the same list, only the next cards."""
    is_more = "HX-Request" in request.headers and "after" in request.GET
    response = render(request, "includes/tiles.html" if is_more else template, context)
    response["Vary"] = ", ".join(filter(None, [response.get("Vary", ""), "HX-Request"]))
    return response


# --- When something is wrong ------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith("/api/"):
        return JsonResponse(client_error("bad_request", _("This request cannot be understood.")), status=400)
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse(client_error("not_found", _("There is nothing here")), status=404)
    return render(request, "404.html", status=404)


def server_error(_request: HttpRequest) -> HttpResponse:
    """Asks neither the database nor the session: they may be what is broken."""
    return HttpResponse(render_to_string("500.html", {"site_name": settings.SITE_NAME}), status=500)
