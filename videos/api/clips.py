"""Clips: lists, one clip, its making, its title, its deletion and its views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.channels import ChannelSerializer
from accounts.authentication import person_of
from accounts.errors import EmailNotConfirmed
from accounts.viewers import token_of, viewer_of
from common.addresses import requester_key
from common.openapi import refusal, refusals
from common.pagination import CursorPagination
from common.throttling import BucketThrottle
from videos import services
from videos.api.access import LOCKED, watchable
from videos.api.serializers import (
    CaptionSerializer,
    LoudnessSerializer,
    SessionSerializer,
    WatchingSerializer,
)
from videos.models import MAX_TITLE, Clip, ClipQuerySet, Video
from videos.services.errors import (
    BadClipTimes,
    ClipGone,
    ClipsRefused,
    FollowersOnly,
    MayNotClip,
    NotEncodedYet,
    PasswordRequired,
    TooManyClips,
)

if TYPE_CHECKING:
    from rest_framework.request import Request

LATEST_S = 10**7


class ClipThrottle(BucketThrottle):
    """Throttle of new clips by account; lists cost as much as other requests."""

    scope = "clip"

    def allow_request(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or super().allow_request(request, view)

    def price(self, request: Request, view: APIView) -> int:
        return 1


class ClippedVideoSerializer(serializers.ModelSerializer[Video]):
    """The video of a clip, as far as a list of clips shows it."""

    id = serializers.CharField(source="public_id")
    channel = ChannelSerializer()

    class Meta:
        model = Video
        fields = ("id", "title", "channel")


class ClipPlaybackSerializer(serializers.Serializer[Any]):
    hls_url = serializers.CharField()
    in_s = serializers.FloatField(help_text="begin here, counted from the start of the playlists")
    out_s = serializers.FloatField(help_text="stop here")
    poster_url = serializers.CharField(allow_null=True)
    storyboard_url = serializers.CharField(allow_null=True, help_text="of the whole video")
    loudness = serializers.ListField(child=LoudnessSerializer(allow_null=True))
    captions = CaptionSerializer(many=True)


class ClipSerializer(serializers.ModelSerializer[Clip]):
    """A clip in lists: without the addresses of its media."""

    id = serializers.CharField(source="public_id")
    url = serializers.SerializerMethodField()
    video = ClippedVideoSerializer()
    made_by = ChannelSerializer(source="maker.channel")
    duration_s = serializers.FloatField()
    views = serializers.IntegerField(source="view_count")

    class Meta:
        model = Clip
        fields = (
            "id",
            "url",
            "title",
            "video",
            "start_s",
            "end_s",
            "duration_s",
            "made_by",
            "views",
            "created_at",
        )
        read_only_fields = fields

    def get_url(self, clip: Clip) -> str:
        return str(self.context["request"].build_absolute_uri(reverse("clip", args=[clip.public_id])))


class PlayableClipSerializer(ClipSerializer):
    """One clip, with its playlists; ``playback`` is null while the encode does not hold it."""

    playback = serializers.SerializerMethodField()

    class Meta(ClipSerializer.Meta):
        fields = (*ClipSerializer.Meta.fields, "playback")  # type: ignore[assignment]

    @extend_schema_field(ClipPlaybackSerializer(allow_null=True))
    def get_playback(self, clip: Clip) -> dict[str, Any] | None:
        request = self.context["request"]
        excerpt = services.excerpt_of(clip)
        if excerpt is None:
            return None
        playback = services.clip_playback(clip, excerpt, token_of(request))
        for name in ("hls_url", "storyboard_url"):
            playback[name] = playback[name] and request.build_absolute_uri(playback[name])
        for track in playback["captions"]:
            track["url"] = request.build_absolute_uri(track["url"])
        return playback


class NewClipSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(
        max_length=MAX_TITLE, required=False, allow_blank=True, default="", help_text="empty: the video's"
    )
    start_s = serializers.FloatField(min_value=0, max_value=LATEST_S)
    end_s = serializers.FloatField(min_value=0, max_value=LATEST_S, help_text="5 to 180 s after the start")


class ClipTitleSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=MAX_TITLE, allow_blank=True)


class ClipPageSerializer(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = ClipSerializer(many=True)


def _page(view: APIView, clips: ClipQuerySet) -> Response:
    paginator = CursorPagination()
    rows = paginator.paginate_queryset(clips, view.request, view)
    return paginator.get_paginated_response(
        ClipSerializer(rows, many=True, context={"request": view.request}).data
    )


PAGES = [OpenApiParameter("cursor", str), OpenApiParameter("page_size", int)]


class ClipsView(APIView):
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="clips_list",
        parameters=[
            OpenApiParameter("channel", str, description="username: clips of this channel's videos"),
            OpenApiParameter("made_by", str, description="username: clips that this user made"),
            *PAGES,
        ],
        responses={200: ClipPageSerializer},
    )
    def get(self, request: Request) -> Response:
        """Return the clips of public videos, newest first."""
        clips = Clip.objects.listed().for_cards()
        if name := request.query_params.get("channel", "")[:30]:
            clips = clips.filter(video__channel__owner__username__iexact=name)
        if name := request.query_params.get("made_by", "")[:30]:
            clips = clips.filter(maker__username__iexact=name)
        return _page(self, clips)


class VideoClipsView(APIView):
    permission_classes = (AllowAny,)

    def get_throttles(self) -> list[Any]:
        return [*super().get_throttles(), ClipThrottle()]

    def get_permissions(self) -> list[Any]:
        return [IsAuthenticated()] if self.request.method == "POST" else [AllowAny()]

    @extend_schema(parameters=PAGES, responses={200: ClipPageSerializer, **LOCKED})
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        """Return the clips of a video, newest first."""
        return _page(self, Clip.objects.shown().for_cards().filter(video=self._playable(request, id)))

    @extend_schema(
        request=NewClipSerializer,
        responses={
            201: PlayableClipSerializer,
            **refusals(
                PasswordRequired,
                FollowersOnly,
                ClipsRefused,
                MayNotClip,
                EmailNotConfirmed,
                BadClipTimes,
                NotEncodedYet,
                TooManyClips,
            ),
        },
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Make a clip of a section of the video, of its stored segments."""
        video = self._playable(request, id)
        asked = NewClipSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        clip = services.create_clip(video, viewer_of(request), **asked.validated_data)
        answer = PlayableClipSerializer(clip, context={"request": request})
        return Response(answer.data, status=status.HTTP_201_CREATED)

    def _playable(self, request: Request, public_id: str) -> Video:
        video = watchable(request, public_id)
        if not video.can_play(viewer_of(request)):
            raise NotFound
        return video


class ClipView(APIView):
    permission_classes = (AllowAny,)

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method in SAFE_METHODS else [IsAuthenticated()]

    @extend_schema(responses={200: PlayableClipSerializer, **LOCKED, **refusals(ClipGone)})
    def get(self, request: Request, id: str) -> Response:  # noqa: A002
        """Return one clip, for viewers of its video."""
        clip = watchable_clip(request, id)
        return Response(PlayableClipSerializer(clip, context={"request": request}).data)

    @extend_schema(
        request=ClipTitleSerializer,
        responses={
            200: PlayableClipSerializer,
            403: refusal("permission_denied", "password_required", "followers_only"),
            **refusals(ClipGone),
        },
    )
    def patch(self, request: Request, id: str) -> Response:  # noqa: A002
        """Give your clip another title."""
        clip = watchable_clip(request, id)
        if not clip.can_edit(person_of(request)):
            raise PermissionDenied
        asked = ClipTitleSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.rename_clip(clip, **asked.validated_data)
        return Response(PlayableClipSerializer(clip, context={"request": request}).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Delete a clip that you made, or one of your video."""
        clip = get_object_or_404(Clip.objects.for_cards(), public_id=id)
        if not clip.can_delete(person_of(request)):
            if clip.can_watch(viewer_of(request)):
                raise PermissionDenied
            raise NotFound
        services.delete_clip(clip)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ClipViewsView(APIView):
    permission_classes = (AllowAny,)

    @extend_schema(
        request=WatchingSerializer, responses={200: SessionSerializer, **LOCKED, **refusals(ClipGone)}
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Report that the clip is being played, as for a video; its views are its own."""
        asked = WatchingSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        clip = watchable_clip(request, id)
        session = services.record_clip_watching(clip, viewer=requester_key(request), **asked.validated_data)
        return Response({"session": session})


def watchable_clip(request: Request, public_id: str) -> Clip:
    """Return the clip: 404 if the requester may not know of it, 403 if it is locked, 410 without a video."""
    clip = get_object_or_404(Clip.objects.for_cards(), public_id=public_id)
    viewer = viewer_of(request)
    if clip.video is None:
        raise ClipGone
    if clip.is_locked_for(viewer):
        is_password = clip.video.visibility == Video.Visibility.PASSWORD
        raise PasswordRequired if is_password else FollowersOnly
    if not clip.can_watch(viewer):
        raise NotFound
    return clip
