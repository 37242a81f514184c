"""Pages of a channel: videos, playlists, clips, and the channel itself."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.models import Channel, Follow
from accounts.viewers import Viewer
from common.bounded import TooSlow, bounded
from live import stream_state
from live.models import Stream
from videoplatform.pages import list_page, too_slow
from videos import services
from videos.listing import Listing
from videos.models import Clip, Playlist, Video
from videos.views.clips import clips_page


@require_safe
def videos(request: HttpRequest, username: str) -> HttpResponse:
    """List the videos of a channel, in an order of the visitor's, or those with words that they look for."""
    shown = _channel(username)
    if shown.username != username:
        return HttpResponsePermanentRedirect(shown.get_absolute_url())
    listing = Listing.of(request.GET)
    found = Video.objects.listed().for_cards().filter(channel=shown)
    try:
        with bounded() if listing.words else nullcontext():
            page = listing.page(found, request.GET.get("after", ""))
    except TooSlow as error:
        return too_slow(request, error)
    context = _head(request, shown, "videos") | {"channel_listing": listing, "page": page}
    return list_page(request, "accounts/channel.html", context)


@require_safe
def playlists(request: HttpRequest, username: str) -> HttpResponse:
    """List the public playlists of a channel's owner, the latest changed first."""
    shown = _channel(username)
    public = Playlist.objects.listed().filter(owner=shown.owner).select_related("owner__channel__owner")
    visitor = Viewer(request.user, request.session)
    rows = services.covers_of(list(public[: services.MAX_PLAYLISTS]), visitor)
    return render(
        request, "accounts/channel_playlists.html", _head(request, shown, "playlists") | {"rows": rows}
    )


@require_safe
def clips(request: HttpRequest, username: str) -> HttpResponse:
    """List the clips of a channel's public videos, newest first."""
    shown = _channel(username)
    found = Clip.objects.listed().for_cards().filter(video__channel=shown)
    return clips_page(request, "accounts/channel_clips.html", found, **_head(request, shown, "clips"))


@require_safe
def about(request: HttpRequest, username: str) -> HttpResponse:
    """Show the description of a channel, and its numbers."""
    shown = _channel(username)
    totals = (
        Video.objects.listed().filter(channel=shown).aggregate(videos=Count("pk"), views=Sum("view_count"))
    )
    return render(request, "accounts/channel_about.html", _head(request, shown, "about") | {"totals": totals})


def _channel(username: str) -> Channel:
    """Return a public channel with the number of its followers, by the user name in any case; or 404."""
    known = Channel.objects.public().select_related("owner").with_follower_count()
    return get_object_or_404(known, owner__username__iexact=username)


def _head(request: HttpRequest, channel: Channel, tab: str) -> dict[str, Any]:
    """Return the context of the head of each page; ``tab`` names the page."""
    address = channel.get_absolute_url()
    tabs = {
        "videos": address,
        "playlists": reverse("channel-playlists", args=[channel.username]),
        "clips": reverse("channel-clips", args=[channel.username]),
        "about": reverse("channel-about", args=[channel.username]),
    }
    is_empty = {
        "playlists": not Playlist.objects.listed().filter(owner=channel.owner).exists(),
        "clips": not Clip.objects.listed().filter(video__channel=channel).exists(),
    }
    return {
        "channel": channel,
        "tab": tab,
        "tabs": {name: url for name, url in tabs.items() if name == tab or not is_empty.get(name)},
        "live": _live_state(channel),
        "is_own": channel.is_owned_by(request.user),
        "is_following": request.user.is_authenticated
        and Follow.objects.filter(channel=channel, follower=request.user).exists(),
    }


def _live_state(channel: Channel) -> dict[str, Any] | None:
    """Return the state of the channel's stream while it is publicly on air, else None."""
    stream = Stream.objects.on_air().filter(channel=channel).first()
    if stream is None:
        return None
    stream.channel = channel
    return stream_state.state(stream)
