"""Videos over the API: the same services and QuerySets as the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, NotFound, PermissionDenied
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts.authentication import person_of
from videoplatform.openapi import refusal, refusals
from videoplatform.pagination import CursorPagination
from videoplatform.refusals import refused
from videoplatform.throttling import ScopedThrottle
from videos import progress, services
from videos.models import Category, Like, Upload, Video
from videos.services.errors import (
    CannotRetry,
    EnoughForToday,
    MayNotUpload,
    NotUploading,
    PartsMissing,
    ServiceError,
    StorageUnavailable,
    TooManyUploads,
    UploadTooLarge,
)

if TYPE_CHECKING:
    from collections.abc import Callable


PARTS_SIGNED_AT_ONCE = 100
RETRY_AFTER_S = 30


# --- Shapes ---------------------------------------------------------------------


class ChannelSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    display_name = serializers.CharField(source="name")
    avatar_url = serializers.SerializerMethodField()

    def get_avatar_url(self, channel: Any) -> str | None:
        return channel.avatar.url if channel.avatar else None


class FailureSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=Video.Failure.choices)
    detail = serializers.CharField()


class CaptionSerializer(serializers.Serializer[Any]):
    language = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the contract's word is an attribute of fields
    url = serializers.CharField()


class PlaybackSerializer(serializers.Serializer[Any]):
    hls_url = serializers.CharField()
    poster_url = serializers.CharField(allow_null=True)
    storyboard_url = serializers.CharField(allow_null=True)
    captions = CaptionSerializer(many=True)


class VideoSerializer(serializers.ModelSerializer[Video]):
    """A video as everyone who may watch it sees it."""

    id = serializers.CharField(source="public_id", read_only=True)
    progress_percent = serializers.SerializerMethodField()
    failure = serializers.SerializerMethodField()
    channel = ChannelSerializer(read_only=True)
    tags = serializers.SerializerMethodField()
    views = serializers.IntegerField(source="view_count", read_only=True)
    likes = serializers.IntegerField(source="like_count", read_only=True)
    is_liked = serializers.SerializerMethodField()
    playback = serializers.SerializerMethodField()

    class Meta:
        model = Video
        fields = (
            "id",
            "title",
            "description",
            "category",
            "tags",
            "status",
            "progress_percent",
            "is_playable",
            "failure",
            "visibility",
            "comments_mode",
            "duration_s",
            "width_px",
            "height_px",
            "channel",
            "views",
            "likes",
            "is_liked",
            "created_at",
            "published_at",
            "playback",
        )
        read_only_fields = fields

    def get_progress_percent(self, video: Video) -> int:
        return int(self._known("percents", video, progress.percents))

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_failure(self, video: Video) -> dict[str, str] | None:
        return progress.failure(video)

    def get_tags(self, video: Video) -> list[str]:
        return [tag.name for tag in video.tags.all()]

    def get_is_liked(self, video: Video) -> bool:
        return bool(self._known("liked", video, self._liked))

    @extend_schema_field(PlaybackSerializer(allow_null=True))
    def get_playback(self, video: Video) -> dict[str, Any] | None:
        playback = services.playback(video)
        if playback and "request" in self.context:
            playback["hls_url"] = self.context["request"].build_absolute_uri(playback["hls_url"])
        return playback

    @cached_property
    def _cache(self) -> dict[str, dict[int, Any]]:
        """What is known of the videos of this page, by the name of the question."""
        return {}

    def _known(self, name: str, video: Video, ask: Callable[[list[Video]], dict[int, Any]]) -> Any:
        """Ask once for all videos of a page, whatever their number."""
        known: dict[int, Any] = self._cache.setdefault(name, {})
        if video.pk not in known:
            known.update(ask(self._page(video)))
        return known.get(video.pk, 0)

    def _page(self, video: Video) -> list[Video]:
        page = getattr(self.parent, "instance", None)
        return list(page) if isinstance(page, list | QuerySet) else [video]

    def _liked(self, videos: list[Video]) -> dict[int, bool]:
        request = self.context.get("request")
        if request is None or not request.user.is_authenticated:
            return {video.pk: False for video in videos}
        liked = set(
            Like.objects.filter(user=request.user, video__in=videos).values_list("video_id", flat=True)
        )
        return {video.pk: video.pk in liked for video in videos}


class TagsField(serializers.ListField):
    child = serializers.CharField(max_length=40)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=12, **kwargs)


class VideoEditSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=150, required=False)
    description = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    tags = TagsField(required=False)
    category = serializers.ChoiceField(choices=Category.choices, required=False)
    visibility = serializers.ChoiceField(choices=Video.Visibility.choices, required=False)
    comments_mode = serializers.ChoiceField(choices=Video.CommentsMode.choices, required=False)


class VideoCreateSerializer(VideoEditSerializer):
    title = serializers.CharField(max_length=150)
    filename = serializers.CharField(max_length=1024, trim_whitespace=False)
    size_bytes = serializers.IntegerField(min_value=0)
    content_type = serializers.CharField(max_length=255, required=False, allow_blank=True)


class PartUrlSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    url = serializers.CharField()


class UploadedPartSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    etag = serializers.CharField()
    size_bytes = serializers.IntegerField()


class UploadSerializer(serializers.Serializer[Any]):
    part_size_bytes = serializers.IntegerField()
    part_count = serializers.IntegerField()
    parts = PartUrlSerializer(many=True)
    expires_at = serializers.DateTimeField()


class CreatedSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    status = serializers.CharField()
    upload = UploadSerializer()


class UploadStateSerializer(serializers.Serializer[Any]):
    part_size_bytes = serializers.IntegerField()
    part_count = serializers.IntegerField()
    uploaded = UploadedPartSerializer(many=True)


class NumbersSerializer(serializers.Serializer[Any]):
    numbers = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=10_000), max_length=1000, allow_empty=False
    )


class PartUrlsSerializer(serializers.Serializer[Any]):
    parts = PartUrlSerializer(many=True)


class PartSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1, max_value=10_000)
    etag = serializers.CharField(max_length=200)


class CompleteSerializer(serializers.Serializer[Any]):
    parts = PartSerializer(many=True, allow_empty=False)


class WatchingSerializer(serializers.Serializer[Any]):
    position_s = serializers.FloatField(min_value=0, max_value=10**7)
    session = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class SessionSerializer(serializers.Serializer[Any]):
    session = serializers.CharField()


# --- Errors ---------------------------------------------------------------------


def as_api_error(error: ServiceError) -> APIException:
    """A service's error in the API's shape; what passes by itself says when to come back."""
    passes = error.status in {status.HTTP_429_TOO_MANY_REQUESTS, status.HTTP_503_SERVICE_UNAVAILABLE}
    wait_s = RETRY_AFTER_S if passes else None
    return refused(error.detail, code=error.code, status_code=error.status, attr=error.attr, wait_s=wait_s)


class AnswersServiceErrors(APIView):
    """An endpoint whose services say no in sentences."""

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(as_api_error(exc) if isinstance(exc, ServiceError) else exc)


# --- Filters --------------------------------------------------------------------


class VideoFilter(filters.FilterSet):
    q = filters.CharFilter(method="matching", max_length=200)
    tag = filters.CharFilter(field_name="tags__name", lookup_expr="iexact", max_length=40)
    category = filters.ChoiceFilter(choices=Category.choices)
    channel = filters.CharFilter(field_name="channel__owner__username", lookup_expr="iexact", max_length=30)
    length = filters.ChoiceFilter(
        method="of_length", choices=[("short", "short"), ("medium", "medium"), ("long", "long")]
    )

    class Meta:
        model = Video
        fields = ("q", "tag", "category", "channel", "length")

    def matching(self, videos: Any, _name: str, words: str) -> Any:
        return videos.matching(words)

    def of_length(self, videos: Any, _name: str, length: str) -> Any:
        return videos.of_length(length)


class VideoPagination(CursorPagination):
    """The order that was asked for, closed by the key so that a cursor is exact."""

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


# --- Endpoints ------------------------------------------------------------------


@extend_schema_view(
    list=extend_schema(
        parameters=[OpenApiParameter("ordering", str, enum=list(VideoPagination.ORDERINGS))],
        responses=VideoSerializer(many=True),
    ),
    retrieve=extend_schema(responses=VideoSerializer),
)
class VideoViewSet(AnswersServiceErrors, mixins.ListModelMixin, viewsets.GenericViewSet[Video]):
    """Public videos in lists; one video for whoever may watch it; changes for its owner."""

    serializer_class = VideoSerializer
    pagination_class = VideoPagination
    filterset_class = VideoFilter
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = r"[0-9A-Za-z]{1,16}"

    def get_queryset(self) -> Any:
        videos = Video.objects.for_cards().prefetch_related("tags", "captions")
        return videos.listed() if self.action == "list" else videos

    def get_throttles(self) -> list[Any]:
        scope = {"create": "upload"}.get(self.action)
        if scope is None:
            return super().get_throttles()
        self.throttle_scope = scope
        return [*super().get_throttles(), ScopedThrottle()]

    def _watchable(self) -> Video:
        video: Video = get_object_or_404(self.get_queryset(), public_id=self.kwargs["id"])
        if not video.can_watch(self.request.user):
            raise NotFound
        return video

    def _own(self) -> Video:
        """The video, for its owner: 404 where it is a secret, 403 where it is not."""
        video = self._watchable()
        if not video.can_edit(self.request.user):
            raise PermissionDenied
        return video

    def _own_upload(self) -> Upload:
        video = self._own()
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
            **refusals(UploadTooLarge, MayNotUpload, TooManyUploads, EnoughForToday, StorageUnavailable),
        },
    )
    def create(self, request: Request) -> Response:
        asked = VideoCreateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        # What a file is, its first bytes say; a type that was claimed is not believed.
        asked.validated_data.pop("content_type", None)
        upload = services.start_upload(channel=person_of(request).channel, **asked.validated_data)
        signed = services.presign_parts(upload, range(1, PARTS_SIGNED_AT_ONCE + 1))
        return Response(
            {
                "id": upload.video.public_id,
                "status": upload.video.status,
                "upload": {
                    "part_size_bytes": upload.part_size_bytes,
                    "part_count": upload.part_count,
                    "parts": signed,
                    "expires_at": upload.expires_at,
                },
            },
            status=status.HTTP_201_CREATED,
        )

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        return self._answer(self._watchable())

    @extend_schema(request=VideoEditSerializer, responses=VideoSerializer)
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        video = self._own()
        asked = VideoEditSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.edit_video(video, **asked.validated_data)
        return self._answer(get_object_or_404(self.get_queryset(), pk=video.pk))

    @extend_schema(responses={204: None, **refusals(StorageUnavailable)})
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002
        video = self._own()
        upload = Upload.objects.filter(video=video).first()
        if upload:
            services.abort_upload(upload)
        else:
            services.delete_video(video)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: VideoSerializer, **refusals(CannotRetry)})
    @action(detail=True, methods=["post"], permission_classes=[IsAuthenticated])
    def retry(self, request: Request, id: str) -> Response:  # noqa: A002
        return self._answer(services.retry_video(self._own()), status.HTTP_202_ACCEPTED)

    # --- The upload ---------------------------------------------------------------

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

    @extend_schema(responses={204: None, **refusals(NotUploading, StorageUnavailable)})
    @upload.mapping.delete
    def upload_abort(self, request: Request, id: str) -> Response:  # noqa: A002
        services.abort_upload(self._own_upload())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=NumbersSerializer, responses={200: PartUrlsSerializer, **refusals(NotUploading)})
    @action(detail=True, methods=["post"], url_path="upload/parts", permission_classes=[IsAuthenticated])
    def upload_parts(self, request: Request, id: str) -> Response:  # noqa: A002
        asked = NumbersSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(
            {
                "parts": services.presign_parts(
                    services.keep_open(self._own_upload()), asked.validated_data["numbers"]
                )
            }
        )

    @extend_schema(
        request=CompleteSerializer,
        responses={202: VideoSerializer, **refusals(PartsMissing, NotUploading, StorageUnavailable)},
    )
    @action(detail=True, methods=["post"], url_path="upload/complete", permission_classes=[IsAuthenticated])
    def upload_complete(self, request: Request, id: str) -> Response:  # noqa: A002
        asked = CompleteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        if (video := self._own()).status == Video.Status.UPLOADING:
            try:
                video = services.finish_upload(self._own_upload(), parts=asked.validated_data["parts"])
            except NotUploading:
                if (video := self._own()).status == Video.Status.UPLOADING:
                    raise
        # Else another request was heard, and only its answer was lost.
        return self._answer(video, status.HTTP_202_ACCEPTED)

    # --- Watching -------------------------------------------------------------------

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

    @extend_schema(request=WatchingSerializer, responses=SessionSerializer)
    @action(detail=True, methods=["post"], permission_classes=[AllowAny])
    def views(self, request: Request, id: str) -> Response:  # noqa: A002
        asked = WatchingSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        session = services.record_watching(
            self._watchable(), viewer=viewer_of(request), **asked.validated_data
        )
        return Response({"session": session})


def viewer_of(request: Request) -> str:
    """Who watches, as far as counting cares: the account, or the address."""
    if request.user.is_authenticated:
        return f"user-{request.user.pk}"
    return f"address-{BaseThrottle().get_ident(request)}"
