"""Live over the API: the same services and QuerySets as the pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db.models import F, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import ChannelProfileSerializer, ChannelView
from accounts.authentication import person_of
from accounts.models import Channel
from live import liveness, services, state, viewers
from live.addresses import ingest_url
from live.chat import tickets
from live.errors import NotOnAir, StreamSuspended
from live.models import Broadcast, ChatMessage, Stream
from videoplatform.openapi import refusal, refusals
from videoplatform.pagination import CursorPagination
from videoplatform.throttling import ScopedThrottle
from videos.api import AnswersServiceErrors, ChannelSerializer, viewer_of
from videos.models import Category, Video

CHAT_PAGE = 50
STATUSES = [*Broadcast.Status.choices[:2], (state.OFFLINE, state.OFFLINE)]

# --- Shapes ---------------------------------------------------------------------


class LivePlaybackSerializer(serializers.Serializer[Any]):
    hls_url = serializers.CharField()
    dvr_url = serializers.CharField(allow_null=True)
    poster_url = serializers.CharField(allow_null=True)

    def to_representation(self, playback: dict[str, str | None]) -> dict[str, Any]:
        """Addresses in full, for players that are no browser."""
        absolute = self.context["request"].build_absolute_uri
        return {name: url and absolute(url) for name, url in playback.items()}


class ChatSerializer(serializers.Serializer[Any]):
    websocket_path = serializers.CharField()


class LiveSerializer(serializers.Serializer[Any]):
    """What ``live.state`` says of a stream."""

    username = serializers.CharField()
    channel = ChannelSerializer()
    status = serializers.ChoiceField(choices=STATUSES)
    title = serializers.CharField()
    category = serializers.ChoiceField(choices=Category.choices)
    visibility = serializers.ChoiceField(choices=Video.Visibility.choices)
    latency = serializers.ChoiceField(choices=Stream.Latency.choices)
    record = serializers.BooleanField()
    started_at = serializers.DateTimeField(allow_null=True)
    viewer_count = serializers.IntegerField()
    playback = LivePlaybackSerializer(allow_null=True)
    chat = ChatSerializer()
    broadcast_id = serializers.CharField(allow_null=True)
    replay_id = serializers.CharField(allow_null=True)


class StreamEditSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=150, required=False, allow_blank=True)
    category = serializers.ChoiceField(choices=Category.choices, required=False)
    visibility = serializers.ChoiceField(choices=Video.Visibility.choices, required=False)
    latency = serializers.ChoiceField(choices=Stream.Latency.choices, required=False)
    record = serializers.BooleanField(required=False)


class StreamKeySerializer(serializers.Serializer[Any]):
    ingest_url = serializers.CharField()
    stream_key = serializers.CharField(help_text="shown this once")


class HeartbeatSerializer(serializers.Serializer[Any]):
    session = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class HeartbeatAnswerSerializer(serializers.Serializer[Any]):
    session = serializers.CharField()
    viewer_count = serializers.IntegerField()


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_at = serializers.DateTimeField()


class HealthSerializer(serializers.Serializer[Any]):
    bitrate_bps = serializers.IntegerField()
    fps = serializers.FloatField()
    width_px = serializers.IntegerField()
    height_px = serializers.IntegerField()
    keyframe_interval_s = serializers.FloatField(allow_null=True)
    dropped_frames = serializers.IntegerField()
    verdict = serializers.CharField()
    advice = serializers.ListField(child=serializers.CharField())


class ChatPersonSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    display_name = serializers.CharField(source="channel.name")


class ChatMessageSerializer(serializers.ModelSerializer[ChatMessage]):
    id = serializers.CharField(source="public_id")
    user = ChatPersonSerializer()

    class Meta:
        model = ChatMessage
        fields = ("id", "seq", "user", "text", "sent_at")


class ChatPageSerializer(serializers.Serializer[Any]):
    results = ChatMessageSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


# --- Endpoints --------------------------------------------------------------------


class LiveProfileSerializer(ChannelProfileSerializer):
    def get_live(self, channel: Channel) -> bool:
        return Stream.objects.on_air().filter(channel=channel).exists()


class LiveChannelView(ChannelView):
    """A channel, and whether it is on air."""

    serializer_class = LiveProfileSerializer


class LivePagination(CursorPagination):
    """Newest on air first; what was paged through stays put while others begin."""

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
        shown = LiveSerializer(state.states(page), many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)


class StreamView(AnswersServiceErrors):
    """Base: the stream of ``username``, for whoever may know that it exists."""

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

    def answer(self, stream: Stream) -> Response:
        return Response(LiveSerializer(state.state(stream), context={"request": self.request}).data)


class LiveView(StreamView):
    """One stream: whether it is on air, and how to watch it."""

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method == "GET" else [IsAuthenticated()]

    @extend_schema(responses=LiveSerializer)
    def get(self, request: Request, username: str) -> Response:
        return self.answer(self.watchable())

    @extend_schema(request=StreamEditSerializer, responses=LiveSerializer)
    def patch(self, request: Request, username: str) -> Response:
        stream = self.own()
        asked = StreamEditSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.edit_stream(stream, **asked.validated_data)
        return self.answer(stream)


class StreamKeyView(StreamView):
    throttle_classes = (ScopedThrottle,)
    throttle_scope = "stream_key"

    @extend_schema(request=None, responses={201: StreamKeySerializer, **refusals(StreamSuspended)})
    def post(self, request: Request, username: str) -> Response:
        """Make a new key; the old one stops working at once."""
        stream_key = services.rotate_stream_key(self.own())
        body = {"ingest_url": ingest_url(request.get_host()), "stream_key": stream_key}
        return Response(body, status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, username: str) -> Response:
        """Leave the stream without a key."""
        services.revoke_stream_key(self.own())
        return Response(status=status.HTTP_204_NO_CONTENT)


class EndView(StreamView):
    @extend_schema(request=None, responses={204: None, **refusals(NotOnAir)})
    def post(self, request: Request, username: str) -> Response:
        """End the broadcast; the encoder is disconnected."""
        services.end_broadcast(self.moderated())
        return Response(status=status.HTTP_204_NO_CONTENT)


class HeartbeatView(StreamView):
    permission_classes = (AllowAny,)

    @extend_schema(
        request=HeartbeatSerializer, responses={200: HeartbeatAnswerSerializer, **refusals(NotOnAir)}
    )
    def post(self, request: Request, username: str) -> Response:
        """Fifteen more seconds were watched; send the session back with the next."""
        stream = self.watchable()
        asked = HeartbeatSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        if services.current_broadcast(stream) is None:
            raise NotOnAir
        session, count = viewers.heartbeat(stream, asked.validated_data["session"], viewer_of(request))
        return Response({"session": session, "viewer_count": count})


class TicketView(StreamView):
    @extend_schema(request=None, responses=TicketSerializer)
    def post(self, request: Request, username: str) -> Response:
        """A ticket that signs a chat connection in; good for about a minute."""
        ticket, expires_at = tickets.issue(self.watchable(), person_of(request))
        return Response({"ticket": ticket, "expires_at": expires_at})


class HealthView(StreamView):
    @extend_schema(
        responses={
            200: HealthSerializer,
            403: refusal(PermissionDenied.default_code),
            **refusals(NotOnAir),
        }
    )
    def get(self, request: Request, username: str) -> Response:
        """How the signal arrives, for its owner; 409 while there is none."""
        broadcast = services.current_broadcast(self.moderated())
        health = broadcast and liveness.health_of(broadcast.public_id)
        if not health:
            raise NotOnAir
        return Response(HealthSerializer(health).data)


class ChatView(StreamView):
    permission_classes = (AllowAny,)

    @extend_schema(
        parameters=[OpenApiParameter("before", int, description="only messages before this seq")],
        responses=ChatPageSerializer,
    )
    def get(self, request: Request, username: str) -> Response:
        """What was said, newest first; the last seconds are in the room's socket before they are here."""
        stream = self.watchable()
        messages = stream.messages.filter(deleted_at=None).select_related("user__channel__owner")
        before = request.query_params.get("before", "")
        if before:
            if not (before.isdecimal() and len(before) < 19):
                raise serializers.ValidationError({"before": ["A seq is a whole number."]})
            messages = messages.filter(seq__lt=int(before))
        page = list(messages.order_by("-seq")[:CHAT_PAGE])
        older = None
        if len(page) == CHAT_PAGE:
            older = f"{request.build_absolute_uri(request.path)}?{urlencode({'before': page[-1].seq})}"
        shown = ChatMessageSerializer(page, many=True).data
        return Response({"results": shown, "next": older, "previous": None})
