"""Pages: watching live, who is live, and the studio one goes live from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Channel, Follow
from live import services, state
from live.addresses import ingest_url
from live.chat import tickets
from live.chat.errors import SENTENCES
from live.chat.messages import MAX_TEXT
from live.forms import StreamForm
from live.models import Broadcast, Stream
from videos.listing import Listing
from videos.models import Video
from videos.services.errors import ServiceError

if TYPE_CHECKING:
    from accounts.models import User

    class PersonRequest(HttpRequest):
        """A request that ``login_required`` let through."""

        user: User


LIVE_SHOWN = 120
REPLAYS_SHOWN = 8
BROADCASTS_SHOWN = 10
SLOW_CHOICES_S = (3, 5, 10, 30, 60, 120)
EMOJIS = (
    *("😀", "😂", "🥹", "😍", "🤩", "😎", "🤔", "😅", "😭", "😱", "🥳", "🤯", "👍", "👎", "👏", "🙏"),
    *("💪", "👀", "🔥", "✨", "🎉", "❤️", "💯", "🚀", "🎮", "🎵", "📷", "🍵", "🌙", "☀️", "🐱", "🐼"),
)


# --- Watching ---------------------------------------------------------------------


@require_safe
@never_cache  # it carries a ticket
def live(request: HttpRequest, username: str) -> HttpResponse:
    """The stage and the chat, whatever the state; 404 for whoever may not know that there is a stream."""
    public = Channel.objects.public().select_related("owner").with_follower_count()
    channel = get_object_or_404(public.named(username))
    stream = services.stream_of(channel)
    user = request.user
    if not stream.can_watch(user):
        raise Http404
    if channel.username != username:
        return HttpResponsePermanentRedirect(stream.get_absolute_url())
    context = {
        **_room(request, stream),
        "channel": channel,
        "is_following": user.is_authenticated
        and Follow.objects.filter(channel=channel, follower=user).exists(),
        "replays": _replays(stream),
        "page_url": request.build_absolute_uri(stream.get_absolute_url()),
    }
    return render(request, "live/live.html", context)


def _room(request: HttpRequest, stream: Stream) -> dict[str, Any]:
    """What the stage and the chat of ``stream`` begin with."""
    user = request.user
    return {
        "stream": stream,
        "state": state.state(stream),
        "ticket": tickets.issue(stream, user)[0] if user.is_authenticated else "",
        "last_replay": _last_replay(stream),
        "max_text": MAX_TEXT,
        "chat_sentences": SENTENCES,
        "slow_choices": SLOW_CHOICES_S,
        "emojis": EMOJIS,
        "is_own": stream.is_owned_by(user),
        "can_moderate": stream.can_moderate(user),
    }


def _last_replay(stream: Stream) -> str | None:
    """The replay of an earlier broadcast, to tell the coming one from it."""
    recorded = stream.broadcasts.filter(recording__is_playable=True, status=Broadcast.Status.ENDED)
    return recorded.values_list("recording__public_id", flat=True).first()


def _replays(stream: Stream) -> list[Video]:
    replays = Video.objects.listed().for_cards().filter(broadcast__stream=stream)
    return list(replays.order_by("-published_at", "-pk")[:REPLAYS_SHOWN])


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Who is live, most watched first."""
    listing = Listing.of(request.GET)
    return render(request, "live/index.html", {"listing": listing, "streams": live_now(listing.category)})


def live_now(category: str = "") -> list[dict[str, Any]]:
    """The states of public streams on air, most watched first."""
    on_air = Stream.objects.on_air().for_cards()
    if category:
        on_air = on_air.filter(category=category)
    states = state.states(list(on_air.order_by("-pk")[:LIVE_SHOWN]))
    return sorted(states, key=lambda shown: shown["viewer_count"], reverse=True)


# --- The studio ---------------------------------------------------------------------


@login_required
def studio(request: PersonRequest) -> HttpResponse:
    """The desk one goes live from."""
    stream = services.stream_of(request.user.channel)
    form = StreamForm(request.POST or None, instance=stream)
    if request.method == "POST" and form.is_valid():
        form.apply()
        messages.success(request, _("Saved."))
        return redirect("studio-live")
    return _desk(request, stream, form)


def _desk(request: PersonRequest, stream: Stream, form: StreamForm, **more: Any) -> HttpResponse:
    past = stream.broadcasts.exclude(status__in=[Broadcast.Status.LIVE, Broadcast.Status.RECONNECTING])
    context = {
        **_room(request, stream),
        "channel": stream.channel,
        "form": form,
        "ingest_url": ingest_url(request.get_host()),
        "broadcasts": past.select_related("recording")[:BROADCASTS_SHOWN],
        **more,
    }
    return render(request, "live/studio.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
@never_cache
def make_key(request: PersonRequest) -> HttpResponse:
    """Show a new key this once: it is kept nowhere, so there is no page to come back to."""
    stream = services.stream_of(request.user.channel)
    try:
        stream_key = services.rotate_stream_key(stream)
    except ServiceError as error:
        messages.error(request, error.detail)
        return redirect("studio-live")
    return _desk(request, stream, StreamForm(instance=stream), stream_key=stream_key)


@login_required
def revoke_key(request: PersonRequest) -> HttpResponse:
    """Ask once more, then leave the stream without a key."""
    stream = services.stream_of(request.user.channel)
    if request.method != "POST":
        return render(request, "live/revoke.html", {"stream": stream})
    services.revoke_stream_key(stream)
    messages.success(request, _("The key is revoked. Make a new one to go live again."))
    return redirect("studio-live")


@login_required
def end(request: PersonRequest) -> HttpResponse:
    """Ask once more, then take the stream off the air."""
    stream = services.stream_of(request.user.channel)
    if request.method != "POST":
        return render(request, "live/end.html", {"stream": stream})
    try:
        services.end_broadcast(stream)
    except ServiceError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The broadcast has ended."))
    return redirect("studio-live")
