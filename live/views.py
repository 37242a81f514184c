"""Pages: the live page, the list of live channels, and the studio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from accounts.models import Channel, Follow
from common.errors import Refusal
from live import services, stream_state
from live.addresses import ingest_url
from live.chat import tickets
from live.chat.errors import SENTENCES
from live.chat.messages import MAX_TEXT
from live.forms import StreamForm
from live.models import Broadcast, Stream
from videos.listing import Listing
from videos.models import Category, Video
from videos.services.uploads import keeps_enough
from videos.views.quoting import Quotable, poster_answer

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


LIVE_SHOWN = 120
REPLAYS_SHOWN = 8
BROADCASTS_SHOWN = 10
SLOW_CHOICES_S = (3, 5, 10, 30, 60, 120)
EMOJIS = (
    *("😀", "😂", "🥹", "😍", "🤩", "😎", "🤔", "😅", "😭", "😱", "🥳", "🤯", "👍", "👎", "👏", "🙏"),
    *("💪", "👀", "🔥", "✨", "🎉", "❤️", "💯", "🚀", "🎮", "🎵", "📷", "🍵", "🌙", "☀️", "🐱", "🐼"),
)


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
    quoted = quotable(stream, services.current_broadcast(stream))
    context = {
        **_room(request, stream),
        "channel": channel,
        "embed_code": quoted.embed_code(request),
        "poster_path": quoted.poster_path,
        "is_following": user.is_authenticated
        and Follow.objects.filter(channel=channel, follower=user).exists(),
        "replays": _replays(stream),
        "categories": Category.choices,
        "page_url": request.build_absolute_uri(stream.get_absolute_url()),
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
        width_px=source.get("width_px"),
        height_px=source.get("height_px"),
    )


def _room(request: HttpRequest, stream: Stream) -> dict[str, Any]:
    """Return the template context of the player and chat of ``stream``."""
    user = request.user
    return {
        "stream": stream,
        "state": stream_state.state(stream),
        "ticket": tickets.issue(stream, user)[0] if user.is_authenticated else "",
        "max_text": MAX_TEXT,
        "chat_sentences": SENTENCES,
        "slow_choices": SLOW_CHOICES_S,
        "emojis": EMOJIS,
        "is_own": stream.is_owned_by(user),
        "can_moderate": stream.can_moderate(user),
    }


def _replays(stream: Stream) -> list[Video]:
    replays = Video.objects.listed().for_cards().filter(broadcast__stream=stream)
    return list(replays.order_by("-published_at", "-pk")[:REPLAYS_SHOWN])


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List live channels, most watched first."""
    listing = Listing.of(request.GET)
    return render(request, "live/index.html", {"listing": listing, "streams": live_now(listing.category)})


def live_now(category: str = "") -> list[dict[str, Any]]:
    """Return the states of public streams on air, most watched first."""
    on_air = Stream.objects.on_air().for_cards()
    if category:
        on_air = on_air.filter(category=category)
    states = stream_state.states(list(on_air.order_by("-pk")[:LIVE_SHOWN]))
    return sorted(states, key=lambda shown: shown["viewer_count"], reverse=True)


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
        **_room(request, stream),
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
