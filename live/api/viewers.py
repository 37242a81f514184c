"""Heartbeats of players."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from common.addresses import requester_key
from common.openapi import refusals
from live import services, viewers
from live.api.base import StreamView
from live.errors import NotOnAir


class HeartbeatSerializer(serializers.Serializer[Any]):
    session = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class HeartbeatAnswerSerializer(serializers.Serializer[Any]):
    session = serializers.CharField()
    viewer_count = serializers.IntegerField()


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
