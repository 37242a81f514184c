"""Imports of channels: lists of other sites, and the choice of their videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import person_of
from common.openapi import refusals
from common.rates import PRICES
from common.throttling import ScopedThrottle
from videos import services
from videos.channel_listing import MAX_ITEMS
from videos.models import ChannelImport, ImportItem
from videos.services.errors import (
    ArchiveExpired,
    MayNotUpload,
    NothingChosen,
    NotListedYet,
    StorageFull,
    TooManyLists,
    UnknownSite,
)

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.throttling import BaseThrottle


class ImportItemSerializer(serializers.ModelSerializer[ImportItem]):
    video = serializers.CharField(
        source="video.public_id", allow_null=True, default=None, help_text="once its import has begun"
    )

    class Meta:
        model = ImportItem
        fields = (
            "id", "title", "duration_s", "size_bytes", "published_at", "visibility", "keeps_visibility",
            "state", "video",
        )  # fmt: skip
        read_only_fields = fields


class ChannelImportSerializer(serializers.ModelSerializer[ChannelImport]):
    """A channel import in lists."""

    id = serializers.CharField(source="public_id")
    address = serializers.CharField(source="shown_address", help_text="without a query, which may hold a key")

    class Meta:
        model = ChannelImport
        fields = (
            "id",
            "kind",
            "address",
            "status",
            "found_count",
            "total_count",
            "error_code",
            "created_at",
        )
        read_only_fields = fields


class ListedChannelSerializer(ChannelImportSerializer):
    """A channel import with the videos that were found."""

    items = ImportItemSerializer(many=True)

    class Meta(ChannelImportSerializer.Meta):
        fields = (*ChannelImportSerializer.Meta.fields, "items")  # type: ignore[assignment]


class NewChannelImportSerializer(serializers.Serializer[Any]):
    address = serializers.CharField(
        max_length=2000, help_text="of a PeerTube channel, account or export (.zip), or of a MediaCMS user"
    )


class ChosenItemsSerializer(serializers.Serializer[Any]):
    items = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**62),
        max_length=MAX_ITEMS,
        allow_null=True,
        default=None,
        help_text="ids of items; all without it",
    )
    keeps_visibility = serializers.BooleanField(
        default=False, help_text="with the visibility of the other site; else private"
    )


class ChannelImportActView(APIView):
    """Base of the endpoints of channel imports."""

    permission_classes = (IsAuthenticated,)
    throttle_scope = "upload"

    def get_throttles(self) -> list[BaseThrottle]:
        is_act = self.request.method not in SAFE_METHODS
        return [*super().get_throttles(), *([ScopedThrottle()] if is_act else [])]

    def get_price(self, request: Request) -> int:
        return PRICES["upload_begun"]

    def own(self, request: Request, public_id: str) -> ChannelImport:
        rows = person_of(request).channel.channel_imports.all()
        return get_object_or_404(rows, public_id=public_id)


class ChannelImportsView(ChannelImportActView):
    @extend_schema(responses={200: ChannelImportSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """List your channel imports, newest first: 20 at most."""
        rows = person_of(request).channel.channel_imports.all()
        return Response(ChannelImportSerializer(rows, many=True).data)

    @extend_schema(
        request=NewChannelImportSerializer,
        responses={
            202: ChannelImportSerializer,
            **refusals(UnknownSite, TooManyLists, MayNotUpload, StorageFull),
        },
    )
    def post(self, request: Request) -> Response:
        """Have a worker list the videos of a channel; nothing is imported yet."""
        asked = NewChannelImportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        row = services.begin_channel_import(channel=person_of(request).channel, **asked.validated_data)
        return Response(ChannelImportSerializer(row).data, status=status.HTTP_202_ACCEPTED)


class ChannelImportView(ChannelImportActView):
    @extend_schema(responses={200: ListedChannelSerializer})
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        """Return a channel import with its videos; the state of a begun one is that of its video."""
        rows = person_of(request).channel.channel_imports.prefetch_related("items__video")
        return Response(ListedChannelSerializer(get_object_or_404(rows, public_id=id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Delete the list and cancel waiting items; begun videos stay."""
        services.delete_channel_import(self.own(request, id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChannelImportStartView(ChannelImportActView):
    @extend_schema(
        request=ChosenItemsSerializer,
        responses={202: ChannelImportSerializer, **refusals(NotListedYet, NothingChosen, ArchiveExpired)},
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Import videos of a list; those that you have already are left out."""
        row = self.own(request, id)
        asked = ChosenItemsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.choose_items(row, **asked.validated_data)
        row.refresh_from_db()
        return Response(ChannelImportSerializer(row).data, status=status.HTTP_202_ACCEPTED)
