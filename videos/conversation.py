"""Comments and danmaku of videos: the link to the ``comments`` app, for pages and the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework.exceptions import NotFound

from comments import api, danmaku_api, views
from comments.views import Place
from videos.models import Video

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User


def comments(request: HttpRequest, public_id: str) -> HttpResponse:
    return views.comments(request, _place(request, public_id))


def comment(request: HttpRequest, public_id: str, comment_id: str) -> HttpResponse:
    return views.comment(request, _place(request, public_id), comment_id)


def _place(request: HttpRequest, public_id: str) -> Place:
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    if not is_discussed(video, request.user):
        raise Http404
    return place_of(video)


def place_of(video: Video) -> Place:
    return Place(video, video.get_absolute_url(), reverse("video-comments", args=[video.public_id]))


def is_discussed(video: Video, user: User | AnonymousUser) -> bool:
    """Return whether ``user`` may read the conversation: they may watch, and the upload is complete."""
    return video.status != Video.Status.UPLOADING and video.can_watch(user)


def video_for(user: Any, public_id: str) -> Video:
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    if not is_discussed(video, user):
        raise NotFound
    return video


class VideoCommentsView(api.CommentsView):
    def target(self) -> Video:
        return video_for(self.request.user, self.kwargs["id"])


class VideoDanmakuView(danmaku_api.DanmakuView):
    def target_for(self, user: Any) -> Video:
        return video_for(user, self.kwargs["id"])

    def length_ms(self, target: Any) -> int | None:
        return round(target.duration_s * 1000) if target.duration_s else None

    def may_be_shared(self, target: Any) -> bool:
        """Return whether a shared cache may keep the answer; an unlisted video's must not be found there."""
        return bool(target.visibility == Video.Visibility.PUBLIC)
