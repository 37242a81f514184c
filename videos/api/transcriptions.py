"""Automatic captions: their owner requests, follows and cancels them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.openapi import refusals
from common.rates import PRICES
from common.throttling import ScopedThrottle
from videos import services, transcriptions
from videos.api.access import LOCKED, own
from videos.models import Transcription
from videos.services.errors import (
    CannotTranscribe,
    NothingToCancel,
    NoTranscription,
    TranscriptionOff,
    TranscriptionRuns,
    UnheardLanguage,
)

if TYPE_CHECKING:
    from rest_framework.throttling import BaseThrottle


class TranscriptionRequestSerializer(serializers.Serializer[Any]):
    language = serializers.CharField(
        max_length=35, required=False, allow_blank=True, default="", help_text="RFC 5646; empty: find it"
    )


class OutcomeSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=Transcription.Outcome.values)
    detail = serializers.CharField()


class TranscriptionSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=Transcription.Status.values)
    language = serializers.CharField(allow_null=True, help_text="chosen or found")
    progress_percent = serializers.IntegerField()
    estimate_s = serializers.IntegerField(allow_null=True, help_text="seconds until the end, if known")
    waiting_for = serializers.ChoiceField(choices=Transcription.WaitsFor.values, allow_null=True)
    outcome = OutcomeSerializer(allow_null=True)


class TranscriptionView(APIView):
    permission_classes = (IsAuthenticated,)
    throttle_scope = "captions"

    def get_throttles(self) -> list[BaseThrottle]:
        usual = super().get_throttles()
        return [*usual, ScopedThrottle()] if self.request.method == "POST" else usual

    def get_price(self, request: Request) -> int:
        return PRICES["captions"] if request.method == "POST" else 1

    @extend_schema(responses={200: TranscriptionSerializer, **LOCKED, **refusals(NoTranscription)})
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        video = own(request, id)
        row = Transcription.objects.select_related("video").filter(video=video).first()
        if row is None:
            raise NoTranscription
        return Response(transcriptions.state(row))

    @extend_schema(
        request=TranscriptionRequestSerializer,
        responses={
            202: TranscriptionSerializer,
            **refusals(UnheardLanguage, TranscriptionOff, CannotTranscribe, TranscriptionRuns),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Request captions of the speech; those that the owner added in its language stay."""
        video = own(request, id)
        asked = TranscriptionRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        row = services.request_transcription(video, **asked.validated_data)
        return Response(transcriptions.state(row), status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={204: None, **refusals(NothingToCancel)})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Cancel captions that wait or are being created."""
        services.cancel_transcription(own(request, id))
        return Response(status=status.HTTP_204_NO_CONTENT)
