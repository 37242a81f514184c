"""Pages that play a video: here, and in frames of other sites."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Channel, Follow, User
from accounts.viewers import TOKEN_PARAMETER, Viewer, give_key
from common.addresses import client_network
from common.errors import Refusal
from videos import progress, services
from videos.forms import UnlockForm
from videos.models import Clip, ClipQuerySet, Like, Video
from videos.services.playlists import Queue
from videos.views import structured
from videos.views.quoting import Quotable, poster_answer

RELATED = 16
CLIPS_IN_A_STRIP = 8
MORE_AT_THE_END = 2
FRAMES = frozenset({"iframe", "frame", "embed", "object"})


@require_safe
def watch(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a video at any stage of its life, or the page of its lock.

    Answers 404 to requesters who may not know that it exists.
    """
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    if video.is_locked_for(_visitor(request)):
        return locked_page(request, video, UnlockForm())
    if not video.can_watch(_visitor(request)):
        raise Http404
    user = request.user
    # Only owners and moderators may see an upload under way.
    if video.status == Video.Status.UPLOADING and not video.can_moderate(user):
        raise Http404
    channel = Channel.objects.with_follower_count().select_related("owner").get(pk=video.channel_id)
    quoted, next_videos = quotable(video), related(video, user)
    page_url = request.build_absolute_uri(video.get_absolute_url())
    preview = quoted.preview(request, page_url)
    services.add_progress(next_videos, user)
    queue = services.queue_of(request.GET.get("list", ""), video, _visitor(request))
    context = {
        "video": video,
        "playback": None if video.is_awaited else services.playback(video),
        "poster_url": services.poster_url(video) if video.is_awaited else None,
        "premiere_s": video.premiere_s,
        "may_download": video.download_for(_visitor(request)) != Video.Downloads.OFF,
        "can_clip": video.can_clip(_visitor(request)),
        "clips": [] if video.is_awaited else list(popular_clips(video)[:CLIPS_IN_A_STRIP]),
        "channel": channel,
        "tags": list(video.tags.all()),
        "chapters": video.named_chapters,
        "is_own": video.can_edit(user),
        "is_liked": user.is_authenticated and Like.objects.filter(video=video, user=user).exists(),
        "is_following": user.is_authenticated
        and Follow.objects.filter(channel=channel, follower=user).exists(),
        "resume_s": services.resume_s(video, user),
        "percent": progress.percent(video),
        "waiting": progress.waiting_sentence(video),
        "related": next_videos,
        "queue": queue,
        "end": end_of(video, queue, next_videos),
        "page_url": page_url,
        "embed_code": quoted.embed_code(request),
        "preview": preview,
        "structured": structured.video_object(video, preview),
    }
    return render(request, "videos/watch.html", context)


def _visitor(request: HttpRequest) -> Viewer:
    """Return the viewer of a page, which takes no token: its links would lose it."""
    return Viewer(request.user, request.session)


def locked_page(request: HttpRequest, video: Video, form: UnlockForm, status: int = 403) -> HttpResponse:
    """Ask for the password, or to follow.  The page shows neither title nor poster."""
    context = {"video": video, "channel": video.channel, "form": form}
    response = render(request, "videos/locked.html", context, status=status)
    add_never_cache_headers(response)
    return response


@require_POST
def unlock(request: HttpRequest, public_id: str) -> HttpResponse:
    """Check the password, keep its key in the session, and continue to the video."""
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    visitor = _visitor(request)
    if not video.is_locked_for(visitor):
        if not video.can_watch(visitor):
            raise Http404
        return redirect(video)
    form = UnlockForm(request.POST)
    if video.visibility != Video.Visibility.PASSWORD or not form.is_valid():
        return locked_page(request, video, form)
    try:
        key = services.unlock(video, password=form.cleaned_data["password"], network=client_network(request))
    except Refusal as error:
        form.add_error("password", str(error))
        return locked_page(request, video, form, status=422 if error.status == 400 else error.status)
    give_key(request.session, key)
    return redirect(video)


def popular_clips(video: Video) -> ClipQuerySet:
    """Return the clips of a video, most watched first."""
    return Clip.objects.shown().for_cards().filter(video=video).order_by("-view_count", "-pk")


def related(video: Video, user: User | AnonymousUser) -> list[Video]:
    """Return the next videos to watch: the newest of the same category, then the newest of the others."""
    wanted = Video.objects.listed().not_dismissed_by(user).for_cards()
    listed = wanted.exclude(pk=video.pk).order_by("-published_at", "-pk")
    alike = list(listed.filter(category=video.category)[:RELATED])
    others = listed.exclude(category=video.category)[: RELATED - len(alike)] if len(alike) < RELATED else []
    return [*alike, *others]


def end_of(video: Video, queue: Queue | None, next_videos: list[Video]) -> dict[str, Any]:
    """Return the content of the end screen: the next video with its address, and more of the channel.

    In a playlist the next video is the playlist's, and its last video has none.
    """
    if queue:
        item = queue.next_item
        following = item.video if item else None
        query = f"?list={queue.playlist.public_id}"
    else:
        following, query = (next_videos[0] if next_videos else None), ""
    shown = [one.pk for one in (video, following) if one]
    own = Video.objects.listed().for_cards().filter(channel=video.channel_id).exclude(pk__in=shown)
    return {
        "next": following,
        "next_url": f"{following.get_absolute_url()}{query}" if following else "",
        "more": list(own.order_by("-published_at", "-pk")[:MORE_AT_THE_END]),
    }


@require_safe
@xframe_options_exempt
def embed(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the player alone, for other sites.

    It ignores the session and shows open videos, and others to the domains of a
    playback token (``?token=``).
    """
    token = request.GET.get(TOKEN_PARAMETER, "")
    video, ancestors = _framed(request, public_id, token) if token else (_embeddable(public_id), ["*"])
    playback = services.playback(video)
    if playback:
        for name in ("hls_url", "storyboard_url"):
            playback[name] = playback[name] and services.with_token(video, playback[name], token)
    context = {
        "video": video,
        "playback": playback,
        "token": "" if video.is_open else token,
        "autoplay": "autoplay" in request.GET,
        "is_framed": True,
    }
    response = render(request, "videos/embed.html", context)
    response._csp_replace = {"frame-ancestors": ancestors}  # type: ignore[attr-defined]
    if token:
        # The address holds the secret.
        response["Referrer-Policy"] = "same-origin"
        add_never_cache_headers(response)
    return response


def _framed(request: HttpRequest, public_id: str, token: str) -> tuple[Video, list[str]]:
    """Return the video of a playback token and the domains that may frame it, or raise Http404.

    ``frame-ancestors`` says nothing about a page that is opened by itself, so browsers
    that tell how they load it must load a frame.
    """
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id, is_playable=True)
    found = video.playback_token(token)
    is_framed = request.headers.get("Sec-Fetch-Dest", "iframe") in FRAMES
    if found is None or not is_framed or not video.can_play(Viewer(AnonymousUser(), token=token)):
        raise Http404
    return video, found.domains


def _embeddable(public_id: str) -> Video:
    videos = Video.objects.for_cards().filter(visibility__in=Video.OPEN)
    return get_object_or_404(
        videos.filter(channel__owner__is_active=True, is_playable=True, withheld="", publish_at=None),
        public_id=public_id,
    )


def quotable(video: Video) -> Quotable:
    """Return the data of a video that other pages may show."""
    has_poster = video.poster_key and video.is_open and not video.is_awaited
    return Quotable(
        title=video.title,
        channel=video.channel,
        embed_path=reverse("embed", args=[video.public_id]),
        poster_path=_poster_path(video) if has_poster else None,
        description=video.description,
        is_open=video.plays_for_everyone,
        width_px=video.width_px,
        height_px=video.height_px,
    )


def _poster_path(video: Video) -> str:
    """Return the address of the poster, which changes with it: caches of other sites keep a picture."""
    version = hashlib.sha256(video.poster_key.encode()).hexdigest()[:8]
    return f"{reverse('video-poster', args=[video.public_id])}?v={version}"


def oembed(request: HttpRequest, public_id: str) -> JsonResponse:
    """Answer oEmbed for a watch page, or 404 if the video may not be embedded."""
    return quotable(_embeddable(public_id)).oembed(request)


@require_safe
def poster(_request: HttpRequest, public_id: str) -> HttpResponse:
    """Redirect to the poster of a video that may be embedded."""
    video = _embeddable(public_id)
    if not video.poster_key:
        raise Http404
    return poster_answer(video.poster_key)
