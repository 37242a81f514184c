"""Playlists for players: who may watch is asked here, for every playlist, every time.

Segments lie in a private bucket; a playlist that someone may read carries
presigned URLs.  Taking a video away stops every playlist at once and moves no
bytes; URLs that were issued before live on for at most ``storage.lifetime``.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.authentication import ApiTokenAuthentication
from videoplatform import storage
from videos.models import Video
from videos.publishing import Encode, NothingPublished, media_playlist, multivariant_playlist

if TYPE_CHECKING:
    from accounts.models import User

HLS_CONTENT_TYPE = "application/vnd.apple.mpegurl"


def person(request: HttpRequest) -> User | AnonymousUser:
    """Whoever asks: by API token where one is sent, else by session."""
    if "Authorization" not in request.headers:
        return request.user
    try:
        found = ApiTokenAuthentication().authenticate(Request(request))
    except AuthenticationFailed:
        return AnonymousUser()
    return found[0] if found else request.user


def watchable(request: HttpRequest, public_id: str, encode_key: str) -> Video:
    """The video, if this encode of it may be watched; 404 otherwise, as existence may be a secret."""
    videos = Video.objects.select_related("channel__owner")
    video = get_object_or_404(videos, public_id=public_id, encode_key=encode_key, is_playable=True)
    if not video.can_watch(person(request)):
        raise Http404
    return video


@require_safe
def multivariant(request: HttpRequest, public_id: str, encode_key: str) -> HttpResponseBase:
    return multivariant_answer(request, watchable(request, public_id, encode_key))


@require_safe
def media(request: HttpRequest, public_id: str, encode_key: str, rendition: str) -> HttpResponseBase:
    return media_answer(request, watchable(request, public_id, encode_key), rendition)


def multivariant_answer(request: HttpRequest, video: Video) -> HttpResponse:
    """The renditions of a video that whoever asks may watch; 404 while it has not begun."""
    encode = Encode.of(video)
    if not encode.is_playable:
        raise Http404
    return _answer(request, video, multivariant_playlist(encode, "{}.m3u8".format))


def media_answer(request: HttpRequest, video: Video, rendition: str) -> HttpResponse:
    """One rendition's segments, each with a URL of its own; 404 for one that does not exist or has none."""
    encode = Encode.of(video)
    found = next((r for r in [*encode.rungs, *encode.tracks] if r.name == rendition), None)
    if found is None:
        raise Http404
    base, window = storage.public_base(), storage.window_start(timezone.now())
    # What is still being recorded lasts as long as it does so far.
    duration_s = video.duration_s or encode.duration_s
    expires = storage.lifetime(duration_s) + storage.SIGNING_WINDOW

    def uri(name: str) -> str:
        return storage.sign_get(f"{video.encode_prefix}{name}", base=base, signed_at=window, expires=expires)

    try:
        playlist = media_playlist(encode, found, uri)
    except NothingPublished:
        raise Http404 from None
    return _answer(request, video, playlist)


def _answer(request: HttpRequest, video: Video, playlist: str) -> HttpResponse:
    """A playlist that is asked for again every time, and sent again only if it changed."""
    etag = f'"{hashlib.sha256(playlist.encode()).hexdigest()[:32]}"'
    unchanged = request.headers.get("If-None-Match") == etag
    response = HttpResponse(
        b"" if unchanged else playlist, content_type=HLS_CONTENT_TYPE, status=304 if unchanged else 200
    )
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    if video.visibility != Video.Visibility.PRIVATE:
        # Any site's player may play what anyone may watch.
        response["Access-Control-Allow-Origin"] = "*"
    return response


urlpatterns = [
    path("multivariant.m3u8", multivariant, name="hls-multivariant"),
    path("<slug:rendition>.m3u8", media, name="hls-media"),
]
