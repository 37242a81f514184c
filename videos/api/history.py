"""The requester's watch history: its entries, their removal, and its pause."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.channels import ChannelSerializer
from accounts.authentication import person_of
from accounts.viewers import viewer_of
from common.pagination import CursorPagination
from common.storage import media_url
from videos import services
from videos.models import Video, WatchedQuerySet, WatchedVideo

MAX_WORDS = 200  # characters


class WatchedPagination(CursorPagination):
    ordering = ("-watched_at", "-id")


class WatchedOfSerializer(serializers.ModelSerializer[Video]):
    """The video of an entry, as far as a list shows it."""

    id = serializers.CharField(source="public_id")
    channel = ChannelSerializer()
    poster_url = serializers.SerializerMethodField()

    class Meta:
        model = Video
        fields = ("id", "title", "duration_s", "channel", "poster_url")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_poster_url(self, video: Video) -> str | None:
        return media_url(video.poster_key) if video.poster_key else None


class WatchedSerializer(serializers.ModelSerializer[WatchedVideo]):
    video = WatchedOfSerializer()
    resume_s = serializers.FloatField(help_text="where playback continues; 0 for the beginning")

    class Meta:
        model = WatchedVideo
        fields = ("video", "position_s", "resume_s", "watched_at")


class HistoryStateSerializer(serializers.Serializer[Any]):
    is_paused = serializers.BooleanField(help_text="nothing is added")


class HistoryView(generics.ListAPIView[WatchedVideo]):
    """The requester's watch history, the latest first; only videos that they may watch."""

    queryset = WatchedVideo.objects.none()  # for the document of the API
    serializer_class = WatchedSerializer
    pagination_class = WatchedPagination
    permission_classes = [IsAuthenticated]

    def get_queryset(self) -> WatchedQuerySet:
        words = self.request.query_params.get("q", "")[:MAX_WORDS]
        return WatchedVideo.objects.of(person_of(self.request)).for_cards().matching(words)

    def paginate_queryset(self, queryset: Any) -> list[Any]:
        """Return the entries of a page whose videos the requester may watch now."""
        page = super().paginate_queryset(queryset) or []
        return services.watchable(list(page), viewer_of(self.request))

    @extend_schema(
        parameters=[OpenApiParameter("q", str, description="words in titles and names of channels")]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(operation_id="history_clear", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Clear the history."""
        services.clear_history(person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class WatchedView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Remove one video from the history."""
        services.forget_watched(person_of(request), id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class HistoryStateView(APIView):
    """The pause of the history."""

    permission_classes = [IsAuthenticated]

    @extend_schema(responses=HistoryStateSerializer)
    def get(self, request: Request) -> Response:
        return Response({"is_paused": services.is_history_paused(person_of(request))})

    @extend_schema(request=HistoryStateSerializer, responses=HistoryStateSerializer)
    def put(self, request: Request) -> Response:
        asked = HistoryStateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.pause_history(person_of(request), **asked.validated_data)
        return Response(asked.data)
