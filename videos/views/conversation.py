"""Comments on a video's page, served by ``comments``."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts.viewers import viewer_of
from comments import views
from comments.views import Place
from videos.conversation import is_discussed
from videos.models import Video


def comments(request: HttpRequest, public_id: str) -> HttpResponse:
    return views.comments(request, _place(request, public_id))


def comment(request: HttpRequest, public_id: str, comment_id: str) -> HttpResponse:
    return views.comment(request, _place(request, public_id), comment_id)


def _place(request: HttpRequest, public_id: str) -> Place:
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    if not is_discussed(video, viewer_of(request)):
        raise Http404
    return Place(video, video.get_absolute_url(), reverse("video-comments", args=[video.public_id]))
