"""Captions: viewers with access read them, the owner of the video changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.viewers import viewer_of
from common.openapi import refusals
from common.rates import PRICES
from common.throttling import ScopedThrottle
from videos import services
from videos.api.access import LOCKED, own, watchable
from videos.api.serializers import CaptionSerializer
from videos.services.errors import (
    CaptionsBusy,
    CaptionsChanged,
    CaptionsTooLarge,
    CaptionsUnreadable,
    NoCaptions,
    StorageUnavailable,
    TooManyCaptions,
    UnknownLanguage,
)
from videos.transcoding import captions

if TYPE_CHECKING:
    from rest_framework.throttling import BaseThrottle


class CaptionFileSerializer(serializers.Serializer[Any]):
    language = serializers.CharField(max_length=35)
    file = serializers.FileField(allow_empty_file=True, max_length=1024)


class AddedCaptionSerializer(CaptionSerializer):
    cue_count = serializers.IntegerField()
    skipped_cues = serializers.IntegerField(help_text="unusable cues of the file")


class EditedCaptionSerializer(serializers.Serializer[Any]):
    webvtt = serializers.CharField(max_length=captions.MAX_BYTES, trim_whitespace=False)
    based_on = serializers.CharField(
        max_length=12, allow_blank=True, help_text="the version that was edited; empty: new captions"
    )


class CaptionPageSerializer(serializers.Serializer[Any]):
    """A list in the shape of all lists; captions never fill a second page."""

    results = CaptionSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class CaptionsView(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)
    parser_classes = (MultiPartParser,)
    throttle_scope = "captions"

    def get_throttles(self) -> list[BaseThrottle]:
        usual = super().get_throttles()
        return [*usual, ScopedThrottle()] if self.request.method == "POST" else usual

    def get_price(self, request: Request) -> int:
        return PRICES["captions"] if request.method == "POST" else 1

    @extend_schema(responses={200: CaptionPageSerializer, **LOCKED})
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        video = watchable(request, id)
        tracks = video.captions.all() if video.can_play(viewer_of(request)) else []
        captions = [services.caption_json(track) for track in tracks]
        return Response({"results": captions, "next": None, "previous": None})

    @extend_schema(
        request={"multipart/form-data": CaptionFileSerializer},
        responses={
            201: AddedCaptionSerializer,
            **refusals(
                UnknownLanguage,
                CaptionsBusy,
                CaptionsTooLarge,
                CaptionsUnreadable,
                TooManyCaptions,
                StorageUnavailable,
            ),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Add or replace captions in one language, from WebVTT, SubRip or SubStation of at most 5 MiB."""
        video = own(request, id)
        asked = CaptionFileSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        track, skipped = services.add_captions(video, **asked.validated_data)
        answer = services.caption_json(track) | {"cue_count": track.cue_count, "skipped_cues": skipped}
        return Response(answer, status=status.HTTP_201_CREATED)


class CaptionView(APIView):
    permission_classes = (IsAuthenticated,)
    throttle_scope = "captions"

    def get_throttles(self) -> list[BaseThrottle]:
        usual = super().get_throttles()
        return [*usual, ScopedThrottle()] if self.request.method == "PUT" else usual

    def get_price(self, request: Request) -> int:
        return PRICES["captions"] if request.method == "PUT" else 1

    @extend_schema(
        request=EditedCaptionSerializer,
        responses={
            200: CaptionSerializer,
            **refusals(
                UnknownLanguage,
                CaptionsBusy,
                CaptionsChanged,
                CaptionsTooLarge,
                CaptionsUnreadable,
                TooManyCaptions,
                StorageUnavailable,
            ),
        },
    )
    def put(self, request: Request, id: str, language: str) -> Response:  # noqa: A002
        """Store edited captions; they are then no longer automatic."""
        video = own(request, id)
        asked = EditedCaptionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        track = services.save_captions(video, language=language, **asked.validated_data)
        return Response(services.caption_json(track))

    @extend_schema(responses={204: None, **refusals(NoCaptions)})
    def delete(self, request: Request, id: str, language: str) -> Response:  # noqa: A002
        services.remove_captions(own(request, id), language=language)
        return Response(status=status.HTTP_204_NO_CONTENT)
