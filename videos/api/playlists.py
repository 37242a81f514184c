"""The requester's playlists, their items and their order; public ones by address."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.channels import ChannelSerializer
from accounts.authentication import person_of
from accounts.errors import EmailNotConfirmed
from accounts.viewers import viewer_of
from common.openapi import refusals
from videos import services
from videos.api.history import WatchedOfSerializer
from videos.models import MAX_PLAYLIST_DESCRIPTION, MAX_TITLE, Playlist, PlaylistItem, Video
from videos.services.errors import (
    MayNotMakePlaylists,
    NotInPlaylist,
    PlaylistFull,
    PlaylistNameless,
    TooManyPlaylists,
    VideoNotThere,
)


class PlaylistSerializer(serializers.ModelSerializer[Playlist]):
    id = serializers.CharField(source="public_id")
    title = serializers.CharField(source="name")
    made_by = ChannelSerializer(source="owner.channel")

    class Meta:
        model = Playlist
        fields = ("id", "kind", "title", "description", "visibility", "made_by", "created_at", "updated_at")


class PlaylistItemSerializer(serializers.ModelSerializer[PlaylistItem]):
    video = WatchedOfSerializer()

    class Meta:
        model = PlaylistItem
        fields = ("video", "added_at")


class PlaylistDetailSerializer(PlaylistSerializer):
    items = serializers.SerializerMethodField(help_text="those that you may watch, in their order")

    class Meta(PlaylistSerializer.Meta):
        fields = (*PlaylistSerializer.Meta.fields, "items")  # type: ignore[assignment]

    @extend_schema(responses=PlaylistItemSerializer(many=True))
    def get_items(self, playlist: Playlist) -> Any:
        items = services.shown_items(playlist, viewer_of(self.context["request"]))
        return PlaylistItemSerializer(items, many=True, context=self.context).data


class PlaylistFieldsSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=MAX_TITLE)
    description = serializers.CharField(max_length=MAX_PLAYLIST_DESCRIPTION, required=False, allow_blank=True)
    visibility = serializers.ChoiceField(choices=Playlist.Visibility.choices, required=False)


class PlaceSerializer(serializers.Serializer[Any]):
    before = serializers.CharField(
        max_length=16, required=False, allow_blank=True, help_text="id of a video of the list; empty: the end"
    )


class PlaylistsView(APIView):
    """The requester's playlists, *watch later* first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="playlists_list", responses=PlaylistSerializer(many=True))
    def get(self, request: Request) -> Response:
        owned = services.playlists_of(person_of(request))
        return Response(PlaylistSerializer(owned, many=True, context={"request": request}).data)

    @extend_schema(
        request=PlaylistFieldsSerializer,
        responses={
            201: PlaylistSerializer,
            **refusals(MayNotMakePlaylists, EmailNotConfirmed, PlaylistNameless, TooManyPlaylists),
        },
    )
    def post(self, request: Request) -> Response:
        asked = PlaylistFieldsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = services.create_playlist(person_of(request), **asked.validated_data)
        return Response(PlaylistSerializer(made, context={"request": request}).data, status.HTTP_201_CREATED)


class _PlaylistAPIView(APIView):
    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny() if self.request.method in SAFE_METHODS else IsAuthenticated()]

    def found(self, public_id: str) -> Playlist:
        playlists = Playlist.objects.select_related("owner__channel__owner")
        playlist = get_object_or_404(playlists, public_id=public_id)
        if not playlist.can_see(viewer_of(self.request)):
            raise NotFound
        return playlist

    def own(self, public_id: str) -> Playlist:
        playlist = self.found(public_id)
        if not playlist.can_edit(person_of(self.request)):
            raise PermissionDenied
        return playlist


class PlaylistView(_PlaylistAPIView):
    """One playlist with its items."""

    @extend_schema(responses=PlaylistDetailSerializer)
    def get(self, request: Request, id: str) -> Response:  # noqa: A002
        shown = PlaylistDetailSerializer(self.found(id), context={"request": request})
        return Response(shown.data)

    @extend_schema(
        request=PlaylistFieldsSerializer, responses={200: PlaylistSerializer, **refusals(PlaylistNameless)}
    )
    def patch(self, request: Request, id: str) -> Response:  # noqa: A002
        asked = PlaylistFieldsSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        changed = services.edit_playlist(self.own(id), **asked.validated_data)
        return Response(PlaylistSerializer(changed, context={"request": request}).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Delete the playlist; *watch later* is emptied."""
        services.delete_playlist(self.own(id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PlaylistItemView(_PlaylistAPIView):
    """A video of a playlist."""

    @extend_schema(request=None, responses={204: None, **refusals(PlaylistFull, VideoNotThere)})
    def put(self, request: Request, id: str, video_id: str) -> Response:  # noqa: A002
        """Append the video, unless it is in the list already."""
        playlist, viewer = self.own(id), viewer_of(request)
        video = Video.objects.for_cards().filter(public_id=video_id).first()
        if video is None:
            raise VideoNotThere
        services.add_to_playlist(playlist, video, viewer)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=PlaceSerializer, responses={204: None, **refusals(NotInPlaylist)})
    def patch(self, request: Request, id: str, video_id: str) -> Response:  # noqa: A002
        """Move the video in front of another one, or to the end."""
        asked = PlaceSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.move_in_playlist(self.own(id), video_id, **asked.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str, video_id: str) -> Response:  # noqa: A002
        services.remove_from_playlist(self.own(id), video_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
