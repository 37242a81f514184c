"""Channels: as everyone sees them, and the own one."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import services
from accounts.authentication import person_of
from accounts.errors import FollowsItself
from accounts.models import Channel, ChannelQuerySet, User
from common.openapi import refusals


class MeSerializer(serializers.ModelSerializer[User]):
    display_name = serializers.CharField(source="channel.display_name", max_length=60, allow_blank=True)
    bio = serializers.CharField(source="channel.bio", max_length=1000, allow_blank=True)
    avatar_url = serializers.CharField(source="channel.avatar_url", read_only=True, allow_null=True)

    class Meta:
        model = User
        fields = ("username", "email", "display_name", "bio", "avatar_url", "is_moderator")
        read_only_fields = ("username", "email", "avatar_url", "is_moderator")

    def update(self, user: User, validated_data: dict[str, Any]) -> User:
        services.edit_channel(channel=user.channel, **validated_data.get("channel", {}))
        return user


class ChannelSerializer(serializers.Serializer[Any]):
    """Channel as the owner of a video or stream."""

    username = serializers.CharField()
    display_name = serializers.CharField(source="name")
    avatar_url = serializers.SerializerMethodField()

    def get_avatar_url(self, channel: Any) -> str | None:
        return channel.avatar.url if channel.avatar else None


class ChannelProfileSerializer(serializers.ModelSerializer[Channel]):
    """Channel as everyone sees it; ``display_name`` is never empty."""

    display_name = serializers.CharField(source="name", read_only=True)
    follower_count = serializers.IntegerField(read_only=True)
    is_following = serializers.BooleanField(read_only=True)
    live = serializers.SerializerMethodField()

    class Meta:
        model = Channel
        fields = (
            "username",
            "display_name",
            "bio",
            "avatar_url",
            "follower_count",
            "is_following",
            "live",
            "created_at",
        )
        read_only_fields = fields

    def get_live(self, channel: Channel) -> bool:
        """Return false; a subclass in an app that knows about broadcasts overrides this."""
        return False


class MeView(generics.RetrieveUpdateAPIView[User]):
    """Profile of the requester."""

    serializer_class = MeSerializer
    permission_classes = (IsAuthenticated,)
    http_method_names = ("get", "patch", "head", "options")

    def get_object(self) -> User:
        return person_of(self.request)


class ChannelView(generics.RetrieveAPIView[Channel]):
    serializer_class = ChannelProfileSerializer
    queryset = Channel.objects.public()
    lookup_url_kwarg = "username"
    lookup_field = "owner__username__iexact"

    def get_queryset(self) -> ChannelQuerySet:
        channels = Channel.objects.public().select_related("owner")
        return channels.with_follower_count().with_is_following(self.request.user)


class FollowView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(request=None, responses={204: None, **refusals(FollowsItself)})
    def put(self, request: Request, username: str) -> Response:
        """Follow a channel; a second call does nothing."""
        services.follow(user=person_of(request), channel=self.channel(username))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, username: str) -> Response:
        """Unfollow a channel."""
        services.unfollow(user=person_of(request), channel=self.channel(username))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def channel(self, username: str) -> Channel:
        return get_object_or_404(Channel.objects.public().named(username))
