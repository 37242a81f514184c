"""New versions of the requester's own videos: begun, followed, tried again and cancelled."""

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
from videos import progress, services
from videos.api.access import LOCKED, own
from videos.api.serializers import FailureSerializer
from videos.models import Job, Video
from videos.services.errors import (
    CannotRetry,
    EditionRuns,
    NoEdition,
    NoOriginal,
    NotReadyYet,
    StorageUnavailable,
    TooManyImports,
)

if TYPE_CHECKING:
    from rest_framework.throttling import BaseThrottle


class EditionSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="for the addresses of its upload and of its progress")
    kind = serializers.ChoiceField(choices=Video.EditionKind.choices)
    status = serializers.ChoiceField(
        choices=Video.Status.choices, help_text="an edition that is ready is gone"
    )
    progress_percent = serializers.IntegerField()
    waiting_for = serializers.ChoiceField(choices=Job.WaitsFor.values, allow_null=True)
    failure = FailureSerializer(allow_null=True)


def edition_answer(edition: Video, code: int = status.HTTP_200_OK) -> Response:
    state = progress.state(edition)
    state |= {"id": edition.public_id, "kind": edition.edition_kind}
    return Response(EditionSerializer(state).data, status=code)


class EditionView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={200: EditionSerializer, **LOCKED, **refusals(NoEdition)})
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        """Return the state of the new version; 404 once it has replaced the old one."""
        return edition_answer(services.edition_of(own(request, id)))

    @extend_schema(responses={204: None, **refusals(NoEdition)})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Cancel the new version: the video stays as it is."""
        services.cancel_edition(own(request, id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class EditionActView(APIView):
    """Base of the endpoints that begin work."""

    permission_classes = (IsAuthenticated,)
    throttle_scope = "upload"

    def get_throttles(self) -> list[BaseThrottle]:
        return [*super().get_throttles(), ScopedThrottle()]

    def get_price(self, request: Request) -> int:
        return PRICES["upload_begun"]


class ReencodeView(EditionActView):
    @extend_schema(
        request=None,
        responses={
            202: EditionSerializer,
            **refusals(NotReadyYet, EditionRuns, NoOriginal, StorageUnavailable),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Encode the original file again, with the current settings of the site."""
        return edition_answer(services.reencode(own(request, id)), status.HTTP_202_ACCEPTED)


class EditionRetryView(EditionActView):
    @extend_schema(
        request=None,
        responses={202: EditionSerializer, **refusals(NoEdition, CannotRetry, TooManyImports)},
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Try a new version again that failed because of the site."""
        return edition_answer(services.retry_edition(own(request, id)), status.HTTP_202_ACCEPTED)
