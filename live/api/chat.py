"""Chat: tickets for the socket, and the stored messages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import person_of
from live.api.base import StreamView
from live.chat import tickets
from live.models import ChatMessage

CHAT_PAGE = 50


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_at = serializers.DateTimeField()


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


class TicketView(StreamView):
    @extend_schema(request=None, responses=TicketSerializer)
    def post(self, request: Request, username: str) -> Response:
        """Return a ticket that signs a chat connection in; it is valid for 60 seconds."""
        ticket, expires_at = tickets.issue(self.watchable(), person_of(request))
        return Response({"ticket": ticket, "expires_at": expires_at})


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
