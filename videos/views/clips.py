"""Clips: their pages, frames, playlists and lists; the video's access is checked for each request."""

from __future__ import annotations

import hashlib
from math import inf
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Channel, Follow
from accounts.viewers import Viewer, token_of
from common import storage
from videos import caption_tracks, services
from videos.hls import captions as webvtt
from videos.hls.media import whole_file_playlist
from videos.listing import read_position, write_position
from videos.models import Clip, ClipQuerySet, Video
from videos.publishing import Excerpt, multivariant_playlist
from videos.rendered import Rendered
from videos.services.watching import with_token
from videos.views import delivery
from videos.views.quoting import Quotable, poster_answer
from videos.views.url_signing import UrlSigner
from videos.views.watching import CLIPS_IN_A_STRIP, popular_clips

if TYPE_CHECKING:
    from accounts.requests import PersonRequest

PAGE_SIZE = 24
MAX_CAPTIONS_BYTES = 8 * 1024**2


@require_safe
def clip(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a clip, with its video at the moment where it begins.

    Answers 410 if the video was deleted or no longer holds the clip, and 404 to requesters
    who may not know that it exists.
    """
    found = get_object_or_404(Clip.objects.for_cards(), public_id=public_id)
    if found.video is None:
        return _gone(request, found)
    visitor = Viewer(request.user, request.session)
    if found.is_locked_for(visitor):
        # The page of the video asks for the password or the follow, and says nothing of the clip.
        return redirect(found.video)
    if not found.can_watch(visitor):
        raise Http404
    video, user = found.video, request.user
    excerpt = services.excerpt_of(found)
    if excerpt is None and video.status == Video.Status.READY:
        return _gone(request, found)
    channel = Channel.objects.with_follower_count().select_related("owner").get(pk=video.channel_id)
    quoted = quotable(found)
    page_url = request.build_absolute_uri(found.get_absolute_url())
    context = {
        "clip": found,
        "video": video,
        "playback": services.clip_playback(found, excerpt) if excerpt else None,
        "channel": channel,
        "maker": found.maker.channel,
        "is_own": found.can_edit(user),
        "may_delete": found.can_delete(user),
        "is_following": user.is_authenticated
        and Follow.objects.filter(channel=channel, follower=user).exists(),
        "others": list(popular_clips(video).exclude(pk=found.pk)[:CLIPS_IN_A_STRIP]),
        "page_url": page_url,
        "embed_code": quoted.embed_code(request),
        "preview": quoted.preview(request, page_url),
    }
    return render(request, "videos/clip.html", context)


def _gone(request: HttpRequest, clip: Clip) -> HttpResponse:
    """Say that the clip cannot be watched any more.  The title of a deleted video stays unsaid."""
    context = {"clip": clip, "may_delete": clip.can_delete(request.user)}
    return render(request, "videos/clip_gone.html", context, status=410)


@require_safe
@xframe_options_exempt
def embed(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the player alone, for other sites; it ignores the session and shows clips of open videos."""
    found = _embeddable(public_id)
    excerpt = services.excerpt_of(found)
    if excerpt is None:
        raise Http404
    context = {
        "clip": found,
        "video": found.video,
        "playback": services.clip_playback(found, excerpt),
        "autoplay": "autoplay" in request.GET,
        "is_framed": True,
    }
    response = render(request, "videos/clip_embed.html", context)
    response._csp_replace = {"frame-ancestors": ["*"]}  # type: ignore[attr-defined]
    return response


def _embeddable(public_id: str) -> Clip:
    shown = Clip.objects.shown().for_cards().filter(video__visibility__in=Video.OPEN)
    return get_object_or_404(
        shown.filter(
            video__channel__owner__is_active=True,
            video__is_playable=True,
            video__withheld="",
            video__publish_at=None,
        ).exclude(video__status=Video.Status.FAILED),
        public_id=public_id,
    )


def quotable(clip: Clip) -> Quotable:
    """Return the data of a clip that other pages may show."""
    video = clip.video
    if video is None:
        raise Http404
    has_poster = clip.shown_poster_key and video.is_open and not video.is_awaited
    version = hashlib.sha256(clip.shown_poster_key.encode()).hexdigest()[:8]
    return Quotable(
        title=clip.title,
        channel=video.channel,
        embed_path=reverse("clip-embed", args=[clip.public_id]),
        poster_path=f"{reverse('clip-poster', args=[clip.public_id])}?v={version}" if has_poster else None,
        description=_("A clip of “%(title)s” by %(channel)s")
        % {"title": video.title, "channel": video.channel.name},
        is_open=video.plays_for_everyone,
        width_px=video.width_px,
        height_px=video.height_px,
    )


def oembed(request: HttpRequest, public_id: str) -> JsonResponse:
    """Answer oEmbed for a clip's page, or 404 if the clip may not be embedded."""
    return quotable(_embeddable(public_id)).oembed(request)


@require_safe
def poster(_request: HttpRequest, public_id: str) -> HttpResponse:
    """Redirect to the poster of a clip that may be embedded."""
    found = _embeddable(public_id)
    if not found.shown_poster_key:
        raise Http404
    return poster_answer(found.shown_poster_key)


@login_required
def delete(request: PersonRequest, public_id: str) -> HttpResponse:
    """Ask for confirmation, then delete: for the maker, the video's owner and moderators."""
    found = get_object_or_404(Clip.objects.for_cards(), public_id=public_id)
    if not found.can_delete(request.user):
        raise Http404
    if request.method != "POST":
        return render(request, "videos/clip_delete.html", {"clip": found})
    services.delete_clip(found)
    messages.success(request, _("“%(title)s” was deleted.") % {"title": found.title})
    return redirect(found.video or "studio-clips")


@login_required
@require_POST
def rename(request: PersonRequest, public_id: str) -> HttpResponse:
    found = get_object_or_404(Clip.objects.for_cards(), public_id=public_id, maker=request.user)
    if found.withheld != Video.Withheld.REMOVED:
        services.rename_clip(found, title=request.POST.get("title", ""))
        messages.success(request, _("Changes saved."))
    return redirect("studio-clips")


@require_safe
def of_video(request: HttpRequest, public_id: str) -> HttpResponse:
    """List the clips of a video, newest first."""
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    if not video.can_play(Viewer(request.user, request.session)):
        raise Http404
    clips = Clip.objects.shown().for_cards().filter(video=video)
    return clips_page(request, "videos/clips.html", clips, video=video, channel=video.channel)


@login_required
@require_safe
def own(request: PersonRequest) -> HttpResponse:
    """List the clips that the requester made, and those that others made of the requester's videos."""
    is_of_own = request.GET.get("of") == "videos"
    clips = Clip.objects.for_cards().exclude(withheld=Video.Withheld.REMOVED)
    clips = (
        clips.filter(video__channel__owner=request.user).exclude(maker=request.user)
        if is_of_own
        else clips.filter(maker=request.user)
    )
    return clips_page(request, "videos/studio_clips.html", clips, is_of_own=is_of_own)


def clips_page(request: HttpRequest, template: str, clips: ClipQuerySet, **context: Any) -> HttpResponse:
    """Show one page of ``clips``; for htmx, its rows alone."""
    after = read_position(request.GET.get("after", ""), "created_at")
    rows = list(_newest(clips, after)[: PAGE_SIZE + 1])
    query = request.GET.copy()
    if len(rows) > PAGE_SIZE:
        query["after"] = write_position(rows[PAGE_SIZE - 1].created_at, rows[PAGE_SIZE - 1].pk)
    next_query = f"?{query.urlencode()}" if len(rows) > PAGE_SIZE else ""
    shown = {"clips": rows[:PAGE_SIZE], "next_query": next_query, **context}
    return render(
        request, "videos/includes/clip_tiles.html" if "HX-Request" in request.headers else template, shown
    )


def _newest(clips: ClipQuerySet, after: tuple[Any, int] | None) -> ClipQuerySet:
    if after:
        clips = clips.older_than(*after)
    return clips.order_by("-created_at", "-pk")


def watchable(request: HttpRequest, public_id: str, encode_key: str) -> Clip:
    """Return the clip, or raise Http404 if the requester may not watch it in this encode of its video."""
    found = get_object_or_404(Clip.objects.for_cards(), public_id=public_id, video__is_playable=True)
    # Before the playlists that were rendered earlier: a trim may have cut the clip since.
    if found.is_cut or not found.can_watch(delivery.viewer(request)):
        raise Http404
    video = _video_of(found)
    if video.encode_key != encode_key:
        # A player may hold the playlist of an encode that another one has replaced.  After a trim, the
        # times of the clip are those of the new encode, and the old one shows cut parts there.
        get_object_or_404(video.retired_encodes.filter(playable_until=None), encode_key=encode_key).on(video)
    return found


@require_safe
def multivariant(request: HttpRequest, public_id: str, encode_key: str) -> HttpResponseBase:
    found = watchable(request, public_id, encode_key)
    video = _video_of(found)
    token = "" if video.is_open else token_of(request)
    captions = list(video.captions.all())
    state = (delivery.state_of(video), tuple((track.language, track.origin) for track in captions))

    def render(_before: Rendered | None) -> Rendered:
        excerpt = _held(found)
        playlist = multivariant_playlist(
            excerpt.encode, lambda name: with_token(video, f"{name}.m3u8", token), captions
        )
        return Rendered(state, playlist)

    key = (*_key(found), token)
    return delivery.playlist_answer(request, video, key, state, render, max_age_s=delivery.RENDITIONS_KEPT_S)


@require_safe
def media(request: HttpRequest, public_id: str, encode_key: str, rendition: str) -> HttpResponseBase:
    found = watchable(request, public_id, encode_key)
    video = _video_of(found)
    if rendition.startswith(caption_tracks.PLAYLIST_PREFIX):
        return _captions_playlist(request, found, rendition.removeprefix(caption_tracks.PLAYLIST_PREFIX))
    signer = UrlSigner.of(video)
    state = delivery.state_of(video)

    def render(_before: Rendered | None) -> Rendered:
        excerpt = _held(found)
        wanted = excerpt.encode.rendition(rendition)
        if wanted is None:
            raise Http404
        playlist = excerpt.media_playlist(wanted, lambda name: signer.url(video.key_of(name)))
        return Rendered(state, playlist)

    key = (*_key(found), rendition, signer)
    return delivery.playlist_answer(request, video, key, state, render, max_age_s=inf)


def _captions_playlist(request: HttpRequest, clip: Clip, language: str) -> HttpResponseBase:
    video = _video_of(clip)
    track = get_object_or_404(video.captions, language=language)
    token = "" if video.is_open else token_of(request)
    name = with_token(video, f"{track.language}.vtt", token)
    text = whole_file_playlist(name, clip.duration_s)

    def render(_before: Rendered | None) -> Rendered:
        return Rendered(track.key, text)

    key = (*_key(clip), track.key, token, "playlist")
    return delivery.playlist_answer(request, video, key, track.key, render, max_age_s=inf)


@require_safe
def captions(request: HttpRequest, public_id: str, encode_key: str, language: str) -> HttpResponseBase:
    """Answer with the video's captions in ``language`` during the clip, counted as its playlists are."""
    found = watchable(request, public_id, encode_key)
    video = _video_of(found)
    track = get_object_or_404(video.captions, language=language)

    def render(_before: Rendered | None) -> Rendered:
        excerpt = _held(found)
        text = storage.read_range(track.key, 0, MAX_CAPTIONS_BYTES).decode(errors="replace")
        times = {"begins_s": excerpt.begins_s, "start_s": found.start_s, "end_s": found.end_s}
        return Rendered(track.key, webvtt.section(text, **times))

    return delivery.playlist_answer(
        request,
        video,
        (*_key(found), track.key),
        track.key,
        render,
        max_age_s=inf,
        content_type=delivery.VTT_CONTENT_TYPE,
    )


def _video_of(clip: Clip) -> Video:
    if clip.video is None:
        raise Http404
    return clip.video


def _held(clip: Clip) -> Excerpt:
    """Return the segments of the clip, or raise Http404."""
    if excerpt := services.excerpt_of(clip):
        return excerpt
    raise Http404


def _key(clip: Clip) -> tuple[object, ...]:
    return "clip", clip.public_id, clip.start_s, clip.end_s, _video_of(clip).encode_prefix
