"""Audio tracks of the requester's own videos: listed, added by an upload, renamed and removed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.openapi import refusals
from videos import services
from videos.api.access import LOCKED, own
from videos.api.editions import EditionActView
from videos.api.serializers import CreatedSerializer, FilenameField
from videos.api.uploads import created_answer
from videos.models import Rendition
from videos.services.audio_tracks import MAX_LABEL
from videos.services.errors import (
    EditionRuns,
    EnoughForToday,
    MayNotUpload,
    NoOriginal,
    NoPicture,
    NoRoomLeft,
    NoTrack,
    NotReadyYet,
    NotUploading,
    StorageFull,
    StorageUnavailable,
    TooManyTracks,
    TooManyUploads,
    UnknownLanguage,
    UploadTooLarge,
    VersionChanged,
)


class AudioTrackSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="name")
    name = serializers.CharField(source="label", help_text="shown in the player")
    language = serializers.CharField(help_text="empty if it is not known")
    role = serializers.CharField(help_text="as in a request; empty: of the video file")
    channels = serializers.IntegerField()
    is_default = serializers.BooleanField()
    is_added = serializers.BooleanField(help_text="it can be changed and removed")


class TrackFieldsSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(
        max_length=MAX_LABEL,
        required=False,
        allow_blank=True,
        default="",
        help_text="shown in the player; empty: that of its language",
    )
    language = serializers.CharField(max_length=16, help_text="RFC 5646, such as en or zh-Hans")
    role = serializers.ChoiceField(choices=Rendition.Role.choices, default=Rendition.Role.DUB)


class TrackUploadSerializer(TrackFieldsSerializer):
    filename = FilenameField(max_length=1024, trim_whitespace=False)
    size_bytes = serializers.IntegerField(min_value=0)


class AudioTracksView(EditionActView):
    def get_price(self, request: Request) -> int:
        return super().get_price(request) if request.method == "POST" else 1

    @extend_schema(responses={200: AudioTrackSerializer(many=True), **LOCKED})
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        """Return the audio tracks in the order of the playlist."""
        tracks = services.audio_tracks_of(own(request, id))
        return Response(AudioTrackSerializer(tracks, many=True).data)

    @extend_schema(
        request=TrackUploadSerializer,
        responses={
            201: CreatedSerializer,
            **refusals(
                UnknownLanguage,
                NoPicture,
                TooManyTracks,
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
        """Begin the upload of an audio track; its parts are those of the returned id.

        It is encoded as the edition of the video, which has its state, and a retry and a cancel.
        """
        video = own(request, id)
        asked = TrackUploadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        return created_answer(services.add_track_by_upload(video, label=fields.pop("name"), **fields))


class AudioTrackView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        request=TrackFieldsSerializer,
        responses={200: AudioTrackSerializer, **refusals(NoTrack, EditionRuns, UnknownLanguage)},
    )
    def put(self, request: Request, id: str, track: str) -> Response:  # noqa: A002
        """Change name, language and role of an added track."""
        video = own(request, id)
        asked = TrackFieldsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        edited = services.edit_track(video, track, label=fields.pop("name"), **fields)
        return Response(AudioTrackSerializer(edited).data)

    @extend_schema(responses={204: None, **refusals(NoTrack, EditionRuns)})
    def delete(self, request: Request, id: str, track: str) -> Response:  # noqa: A002
        """Remove an added track."""
        services.remove_track(own(request, id), track)
        return Response(status=status.HTTP_204_NO_CONTENT)
