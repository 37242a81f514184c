"""API of live streams, on the same services and QuerySets as the pages."""

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
from rest_framework.views import APIView

from accounts.api.channels import ChannelProfileSerializer, ChannelSerializer, ChannelView
from accounts.authentication import person_of
from accounts.errors import AlreadyDecided, InOtherHands, NotTheirs
from accounts.models import Channel
from accounts.ranks import reaches
from common.addresses import requester_key
from common.openapi import refusal, refusals
from common.pagination import CursorPagination
from common.throttling import ScopedThrottle
from live import ingest_presence, services, stream_state, viewers
from live.addresses import ingest_url
from live.chat import tickets
from live.errors import NotOnAir, StreamSuspended
from live.ingest import turns
from live.ingest.health import GOOD
from live.models import Broadcast, ChatMessage, Stream
from videos.models import Category, Video

CHAT_PAGE = 50
RIVAL = "rival_encoder"  # advice: another encoder has connected with the same key
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
    visibility = serializers.ChoiceField(choices=Video.Visibility.choices)
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
    visibility = serializers.ChoiceField(choices=Video.Visibility.choices, required=False)
    latency = serializers.ChoiceField(choices=Stream.Latency.choices, required=False)
    record = serializers.BooleanField(required=False)


class StreamKeySerializer(serializers.Serializer[Any]):
    ingest_url = serializers.CharField()
    stream_key = serializers.CharField(help_text="shown this once")
    key_id = serializers.CharField(help_text="identifies the key without revealing it")


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


class LiveProfileSerializer(ChannelProfileSerializer):
    def get_live(self, channel: Channel) -> bool:
        return Stream.objects.on_air().filter(channel=channel).exists()


class LiveChannelView(ChannelView):
    """A channel, with a flag that tells if it is on air."""

    serializer_class = LiveProfileSerializer


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

    def answer(self, stream: Stream) -> Response:
        return Response(LiveSerializer(stream_state.state(stream), context={"request": self.request}).data)


class LiveView(StreamView):
    """A stream: its status and its playback addresses."""

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
        stream = self.own()
        stream_key = services.rotate_stream_key(stream)
        body = {
            "ingest_url": ingest_url(request.get_host()),
            "stream_key": stream_key,
            "key_id": stream.key_id,
        }
        return Response(body, status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, username: str) -> Response:
        """Leave the stream without a key."""
        services.revoke_stream_key(self.own())
        return Response(status=status.HTTP_204_NO_CONTENT)


class EndView(StreamView):
    @extend_schema(request=None, responses={204: None, **refusals(NotOnAir, AlreadyDecided, InOtherHands)})
    def post(self, request: Request, username: str) -> Response:
        """End the broadcast; the encoder is disconnected."""
        stream = self.moderated()
        person = person_of(request)
        if not reaches(person, stream.channel.owner):
            raise PermissionDenied(str(NotTheirs()))
        services.end_broadcast(stream, by=person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class HeartbeatView(StreamView):
    permission_classes = (AllowAny,)

    @extend_schema(
        request=HeartbeatSerializer, responses={200: HeartbeatAnswerSerializer, **refusals(NotOnAir)}
    )
    def post(self, request: Request, username: str) -> Response:
        """Report a playing viewer, every 15 seconds; send the returned session with the next report."""
        stream = self.watchable()
        asked = HeartbeatSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        if services.current_broadcast(stream) is None:
            raise NotOnAir
        session, count = viewers.heartbeat(stream, asked.validated_data["session"], requester_key(request))
        return Response({"session": session, "viewer_count": count})


class TicketView(StreamView):
    @extend_schema(request=None, responses=TicketSerializer)
    def post(self, request: Request, username: str) -> Response:
        """Return a ticket that signs a chat connection in; it is valid for 60 seconds."""
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
        """Return the health of the incoming signal, for the owner and moderators; 409 while off air."""
        broadcast = services.current_broadcast(self.moderated())
        health = broadcast and ingest_presence.health_of(broadcast.public_id)
        if not broadcast or not health:
            raise NotOnAir
        if turns.is_contested(broadcast):
            verdict = RIVAL if health["verdict"] == GOOD else health["verdict"]
            health |= {"verdict": verdict, "advice": [RIVAL, *health["advice"]]}
        return Response(HealthSerializer(health).data)


class ChatView(StreamView):
    permission_classes = (AllowAny,)

    @extend_schema(
        parameters=[OpenApiParameter("before", int, description="only messages before this seq")],
        responses=ChatPageSerializer,
    )
    def get(self, request: Request, username: str) -> Response:
        """List chat messages, newest first; the room's socket has the last seconds earlier."""
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
