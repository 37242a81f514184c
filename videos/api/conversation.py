"""Comments and danmaku of a video, served by ``comments``."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework.exceptions import NotFound

from accounts.viewers import Viewer, viewer_of
from comments.api.comments import CommentsView
from comments.api.danmaku import DanmakuView
from videos.conversation import is_discussed
from videos.models import Video


def video_for(viewer: Viewer, public_id: str) -> Video:
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    if not is_discussed(video, viewer):
        raise NotFound
    return video


class VideoCommentsView(CommentsView):
    def target(self) -> Video:
        return video_for(viewer_of(self.request), self.kwargs["id"])


class VideoDanmakuView(DanmakuView):
    def target_for(self, viewer: Viewer) -> Video:
        return video_for(viewer, self.kwargs["id"])

    def length_ms(self, target: Any) -> int | None:
        return round(target.duration_s * 1000) if target.duration_s else None

    def may_be_shared(self, target: Any) -> bool:
        """Return whether a shared cache may keep the answer; an unlisted video's must not be found there."""
        return bool(target.visibility == Video.Visibility.PUBLIC)
