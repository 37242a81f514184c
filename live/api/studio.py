"""Requests of the live studio: stream key, end, health of the signal."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import person_of
from accounts.errors import AlreadyDecided, NotTheirs
from accounts.ranks import reaches
from common.openapi import refusal, refusals
from common.throttling import ScopedThrottle
from live import ingest_presence, services
from live.addresses import ingest_url
from live.api.base import StreamView
from live.errors import AwaitsKeyframe, AwaitsVideo, NotOnAir, StreamSuspended
from live.ingest import turns
from live.ingest.health import GOOD
from live.ingest_presence import Awaited

RIVAL = "rival_encoder"  # advice: another encoder has connected with the same key


class StreamKeySerializer(serializers.Serializer[Any]):
    ingest_url = serializers.CharField()
    stream_key = serializers.CharField(help_text="shown this once")
    key_id = serializers.CharField(help_text="identifies the key without revealing it")


class HealthSerializer(serializers.Serializer[Any]):
    bitrate_bps = serializers.IntegerField()
    fps = serializers.FloatField()
    width_px = serializers.IntegerField()
    height_px = serializers.IntegerField()
    keyframe_interval_s = serializers.FloatField(allow_null=True)
    dropped_frames = serializers.IntegerField()
    verdict = serializers.CharField()
    advice = serializers.ListField(child=serializers.CharField())


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
    @extend_schema(request=None, responses={204: None, **refusals(NotOnAir, AlreadyDecided)})
    def post(self, request: Request, username: str) -> Response:
        """End the broadcast; the encoder is disconnected."""
        stream = self.moderated()
        person = person_of(request)
        if not reaches(person, stream.channel.owner):
            raise PermissionDenied(str(NotTheirs()))
        services.end_broadcast(stream, by=person)
        return Response(status=status.HTTP_204_NO_CONTENT)


_OFF_AIR = {None: NotOnAir, Awaited.VIDEO: AwaitsVideo, Awaited.KEYFRAME: AwaitsKeyframe}


class HealthView(StreamView):
    @extend_schema(
        responses={
            200: HealthSerializer,
            403: refusal(PermissionDenied.default_code),
            **refusals(NotOnAir, AwaitsVideo, AwaitsKeyframe),
        }
    )
    def get(self, request: Request, username: str) -> Response:
        """Return the health of the incoming signal, for the owner and moderators; 409 while off air.

        The code of the 409 names the frame that a connected encoder has not sent yet.
        """
        stream = self.moderated()
        broadcast = services.current_broadcast(stream)
        health = broadcast and ingest_presence.health_of(broadcast.public_id)
        if not broadcast or not health:
            raise _OFF_AIR[ingest_presence.awaited_of(stream.pk)]
        if turns.is_contested(broadcast):
            verdict = RIVAL if health["verdict"] == GOOD else health["verdict"]
            health |= {"verdict": verdict, "advice": [RIVAL, *health["advice"]]}
        return Response(HealthSerializer(health).data)
