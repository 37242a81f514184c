"""Pages that play a stream: here, and in frames of other sites."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from accounts.models import Channel, Follow, User
from live import services, stream_state
from live.models import Broadcast, Stream
from live.views import structured
from live.views.room import room_context
from videos.listing import Listing
from videos.models import Category, Video
from videos.views.quoting import Quotable, poster_answer

LIVE_SHOWN = 120
REPLAYS_SHOWN = 8


@require_safe
@never_cache  # the page contains a chat ticket
def live(request: HttpRequest, username: str) -> HttpResponse:
    """Show the player and the chat, on air or not; 404 for people who may not watch the stream."""
    public = Channel.objects.public().select_related("owner").with_follower_count()
    channel = get_object_or_404(public.named(username))
    stream = services.stream_of(channel)
    user = request.user
    if not stream.can_watch(user):
        raise Http404
    if channel.username != username:
        return HttpResponsePermanentRedirect(stream.get_absolute_url())
    broadcast = services.current_broadcast(stream)
    quoted = quotable(stream, broadcast)
    page_url = request.build_absolute_uri(stream.get_absolute_url())
    preview = quoted.preview(request, page_url)
    replays = Video.objects.listed().for_cards().filter(broadcast__stream=stream)
    context = {
        **room_context(request, stream),
        "channel": channel,
        "embed_code": quoted.embed_code(request),
        "preview": preview,
        "structured": structured.broadcast_object(broadcast, preview),
        "is_following": user.is_authenticated
        and Follow.objects.filter(channel=channel, follower=user).exists(),
        "replays": list(replays.order_by("-published_at", "-pk")[:REPLAYS_SHOWN]),
        "categories": Category.choices,
        "page_url": page_url,
    }
    return render(request, "live/live.html", context)


@require_safe
@xframe_options_exempt
def embed(request: HttpRequest, username: str) -> HttpResponse:
    """Show the live player alone, for other sites; it knows no user, so it shows open streams only."""
    stream = _embeddable(username)
    context = {
        "stream": stream,
        "channel": stream.channel,
        "state": stream_state.state(stream),
        "is_framed": True,
    }
    response = render(request, "live/embed.html", context)
    response._csp_replace = {"frame-ancestors": ["*"]}  # type: ignore[attr-defined]
    return response


@require_safe
def poster(_request: HttpRequest, username: str) -> HttpResponse:
    """Redirect to the newest poster of a broadcast open to everyone; 404 while off air."""
    broadcast = services.current_broadcast(_embeddable(username))
    if broadcast is None or not broadcast.poster_key:
        raise Http404
    return poster_answer(broadcast.poster_key)


def oembed(request: HttpRequest, username: str) -> HttpResponse:
    """Answer oEmbed for a live page, on air or not; 404 if it is not open to everyone."""
    stream = _embeddable(username)
    return quotable(stream, services.current_broadcast(stream)).oembed(request)


def _embeddable(username: str) -> Stream:
    """Return a stream that is open to everyone; 404 otherwise."""
    channel = get_object_or_404(Channel.objects.public().select_related("owner").named(username))
    stream = services.stream_of(channel)
    if not stream.can_watch(AnonymousUser()):
        raise Http404
    return stream


def quotable(stream: Stream, broadcast: Broadcast | None) -> Quotable:
    """Return a stream's data for embedding and link previews on other sites."""
    source = (broadcast and broadcast.source_json) or {}
    has_poster = broadcast and broadcast.poster_key and stream.visibility != Video.Visibility.PRIVATE
    return Quotable(
        title=str(stream.shown_title) if broadcast else stream.channel.name,
        channel=stream.channel,
        embed_path=reverse("live-embed", args=[stream.username]),
        poster_path=reverse("live-poster", args=[stream.username]) if has_poster else None,
        description=stream.channel.bio,
        is_open=stream.visibility != Video.Visibility.PRIVATE,
        width_px=source.get("width_px"),
        height_px=source.get("height_px"),
    )


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List live channels, most watched first."""
    listing = Listing.of(request.GET)
    return render(request, "live/index.html", {"listing": listing, "streams": live_now(listing.category)})


def live_now(category: str = "", followed_by: User | None = None) -> list[dict[str, Any]]:
    """Return the states of public streams on air, most watched first."""
    on_air = Stream.objects.on_air().for_cards()
    if followed_by:
        on_air = on_air.filter(channel__followers__follower=followed_by)
    if category:
        on_air = on_air.filter(category=category)
    states = stream_state.states(list(on_air.order_by("-pk")[:LIVE_SHOWN]))
    return sorted(states, key=lambda shown: shown["viewer_count"], reverse=True)
