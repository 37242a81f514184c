"""Home and search, which combine several apps; and the error pages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import F
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    JsonResponse,
)
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

import live.views.watching
import videos.views.clips
import videos.views.watching
from accounts.models import Channel, Follow, User
from accounts.viewers import Viewer
from common import outages
from common.bounded import TooSlow, bounded
from common.error_pages import API, NOT_UNDERSTOOD, error_answer, error_json, error_page
from live.views.watching import live_now
from videoplatform.shelves import Shelves, shelves_of
from videos import services
from videos.listing import NEWEST, Listing, VideoPage
from videos.models import Video

if TYPE_CHECKING:
    from accounts.requests import PersonRequest

CHANNELS_FOUND = 3
LIVE_IN_A_ROW = 8
FOLLOWED_IN_A_ROW = 30
MANIFEST_KEPT_S = 3600
# The view that answers oEmbed for a page, by the URL name of the page.
QUOTED: dict[str, Callable[..., HttpResponse]] = {
    "watch": videos.views.watching.oembed,
    "embed": videos.views.watching.oembed,
    "clip": videos.views.clips.oembed,
    "clip-embed": videos.views.clips.oembed,
    "live": live.views.watching.oembed,
    "live-embed": live.views.watching.oembed,
}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    listing = Listing.of(request.GET)
    after = request.GET.get("after", "")
    is_start = not after and not listing.is_narrowed and listing.ordering == NEWEST
    page = listing.page(Video.objects.listed().not_dismissed_by(request.user).for_cards(), after)
    on_air = [] if after or listing.is_narrowed else live_now()[:LIVE_IN_A_ROW]
    shelves = Shelves(live=on_air)
    if is_start:
        visitor = Viewer(request.user, request.session)
        shelves = shelves_of(visitor, on_air, page.videos, is_long=bool(page.next_query))
    context = {
        "listing": listing,
        "page": shelves.without_hero(page),
        "continued": shelves.continued,
        "recent": shelves.recent,
        "live_now": shelves.live,
        "hero": shelves.hero,
        "hero_live": shelves.hero_live,
        "shelves": shelves.more,
    }
    return list_page(request, "pages/home.html", context)


@login_required
@require_safe
def following(request: PersonRequest) -> HttpResponse:
    """Show the followed channels that are live, and the videos of all, the newest first."""
    now, after = timezone.now(), request.GET.get("after", "")
    page = Listing().page(Video.objects.followed_by(request.user).for_cards(), after)
    services.mark_new(page.videos, request.user)
    followed = Follow.objects.filter(follower=request.user)
    context = {
        "page": page,
        "live_now": [] if after else live_now(followed_by=request.user)[:LIVE_IN_A_ROW],
        "channels": [] if after else _latest_followed(request.user),
        "follows_none": not followed.exists(),
    }
    response = list_page(request, "pages/following.html", context)
    if not after:
        services.record_visit(request.user, now)
    return response


def _latest_followed(user: User) -> list[Channel]:
    """Return the channels that ``user`` followed last."""
    channels = Channel.objects.public().filter(followers__follower=user).select_related("owner")
    return list(channels.order_by("-followers__created_at", "pk")[:FOLLOWED_IN_A_ROW])


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    listing = Listing.of(request.GET)
    after = request.GET.get("after", "")
    try:
        with bounded():
            page = listing.page(Video.objects.listed().for_cards(), after)
            channels: list[Channel] = []
            if listing.words and not after:
                found = Channel.objects.public().matching(listing.words).select_related("owner")
                ranked = found.with_follower_count().order_by(F("follower_count").desc(), "pk")
                channels = list(ranked[:CHANNELS_FOUND])
    except TooSlow as error:
        return too_slow(request, error)
    return list_page(request, "pages/search.html", {"listing": listing, "page": page, "channels": channels})


@require_safe
def oembed(request: HttpRequest) -> HttpResponse:
    """Answer oEmbed for the address of a video or of a live page; 404 for any other."""
    try:
        parts = urlsplit(request.GET.get("url", ""))
        match = resolve(parts.path)
    except (Resolver404, ValueError):
        raise Http404 from None
    if parts.netloc != request.get_host() or match.url_name not in QUOTED:
        raise Http404
    response: HttpResponse = QUOTED[match.url_name](request, **match.kwargs)
    response["Access-Control-Allow-Origin"] = "*"
    return response


@require_safe
@cache_control(public=True, max_age=MANIFEST_KEPT_S)
def manifest(_request: HttpRequest) -> JsonResponse:
    """Describe the site as an application that can be installed (https://www.w3.org/TR/appmanifest/)."""
    icons = [
        ("icon-192.png", 192, "any"),
        ("icon-512.png", 512, "any"),
        ("icon-maskable-512.png", 512, "maskable"),
    ]
    answer = {
        "id": "/",
        "name": settings.SITE_NAME,
        "short_name": settings.SITE_NAME[:12],
        "start_url": reverse("home"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#fdfcfa",
        "theme_color": "#fdfcfa",
        "icons": [
            {"src": static(f"img/{name}"), "sizes": f"{px}x{px}", "type": "image/png", "purpose": purpose}
            for name, px, purpose in icons
        ],
    }
    return JsonResponse(answer, content_type="application/manifest+json")


def list_page(request: HttpRequest, template: str, context: dict[str, object]) -> HttpResponse:
    """Render the whole page, or only the next cards if htmx asks for more of the same list."""
    if isinstance(page := context.get("page"), VideoPage):
        services.add_progress(page.videos, request.user)
    is_more = "HX-Request" in request.headers and "after" in request.GET
    response = render(request, "includes/tiles.html" if is_more else template, context)
    response["Vary"] = ", ".join(filter(None, [response.get("Vary", ""), "HX-Request"]))
    return response


def too_slow(request: HttpRequest, error: TooSlow) -> HttpResponse:
    return error_page(request, status=503, heading=_("The request took too long"), sentence=error.sentence)


def bad_request(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    return error_answer(
        request,
        status=400,
        code="bad_request",
        heading=NOT_UNDERSTOOD,
        sentence=_("The link is invalid or leads to another site."),
    )


def forbidden(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    return render(request, "403.html", status=403)


def csrf_failure(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    """Answer a form with a missing or old CSRF token. The log has the exact reason."""
    referer = request.headers.get("Referer", "")
    # The link leads to the form's page, not to the form's target, which may accept only
    # POST.
    is_ours = url_has_allowed_host_and_scheme(referer, {request.get_host()}, request.is_secure())
    return error_page(
        request,
        status=403,
        heading=_("This page has expired"),
        sentence=_(
            "The page was open for too long, you signed in or out in another window, or your "
            "browser blocks cookies. Nothing was changed. Reload the page and submit the form "
            "again."
        ),
        link=(referer if is_ours else "/", _("Reload the page")),
    )


def not_found(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    if request.path.startswith(API):
        return error_json(request, status=404, code="not_found", sentence=_("Page not found"))
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an unexpected error, without database and session, which may be its cause."""
    if outages.is_outage(sys.exception()):
        return outages.unavailable(request)
    return error_answer(
        request,
        status=500,
        code="error",
        heading=_("Something went wrong on our side"),
        sentence=_("The error was recorded. Try again in a moment."),
    )
