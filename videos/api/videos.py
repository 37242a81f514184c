"""Videos: lists, one video, its upload, likes and views."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import person_of
from accounts.viewers import TOKEN_LIFETIME, token_for, viewer_of
from common.addresses import client_network, requester_key
from common.bounded import bounded
from common.openapi import refusal, refusals
from common.pagination import CursorPagination
from common.rates import PARTS_A_UNIT, PRICES, numbers_price
from common.throttling import BucketThrottle, ScopedThrottle, SearchThrottle
from videos import services
from videos.api.access import LOCKED, own, own_or_edition, watchable
from videos.api.serializers import (
    CompleteSerializer,
    CreatedSerializer,
    DownloadSerializer,
    ImportSerializer,
    NumbersSerializer,
    PartUrlsSerializer,
    SessionSerializer,
    TokenOfVideoSerializer,
    UnlockSerializer,
    UploadStateSerializer,
    VideoCreateSerializer,
    VideoEditSerializer,
    VideoSerializer,
    WatchingSerializer,
)
from videos.api.uploads import created_answer
from videos.models import Category, Upload, Video
from videos.services.errors import (
    BadMoment,
    BadUrl,
    CannotRetry,
    EnoughForToday,
    FollowersOnly,
    MayNotUpload,
    Mp4TooLarge,
    NoDownload,
    NoRoomLeft,
    NotLocked,
    NotUploading,
    PartsMissing,
    PasswordMissing,
    PasswordRequired,
    StorageFull,
    StorageUnavailable,
    TooManyImports,
    TooManyMp4s,
    TooManyPasswords,
    TooManyUploads,
    UploadTooLarge,
    WrongPassword,
    WrongSize,
)
from videos.watch_time import REPORT_EVERY_S


class DownloadThrottle(BucketThrottle):
    """Throttle of requests for an MP4, which a worker joins."""

    scope = "download"


class VideoFilter(filters.FilterSet):
    q = filters.CharFilter(method="matching", max_length=200)
    tag = filters.CharFilter(method="tagged", max_length=40)
    category = filters.ChoiceFilter(choices=Category.choices)
    channel = filters.CharFilter(field_name="channel__owner__username", lookup_expr="iexact", max_length=30)
    length = filters.ChoiceFilter(
        method="of_length", choices=[("short", "short"), ("medium", "medium"), ("long", "long")]
    )

    class Meta:
        model = Video
        fields = ("q", "tag", "category", "channel", "length")

    def tagged(self, videos: Any, _name: str, tag: str) -> Any:
        return videos.tagged(tag)

    def matching(self, videos: Any, _name: str, words: str) -> Any:
        return videos.matching(words)

    def of_length(self, videos: Any, _name: str, length: str) -> Any:
        return videos.of_length(length)


class VideoPagination(CursorPagination):
    """Pages in the requested order; the id breaks ties, so that a cursor is exact."""

    ORDERINGS = {
        "-published_at": ("-published_at", "-id"),
        "-views": ("-view_count", "-id"),
        "-likes": ("-like_count", "-id"),
    }

    def get_ordering(self, request: Request, *_args: Any) -> tuple[str, ...]:
        asked = request.query_params.get("ordering", "-published_at")
        if asked not in self.ORDERINGS:
            raise serializers.ValidationError({"ordering": [f"One of {', '.join(self.ORDERINGS)}."]})
        return self.ORDERINGS[asked]


@extend_schema_view(
    list=extend_schema(
        parameters=[OpenApiParameter("ordering", str, enum=list(VideoPagination.ORDERINGS))],
        responses=VideoSerializer(many=True),
    ),
    retrieve=extend_schema(responses={200: VideoSerializer, **LOCKED}),
)
class VideoViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Video]):
    """Public videos in lists, one video for viewers with access, and changes for its owner."""

    serializer_class = VideoSerializer
    pagination_class = VideoPagination
    filterset_class = VideoFilter
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = r"[0-9A-Za-z]{1,16}"
    throttle_scope = "upload"

    def get_queryset(self) -> Any:
        videos = Video.objects.for_cards().prefetch_related("tags", "captions")
        return videos.listed() if self.action == "list" else videos

    def get_throttles(self) -> list[Any]:
        more: dict[str, list[Any]] = {
            "create": [ScopedThrottle()],
            "import_by_url": [ScopedThrottle()],
            "list": [SearchThrottle()],
            "download_request": [DownloadThrottle()],
        }
        return [*super().get_throttles(), *more.get(self.action, [])]

    def get_price(self, request: Request) -> int:
        """Return the price of a request (:mod:`common.rates`); an invalid body costs one unit."""
        match self.action:
            case "list" if request.query_params.get("q", "").strip():
                return PRICES["search_page"]
            case "create":
                return PRICES["upload_begun"]
            case "unlock":
                return PRICES["password_form"]
            case "upload_complete":
                return PRICES["upload_completed"] + numbers_price(_count(request, "parts"), PARTS_A_UNIT)
            case "upload_parts":
                return numbers_price(_count(request, "numbers"), PARTS_A_UNIT)
        return 1

    def _watchable(self) -> Video:
        return watchable(self.request, self.kwargs["id"], self.get_queryset())

    def _own(self) -> Video:
        return own(self.request, self.kwargs["id"], self.get_queryset())

    def _uploaded(self) -> Video:
        """Return the requester's own video or edition."""
        return own_or_edition(self.request, self.kwargs["id"], self.get_queryset())

    def _own_upload(self) -> Upload:
        video = self._uploaded()
        upload = Upload.objects.filter(video=video).first()
        if upload is None:
            raise NotUploading
        upload.video = video
        return upload

    def _answer(self, video: Video, code: int = status.HTTP_200_OK) -> Response:
        return Response(VideoSerializer(video, context=self.get_serializer_context()).data, status=code)

    @extend_schema(
        request=VideoCreateSerializer,
        responses={
            201: CreatedSerializer,
            **refusals(
                UploadTooLarge,
                MayNotUpload,
                TooManyUploads,
                EnoughForToday,
                NoRoomLeft,
                NotUploading,
                StorageFull,
                StorageUnavailable,
                PasswordMissing,
            ),
        },
    )
    def create(self, request: Request) -> Response:
        asked = VideoCreateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        # The type of a file is read from its first bytes; the client's claim is ignored.
        asked.validated_data.pop("content_type", None)
        upload = services.start_upload(channel=person_of(request).channel, **asked.validated_data)
        return created_answer(upload)

    @extend_schema(
        request=ImportSerializer,
        responses={
            202: VideoSerializer,
            **refusals(BadUrl, MayNotUpload, StorageFull, EnoughForToday, NoRoomLeft, TooManyImports),
        },
    )
    @action(detail=False, methods=["post"], url_path="import", permission_classes=[IsAuthenticated])
    def import_by_url(self, request: Request) -> Response:
        """Have a worker fetch a file or the video of a page; the video is private until you publish it."""
        asked = ImportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        video = services.import_video(channel=person_of(request).channel, **asked.validated_data)
        return self._answer(video, status.HTTP_202_ACCEPTED)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if "q" not in request.query_params:
            return super().list(request, *args, **kwargs)
        with bounded():
            return super().list(request, *args, **kwargs)

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        return self._answer(self._watchable())

    @extend_schema(
        request=VideoEditSerializer, responses={200: VideoSerializer, **refusals(PasswordMissing, BadMoment)}
    )
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        video = self._own()
        asked = VideoEditSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.edit_video(video, **asked.validated_data)
        return self._answer(get_object_or_404(self.get_queryset(), pk=video.pk))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002
        video = self._own()
        upload = Upload.objects.filter(video=video).first()
        if upload:
            services.abort_upload(upload)
        else:
            services.delete_video(video)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: VideoSerializer, **refusals(CannotRetry, TooManyImports)})
    @action(detail=True, methods=["post"], permission_classes=[IsAuthenticated])
    def retry(self, request: Request, id: str) -> Response:  # noqa: A002
        return self._answer(services.retry_video(self._own()), status.HTTP_202_ACCEPTED)

    @extend_schema(
        responses={
            200: UploadStateSerializer,
            403: refusal(PermissionDenied.default_code),
            **refusals(NotUploading, StorageUnavailable),
        }
    )
    @action(detail=True, methods=["get"], permission_classes=[IsAuthenticated])
    def upload(self, request: Request, id: str) -> Response:  # noqa: A002
        upload = self._own_upload()
        state = {
            "part_size_bytes": upload.part_size_bytes,
            "part_count": upload.part_count,
            "uploaded": services.uploaded_parts(upload),
        }
        return Response(UploadStateSerializer(state).data)

    @extend_schema(responses={204: None, **refusals(NotUploading)})
    @upload.mapping.delete
    def upload_abort(self, request: Request, id: str) -> Response:  # noqa: A002
        services.abort_upload(self._own_upload())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=NumbersSerializer, responses={200: PartUrlsSerializer, **refusals(NotUploading)})
    @action(detail=True, methods=["post"], url_path="upload/parts", permission_classes=[IsAuthenticated])
    def upload_parts(self, request: Request, id: str) -> Response:  # noqa: A002
        asked = NumbersSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        upload = services.keep_open(self._own_upload())
        return Response({"parts": services.presign_parts(upload, **asked.validated_data)})

    @extend_schema(
        request=CompleteSerializer,
        responses={
            202: VideoSerializer,
            **refusals(PartsMissing, NotUploading, WrongSize, StorageUnavailable),
        },
    )
    @action(detail=True, methods=["post"], url_path="upload/complete", permission_classes=[IsAuthenticated])
    def upload_complete(self, request: Request, id: str) -> Response:  # noqa: A002
        asked = CompleteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        if (video := self._uploaded()).status == Video.Status.UPLOADING:
            try:
                video = services.finish_upload(self._own_upload(), parts=asked.validated_data["parts"])
            except NotUploading:
                if (video := self._uploaded()).status == Video.Status.UPLOADING:
                    raise
        # Otherwise an earlier request completed the upload, and only its answer was lost.
        return self._answer(video.edition_of or video, status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["put"], permission_classes=[IsAuthenticated])
    def like(self, request: Request, id: str) -> Response:  # noqa: A002
        services.like(self._watchable(), person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    @like.mapping.delete
    def unlike(self, request: Request, id: str) -> Response:  # noqa: A002
        services.unlike(self._watchable(), person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        responses={200: DownloadSerializer, **refusals(PasswordRequired, FollowersOnly, NoDownload)}
    )
    @action(detail=True, methods=["get"], permission_classes=[AllowAny])
    def download(self, request: Request, id: str) -> Response:  # noqa: A002
        """Return the address of the file, once it is ready."""
        return self._download_answer(self._watchable(), status.HTTP_200_OK)

    @extend_schema(
        request=None,
        responses={
            202: DownloadSerializer,
            **refusals(PasswordRequired, FollowersOnly, NoDownload, Mp4TooLarge, StorageFull, TooManyMp4s),
        },
    )
    @download.mapping.post
    def download_request(self, request: Request, id: str) -> Response:  # noqa: A002
        """Have the MP4 prepared; GET then says when it is ready."""
        video = self._watchable()
        services.request_mp4(video, viewer_of(request))
        return self._download_answer(video, status.HTTP_202_ACCEPTED)

    def _download_answer(self, video: Video, code: int) -> Response:
        viewer = viewer_of(self.request)
        url = services.download_url(video, viewer)
        state = services.download_state(video, viewer)
        return Response(DownloadSerializer({"status": state, "url": url}).data, status=code)

    @extend_schema(
        request=UnlockSerializer,
        responses={200: TokenOfVideoSerializer, **refusals(WrongPassword, NotLocked, TooManyPasswords)},
    )
    @action(detail=True, methods=["post"], permission_classes=[AllowAny])
    def unlock(self, request: Request, id: str) -> Response:  # noqa: A002
        """Exchange the password for a token, to send as ``?token=`` with requests about this video."""
        video: Video = get_object_or_404(self.get_queryset(), public_id=id)
        asked = UnlockSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        viewer = viewer_of(request)
        if not video.is_locked_for(viewer) and not video.can_watch(viewer):
            raise NotFound
        if video.visibility != Video.Visibility.PASSWORD:
            raise NotLocked
        key = services.unlock(video, network=client_network(request), **asked.validated_data)
        expires_at = timezone.now() + TOKEN_LIFETIME
        return Response(TokenOfVideoSerializer({"token": token_for(key), "expires_at": expires_at}).data)

    @extend_schema(request=WatchingSerializer, responses={200: SessionSerializer, **LOCKED})
    @action(detail=True, methods=["post"], permission_classes=[AllowAny])
    def views(self, request: Request, id: str) -> Response:  # noqa: A002
        asked = WatchingSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        video = self._watchable()
        session = services.record_watching(video, viewer=requester_key(request), **asked.validated_data)
        position_s, is_first = asked.validated_data["position_s"], not asked.validated_data["session"]
        # A glance is not watched: a player's first report comes with its first second.
        if not is_first or position_s >= REPORT_EVERY_S:
            services.record_watched(video, request.user, position_s)
        return Response({"session": session})


def _count(request: Request, name: str) -> int:
    """Return the length of the list ``name`` in the body, or 1 if it is not a list."""
    named = request.data.get(name) if isinstance(request.data, dict) else None
    return len(named) if isinstance(named, list) else 1
