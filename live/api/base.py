"""Base of all views on one stream."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.views import APIView

from accounts.models import Channel
from live import services
from live.models import Stream


class StreamView(APIView):
    """Base of views on the stream of ``username``; 404 for people who may not watch it."""

    permission_classes: Any = (IsAuthenticated,)

    def watchable(self) -> Stream:
        channels = Channel.objects.public().select_related("owner")
        channel = get_object_or_404(channels.named(self.kwargs["username"]))
        stream = services.stream_of(channel)
        if not stream.can_watch(self.request.user):
            raise NotFound
        return stream

    def own(self) -> Stream:
        stream = self.watchable()
        if not stream.is_owned_by(self.request.user):
            raise PermissionDenied
        return stream

    def moderated(self) -> Stream:
        stream = self.watchable()
        if not stream.can_moderate(self.request.user):
            raise PermissionDenied
        return stream
