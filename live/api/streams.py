"""Streams: the list of live ones, and each stream with its playback."""

from __future__ import annotations

from typing import Any

from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.channels import ChannelSerializer
from common.pagination import CursorPagination
from live import services, stream_state
from live.api.base import StreamView
from live.models import STREAM_VISIBILITIES, Broadcast, Stream
from videos.models import Category

STATUSES = [*Broadcast.Status.choices[:2], (stream_state.OFFLINE, stream_state.OFFLINE)]


class LivePlaybackSerializer(serializers.Serializer[Any]):
    hls_url = serializers.CharField()
    dvr_url = serializers.CharField(allow_null=True)
    poster_url = serializers.CharField(allow_null=True)

    def to_representation(self, playback: dict[str, str | None]) -> dict[str, Any]:
        """Return absolute URLs, for players outside a browser."""
        absolute = self.context["request"].build_absolute_uri
        return {name: url and absolute(url) for name, url in playback.items()}


class ChatSerializer(serializers.Serializer[Any]):
    websocket_path = serializers.CharField()


class LiveSerializer(serializers.Serializer[Any]):
    """A stream's state, as built by ``live.stream_state``."""

    username = serializers.CharField()
    channel = ChannelSerializer()
    status = serializers.ChoiceField(choices=STATUSES)
    title = serializers.CharField()
    category = serializers.ChoiceField(choices=Category.choices)
    visibility = serializers.ChoiceField(choices=STREAM_VISIBILITIES)
    latency = serializers.ChoiceField(choices=Stream.Latency.choices)
    record = serializers.BooleanField()
    started_at = serializers.DateTimeField(allow_null=True)
    viewer_count = serializers.IntegerField()
    playback = LivePlaybackSerializer(allow_null=True)
    chat = ChatSerializer()
    broadcast_id = serializers.CharField(allow_null=True)
    replay_id = serializers.CharField(allow_null=True)
    replay_broadcast_id = serializers.CharField(allow_null=True)


class StreamEditSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=150, required=False, allow_blank=True)
    category = serializers.ChoiceField(choices=Category.choices, required=False)
    visibility = serializers.ChoiceField(choices=STREAM_VISIBILITIES, required=False)
    latency = serializers.ChoiceField(choices=Stream.Latency.choices, required=False)
    record = serializers.BooleanField(required=False)


class LivePagination(CursorPagination):
    """Newest broadcasts first; pages stay stable while further broadcasts begin."""

    ordering = ("-on_air_since", "-id")


class LiveListView(generics.ListAPIView[Stream]):
    """Public streams that are on air."""

    serializer_class = LiveSerializer
    pagination_class = LivePagination
    permission_classes = (AllowAny,)
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Stream]:
        on_air = Stream.objects.on_air().for_cards()
        running = on_air.filter(broadcasts__status__in=[status for status, _ in STATUSES[:2]])
        return running.annotate(on_air_since=F("broadcasts__started_at"))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        shown = LiveSerializer(stream_state.states(page), many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)


class LiveView(StreamView):
    """A stream: its status and its playback addresses."""

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method == "GET" else [IsAuthenticated()]

    @extend_schema(responses=LiveSerializer)
    def get(self, request: Request, username: str) -> Response:
        return self._answer(self.watchable())

    @extend_schema(request=StreamEditSerializer, responses=LiveSerializer)
    def patch(self, request: Request, username: str) -> Response:
        stream = self.own()
        asked = StreamEditSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.edit_stream(stream, **asked.validated_data)
        return self._answer(stream)

    def _answer(self, stream: Stream) -> Response:
        return Response(LiveSerializer(stream_state.state(stream), context={"request": self.request}).data)
