"""The poster of a video: its owner chooses one of the offered stills or uploads a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.openapi import refusals
from common.rates import PRICES
from common.storage import media_url
from common.throttling import ScopedThrottle
from videos import services
from videos.api.access import LOCKED, own
from videos.models import Video
from videos.services.errors import (
    NoSuchPoster,
    PostersBusy,
    PosterTooLarge,
    PosterUnreadable,
    StorageUnavailable,
)
from videos.services.watching import poster_url

if TYPE_CHECKING:
    from rest_framework.throttling import BaseThrottle


class PosterChoiceSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    at_s = serializers.FloatField()
    url = serializers.CharField()
    is_chosen = serializers.BooleanField()


class PosterSerializer(serializers.Serializer[Any]):
    poster_url = serializers.CharField(allow_null=True)
    choices = PosterChoiceSerializer(many=True)


class ChosenPosterSerializer(serializers.Serializer[Any]):
    choice = serializers.IntegerField(min_value=0, max_value=100)


class PosterFileSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(allow_empty_file=True, max_length=1024)


class PosterView(APIView):
    permission_classes = (IsAuthenticated,)
    parser_classes = (MultiPartParser, JSONParser)
    throttle_scope = "poster"

    def get_throttles(self) -> list[BaseThrottle]:
        usual = super().get_throttles()
        return [*usual, ScopedThrottle()] if self.request.method == "POST" else usual

    def get_price(self, request: Request) -> int:
        return PRICES["picture"] if request.method == "POST" else 1

    @extend_schema(responses={200: PosterSerializer, **LOCKED})
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        """Return the poster and the stills that may replace it; without any until the video is ready."""
        return _answer(own(request, id))

    @extend_schema(
        request=ChosenPosterSerializer,
        responses={200: PosterSerializer, **refusals(NoSuchPoster, StorageUnavailable)},
    )
    def patch(self, request: Request, id: str) -> Response:  # noqa: A002
        """Make one of the offered stills the poster."""
        video = own(request, id)
        asked = ChosenPosterSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return _answer(services.choose_poster(video, number=asked.validated_data["choice"]))

    @extend_schema(
        request={"multipart/form-data": PosterFileSerializer},
        responses={
            200: PosterSerializer,
            **refusals(PosterUnreadable, PosterTooLarge, PostersBusy, StorageUnavailable),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Make a JPEG, PNG, WebP or GIF of at most 5 MB the poster."""
        video = own(request, id)
        asked = PosterFileSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return _answer(services.upload_poster(video, file=asked.validated_data["file"]))


def _answer(video: Video) -> Response:
    chosen = services.chosen_number(video)
    choices = [
        {"number": number, "at_s": at_s, "url": media_url(key), "is_chosen": number == chosen}
        for number, (key, at_s) in enumerate(video.poster_choices)
    ]
    return Response(PosterSerializer({"poster_url": poster_url(video), "choices": choices}).data)
