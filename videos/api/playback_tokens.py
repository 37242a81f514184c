"""Playback tokens of the requester's own videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.viewers import TOKEN_PARAMETER
from common.openapi import refusal, refusals
from videos import services
from videos.api.access import own
from videos.models import PlaybackToken
from videos.services.errors import BadDomain, BadExpiry, TooManyPlaybackTokens
from videos.services.playback_tokens import MAX_DOMAIN, MAX_DOMAINS

if TYPE_CHECKING:
    from rest_framework.request import Request


class PlaybackTokenSerializer(serializers.ModelSerializer[PlaybackToken]):
    id = serializers.CharField(source="public_id", read_only=True)
    domains = serializers.ListField(
        child=serializers.CharField(max_length=MAX_DOMAIN), max_length=MAX_DOMAINS
    )

    class Meta:
        model = PlaybackToken
        fields = ("id", "domains", "created_at", "expires_at")
        read_only_fields = ("created_at",)


class NewPlaybackTokenSerializer(PlaybackTokenSerializer):
    token = serializers.CharField(read_only=True, help_text="shown this once")
    embed_url = serializers.CharField(read_only=True, help_text="for an iframe on one of the domains")

    class Meta(PlaybackTokenSerializer.Meta):
        fields = ("id", "domains", "created_at", "expires_at", "token", "embed_url")  # type: ignore[assignment]


class PlaybackTokenPageSerializer(serializers.Serializer[Any]):
    """A list in the shape of all lists; a video's tokens never fill a second page."""

    results = PlaybackTokenSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class PlaybackTokensView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        responses={200: PlaybackTokenPageSerializer, 403: refusal("permission_denied", "password_required")}
    )
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        """Return the tokens of your video, without their secrets."""
        tokens = own(request, id).playback_tokens.all()
        results = PlaybackTokenSerializer(tokens, many=True).data
        return Response({"results": results, "next": None, "previous": None})

    @extend_schema(
        request=PlaybackTokenSerializer,
        responses={
            201: NewPlaybackTokenSerializer,
            **refusals(BadDomain, BadExpiry, TooManyPlaybackTokens),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Create a token with which pages of the given domains play your video in a frame."""
        video = own(request, id)
        asked = PlaybackTokenSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        token, secret = services.create_playback_token(video, **asked.validated_data)
        path = f"{reverse('embed', args=[video.public_id])}?{TOKEN_PARAMETER}={secret}"
        answer = {**PlaybackTokenSerializer(token).data, "token": secret}
        return Response(
            answer | {"embed_url": request.build_absolute_uri(path)}, status=status.HTTP_201_CREATED
        )


class PlaybackTokenView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str, token_id: str) -> Response:  # noqa: A002
        """Revoke a token: the next request of a player with it is refused."""
        get_object_or_404(own(request, id).playback_tokens, public_id=token_id).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)
