"""Playlists and storyboards for players, with a check of access for every request.

Segments lie in a private bucket, and playlists carry presigned URLs; of segments that do
not exist yet they carry addresses of ours (:func:`segment`).  Withholding a video stops
every playlist at once and moves no bytes.  URLs issued before stay valid until they
expire (:mod:`videos.views.url_signing`).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.authentication import ApiTokenAuthentication
from accounts.viewers import Viewer, token_of
from common import storage
from common.addresses import client_network
from common.buckets import Charge, seconds_to_wait, take
from common.content_coding import accepts_gzip
from common.rates import RATES
from videos import caption_tracks, demand, keyframe_index
from videos.hls.media import whole_file_playlist
from videos.models import Rendition, SegmentRun, Video
from videos.publishing import (
    KEYFRAMES_PREFIX,
    Encode,
    NothingPublished,
    Placed,
    keyframe_playlist,
    media_playlist,
    multivariant_playlist,
)
from videos.rendered import Rendered, playlists
from videos.services.watching import with_token
from videos.transcoding.storyboard import with_addresses
from videos.views.url_signing import UrlSigner

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from videos.rendered import Key

# Named to ``videos.held_segments``, which removes it.
AWAITS = "X-Awaits"
RETRY_AFTER_S = 2
HLS_CONTENT_TYPE = "application/vnd.apple.mpegurl"
VTT_CONTENT_TYPE = "text/vtt; charset=utf-8"
# The longest storyboard has 600 cues of at most 80 bytes.
MAX_STORYBOARD_BYTES = 64 * 1024
# A growing media playlist is rendered again after this time at the latest, a
# multivariant playlist after RENDITIONS_KEPT_S, because its bitrates may change.
GROWING_KEPT_S = 10.0
RENDITIONS_KEPT_S = 60.0


def person(request: HttpRequest) -> User | AnonymousUser:
    """Return the requester: by API token if one is sent, otherwise by session."""
    if "Authorization" not in request.headers:
        return request.user
    try:
        found = ApiTokenAuthentication().authenticate(Request(request))
    except AuthenticationFailed:
        return AnonymousUser()
    return found[0] if found else request.user


def viewer(request: HttpRequest) -> Viewer:
    return Viewer(person(request), request.session, token_of(request))


def watchable(request: HttpRequest, public_id: str, encode_key: str) -> Video:
    """Return the video, or raise Http404 if the requester may not watch this encode of it."""
    videos = Video.objects.select_related("channel__owner")
    video = get_object_or_404(videos, public_id=public_id, is_playable=True)
    if not video.can_play(viewer(request)):
        raise Http404
    if video.encode_key == encode_key:
        return video
    # A player may hold the playlist of an encode that another one has replaced.
    return get_object_or_404(video.retired_encodes.playable(), encode_key=encode_key).on(video)


@require_safe
def multivariant(request: HttpRequest, public_id: str, encode_key: str) -> HttpResponseBase:
    return multivariant_answer(request, watchable(request, public_id, encode_key))


@require_safe
def media(request: HttpRequest, public_id: str, encode_key: str, rendition: str) -> HttpResponseBase:
    return media_answer(request, watchable(request, public_id, encode_key), rendition)


def multivariant_answer(request: HttpRequest, video: Video) -> HttpResponse:
    """Answer with the multivariant playlist of a video.  Raises Http404 if no segment can be played yet."""

    def render(_before: Rendered | None) -> Rendered:
        encode = Encode.of(video)
        if not encode.is_playable:
            raise Http404
        playlist = multivariant_playlist(
            encode,
            lambda name: with_token(video, f"{name}.m3u8", token),
            captions,
            names_keyframes=video.has_storyboard,
        )
        return Rendered(state, playlist)

    token = "" if video.is_open else token_of(request)
    # Their playlists are whole, so they join the video once it is.
    captions = list(video.captions.all()) if video.status == Video.Status.READY else []
    state = (
        state_of(video), video.storyboard_key, tuple((track.language, track.origin) for track in captions)
    )  # fmt: skip
    key = (video.encode_prefix, token)
    return playlist_answer(request, video, key, state, render, max_age_s=RENDITIONS_KEPT_S)


def captions_answer(request: HttpRequest, video: Video, language: str) -> HttpResponse:
    """Answer with the playlist of captions in ``language``.  Raises Http404 if there are none."""
    track = get_object_or_404(video.captions, language=language)
    signer = UrlSigner.of(video)
    url = signer.url(track.key)

    def render(_before: Rendered | None) -> Rendered:
        return Rendered(track.key, whole_file_playlist(url, video.duration_s or 1.0))

    key = (video.encode_prefix, track.key, signer)
    return playlist_answer(request, video, key, track.key, render, max_age_s=inf)


def keyframes_answer(request: HttpRequest, video: Video, rendition: str) -> HttpResponse:
    """Answer with a rendition's I-frame playlist.  Raises Http404 if its keyframes have no index."""
    signer = UrlSigner.of(video)

    def render(_before: Rendered | None) -> Rendered:
        encode = Encode.of(video)
        found = next((rung for rung in encode.indexed if rung.name == rendition), None)
        if found is None or not video.has_storyboard:
            raise Http404
        folder = video.storyboard_key.rpartition("/")[0]
        text = storage.read_range(f"{folder}/{keyframe_index.NAME}", 0, keyframe_index.MAX_INDEX_BYTES)

        ranges = keyframe_index.ranges(text.decode())
        try:
            playlist = keyframe_playlist(encode, found, ranges, lambda name: signer.url(video.key_of(name)))
        except NothingPublished:
            raise Http404 from None
        return Rendered(video.storyboard_key, playlist)

    key = (video.storyboard_key, rendition, signer)
    return playlist_answer(request, video, key, video.storyboard_key, render, max_age_s=inf)


def media_answer(request: HttpRequest, video: Video, rendition: str) -> HttpResponse:
    """Answer with one rendition's media playlist, with a signed URL for each segment.

    Raises Http404 if the rendition does not exist or has no segment.
    """
    if rendition.startswith(caption_tracks.PLAYLIST_PREFIX):
        return captions_answer(request, video, rendition.removeprefix(caption_tracks.PLAYLIST_PREFIX))
    if rendition.startswith(KEYFRAMES_PREFIX):
        return keyframes_answer(request, video, rendition.removeprefix(KEYFRAMES_PREFIX))
    # The addresses of segments that do not exist yet carry it.
    token = "" if video.is_open or video.status == Video.Status.READY else token_of(request)
    signer = UrlSigner.of(video)
    state = state_of(video)

    def render(before: Rendered | None) -> Rendered:
        encode = Encode.of(video)
        found = encode.rendition(rendition)
        if found is None:
            raise Http404
        known, urls = before.urls if before else {}, {}

        def uri(name: str) -> str:
            urls[name] = known.get(name) or signer.url(video.key_of(name))
            return urls[name]

        try:
            playlist = media_playlist(encode, found, uri, lambda name: with_token(video, name, token))
        except NothingPublished:
            raise Http404 from None
        # The playlist of a finished encode is not rendered again, so its URLs are not kept.
        return Rendered(state, playlist, {} if encode.is_complete else urls)

    key = (video.encode_prefix, rendition, signer, token)
    # A complete playlist changes only with its state.
    max_age_s = inf if video.status == Video.Status.READY else GROWING_KEPT_S
    return playlist_answer(request, video, key, state, render, max_age_s=max_age_s)


@require_safe
def segment(
    request: HttpRequest, public_id: str, encode_key: str, rendition: str, number: int | None = None
) -> HttpResponse:
    """Redirect to a segment, or to the init segment if ``number`` is None.

    Playlists name this address for segments that did not exist when they were rendered.
    A segment that may still come is encoded next and answered with 503, or held before
    that by ``videos.held_segments``; one beyond the end of the video with 410.
    """
    video = watchable(request, public_id, encode_key)
    encode = Encode.of(video)
    found = encode.rendition(rendition)
    if found is None or video.is_recording:
        raise Http404
    stored = encode.stored_by_number(found)
    placed = next(iter(stored.values()), None) if number is None else stored.get(number)
    if placed:
        return _open_to_players(request, video, _redirect(video, placed, is_init=number is None))
    if not encode.awaits(rendition, number):
        return _open_to_players(request, video, HttpResponse(status=410))
    return _open_to_players(request, video, _awaited(request, encode, found, number))


def _redirect(video: Video, placed: Placed, *, is_init: bool) -> HttpResponse:
    url = UrlSigner.of(video).url(video.key_of(placed.init_name if is_init else placed.name))
    # Not stored: the next request checks access again, and the signature ends some day.
    return HttpResponse(status=302, headers={"Location": url, "Cache-Control": "private, no-store"})


def _awaited(request: HttpRequest, encode: Encode, rendition: Rendition, number: int | None) -> HttpResponse:
    """Return the answer for a segment that may still come, after asking for it."""
    charge = Charge("wanted_segments", f"address-{client_network(request)}", RATES["wanted_segments"])
    if wait_s := take(charge):
        return _later(429, seconds_to_wait(wait_s))
    demand.bring_forward(encode, rendition, number or 0)
    answer = _later(503, RETRY_AFTER_S)
    # Django would log each of them as an error of ours.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    name = "init" if number is None else str(number)
    answer[AWAITS] = f"{encode.video.encode_key}/{rendition.name}/{name}/{encode.video.access}"
    return answer


def _later(status: int, seconds: int) -> HttpResponse:
    return HttpResponse(status=status, headers={"Retry-After": str(seconds), "Cache-Control": "no-store"})


def _open_to_players(request: HttpRequest, video: Video, response: HttpResponse) -> HttpResponse:
    """Let players on any site read it, of videos that anyone may watch or that their token opens."""
    if video.is_open or "Authorization" in request.headers:
        response["Access-Control-Allow-Origin"] = "*"
    return response


@require_safe
def storyboard(request: HttpRequest, public_id: str, encode_key: str) -> HttpResponseBase:
    """Answer with the storyboard of a video, with a signed URL for each sheet."""
    video = watchable(request, public_id, encode_key)
    if not video.has_storyboard:
        raise Http404
    signer = UrlSigner.of(video)
    folder = video.storyboard_key.rpartition("/")[0]

    def render(_before: Rendered | None) -> Rendered:
        text = storage.read_range(video.storyboard_key, 0, MAX_STORYBOARD_BYTES).decode()

        return Rendered(
            video.storyboard_key, with_addresses(text, lambda name: signer.url(f"{folder}/{name}"))
        )

    key = (video.storyboard_key, signer)
    state = video.storyboard_key
    return playlist_answer(request, video, key, state, render, max_age_s=inf, content_type=VTT_CONTENT_TYPE)


def state_of(video: Video) -> object:
    """Return a value that changes with every change of an encode's playlists, using at most one query."""
    if video.status == Video.Status.READY:
        # A recording may be reopened: it is longer when it is ready again.
        return video.status, video.duration_s, video.audio_version
    runs = SegmentRun.objects.of(video)
    still_open = Count("pk", filter=Q(is_open=True))
    return tuple(runs.aggregate(Count("pk"), Sum("attempt"), Sum("bytes_stored"), open=still_open).values())


def playlist_answer(
    request: HttpRequest,
    video: Video,
    key: Key,
    state: object,
    render: Callable[[Rendered | None], Rendered],
    *,
    max_age_s: float,
    content_type: str = HLS_CONTENT_TYPE,
) -> HttpResponse:
    """Answer with a playlist that clients revalidate on every use; send it again only if it changed."""
    body = playlists.get(
        key,
        state,
        render,
        is_delta=request.GET.get("_HLS_skip") in {"YES", "v2"},
        is_compressed=accepts_gzip(request.headers.get("Accept-Encoding", "")),
        max_age_s=max_age_s,
    )
    known = {etag.removeprefix("W/") for etag in parse_etags(request.headers.get("If-None-Match", ""))}
    is_unchanged = body.etag in known
    response = HttpResponse(
        b"" if is_unchanged else body.content,
        content_type=content_type,
        status=304 if is_unchanged else 200,
    )
    if body.is_compressed:
        response["Content-Encoding"] = "gzip"
    response["ETag"] = body.etag
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Accept-Encoding"])
    return _open_to_players(request, video, response)


urlpatterns = [
    path("multivariant.m3u8", multivariant, name="hls-multivariant"),
    path("storyboard.vtt", storyboard, name="hls-storyboard"),
    path("<slug:rendition>.m3u8", media, name="hls-media"),
    path("<slug:rendition>/init.mp4", segment, name="hls-init"),
    path("<slug:rendition>/<int:number>.m4s", segment, name="hls-segment"),
]
