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
from videos.api.serializers import CreatedSerializer, FailureSerializer, FilenameField
from videos.api.uploads import created_answer
from videos.models import Job, Video
from videos.services.errors import (
    BadParts,
    BadUrl,
    CannotRetry,
    CannotTrim,
    EditionRuns,
    EnoughForToday,
    IsTrimmed,
    MayNotUpload,
    NoEdition,
    NoOriginal,
    NoRoomLeft,
    NothingCut,
    NotReadyYet,
    NotTrimmed,
    NotUploading,
    StorageFull,
    StorageUnavailable,
    TooManyImports,
    TooManyTrims,
    TooManyUploads,
    UnderModeration,
    UploadTooLarge,
    VersionChanged,
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
            **refusals(
                NotReadyYet,
                VersionChanged,
                EditionRuns,
                NoOriginal,
                IsTrimmed,
                TooManyUploads,
                EnoughForToday,
                NoRoomLeft,
                StorageFull,
                StorageUnavailable,
            ),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Encode the original file again, with the current settings of the site."""
        return edition_answer(services.reencode(own(request, id)), status.HTTP_202_ACCEPTED)


class KeptPartSerializer(serializers.Serializer[Any]):
    start_s = serializers.FloatField(min_value=0, help_text="the frame on screen then is the first one kept")
    end_s = serializers.FloatField(min_value=0, help_text="the frame on screen then is the first one cut")


class TrimSerializer(serializers.Serializer[Any]):
    parts = KeptPartSerializer(
        many=True, help_text="the kept parts, in order; times are those of the video now"
    )
    encode_key = serializers.CharField(
        max_length=16,
        required=False,
        allow_blank=True,
        default="",
        help_text="of the encode that the times belong to, from its addresses; another one is refused",
    )


class TrimView(EditionActView):
    @extend_schema(
        request=TrimSerializer,
        responses={
            202: EditionSerializer,
            **refusals(
                CannotTrim,
                UnderModeration,
                BadParts,
                NothingCut,
                TooManyTrims,
                NotReadyYet,
                VersionChanged,
                EditionRuns,
                TooManyUploads,
                EnoughForToday,
                NoRoomLeft,
                StorageFull,
                StorageUnavailable,
            ),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Cut the video down to parts of it; viewers watch the current version until the new one is complete.

        Captions, chapters, danmaku and clips move with the parts.  The original file stays.
        """
        video = own(request, id)
        asked = TrimSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        parts = [(part["start_s"], part["end_s"]) for part in asked.validated_data["parts"]]
        edition = services.trim(video, parts=parts, encode_key=asked.validated_data["encode_key"])
        return edition_answer(edition, status.HTTP_202_ACCEPTED)


class RestoreView(EditionActView):
    @extend_schema(
        request=None,
        responses={
            202: EditionSerializer,
            **refusals(
                NotTrimmed,
                NotReadyYet,
                VersionChanged,
                EditionRuns,
                NoOriginal,
                TooManyUploads,
                EnoughForToday,
                NoRoomLeft,
                StorageFull,
                StorageUnavailable,
            ),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Undo all trims: encode the whole original file again."""
        return edition_answer(services.restore_original(own(request, id)), status.HTTP_202_ACCEPTED)


class EditionUploadSerializer(serializers.Serializer[Any]):
    filename = FilenameField(max_length=1024, trim_whitespace=False)
    size_bytes = serializers.IntegerField(min_value=0)


class EditionUploadView(EditionActView):
    @extend_schema(
        request=EditionUploadSerializer,
        responses={
            201: CreatedSerializer,
            **refusals(
                NotReadyYet,
                VersionChanged,
                EditionRuns,
                NoOriginal,
                UploadTooLarge,
                MayNotUpload,
                TooManyUploads,
                EnoughForToday,
                NoRoomLeft,
                NotUploading,
                StorageFull,
                StorageUnavailable,
            ),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Begin the upload of a file that replaces the original; its parts are those of the returned id."""
        video = own(request, id)
        asked = EditionUploadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return created_answer(services.replace_by_upload(video, **asked.validated_data))


class EditionImportSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=2000, help_text="of a file, http or https, on a public host")


class EditionImportView(EditionActView):
    @extend_schema(
        request=EditionImportSerializer,
        responses={
            202: EditionSerializer,
            **refusals(
                NotReadyYet,
                VersionChanged,
                EditionRuns,
                NoOriginal,
                BadUrl,
                MayNotUpload,
                StorageFull,
                EnoughForToday,
                NoRoomLeft,
                TooManyImports,
            ),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Have a worker fetch a file that replaces the original."""
        video = own(request, id)
        asked = EditionImportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return edition_answer(
            services.replace_by_import(video, **asked.validated_data), status.HTTP_202_ACCEPTED
        )


class EditionRetryView(EditionActView):
    @extend_schema(
        request=None,
        responses={202: EditionSerializer, **refusals(NoEdition, CannotRetry, TooManyImports)},
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Try a new version again that failed because of the site."""
        return edition_answer(services.retry_edition(own(request, id)), status.HTTP_202_ACCEPTED)
