"""People over the API: the same services as the pages."""

from __future__ import annotations

from typing import Any, cast

from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.fields import get_error_detail
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import services
from accounts.authentication import SCHEME
from accounts.errors import AccountError
from accounts.models import Channel, ChannelQuerySet, User
from accounts.throttling import SignInAccountThrottle, SignInAddressThrottle
from videoplatform.throttling import ScopedThrottle

# --- Shapes ---------------------------------------------------------------------


class RegisterSerializer(serializers.Serializer[Any]):
    """Lengths only: which names and passwords will do is for :func:`accounts.services.register` to say."""

    username = serializers.CharField(max_length=30)
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1024, write_only=True, trim_whitespace=False)


class RegisteredSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    token = serializers.CharField()


class SignInSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=254, help_text="user name or e-mail address")
    password = serializers.CharField(max_length=1024, write_only=True, trim_whitespace=False)
    code = serializers.CharField(
        max_length=20, required=False, allow_blank=True, default="", help_text="where a second factor is set"
    )


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()


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


class ChannelProfileSerializer(serializers.ModelSerializer[Channel]):
    """A channel as everyone sees it; ``display_name`` is never empty."""

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
        """Whether the channel is on air, which this app cannot know: the app that does overrides this."""
        return False


# --- Joining and signing in -------------------------------------------------------


class EntranceView(APIView):
    """Open to strangers, blind to whatever identity they send along."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        """Without this a refusal would be a 403, for want of a scheme to name."""
        return SCHEME


class RegisterView(EntranceView):
    throttle_classes = (ScopedThrottle,)
    throttle_scope = "sign_up"

    @extend_schema(request=RegisterSerializer, responses={201: RegisteredSerializer})
    def post(self, request: Request) -> Response:
        """Join: makes the account and its channel, and signs in."""
        form = RegisterSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            user = services.register(**form.validated_data, request=django_request(request))
        except DjangoValidationError as error:
            raise serializers.ValidationError(get_error_detail(error)) from error
        _token, secret = services.create_token(user=user)
        return Response({"username": user.username, "token": secret}, status.HTTP_201_CREATED)


class TokenView(EntranceView):
    throttle_classes = (SignInAddressThrottle, SignInAccountThrottle)
    throttle_scope = "sign_in"

    @extend_schema(request=SignInSerializer, responses=TokenSerializer)
    def post(self, request: Request) -> Response:
        """Sign in: name or e-mail, password, and the code where a second factor is set."""
        form = SignInSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            user = services.sign_in(
                login=form.validated_data["username"],
                password=form.validated_data["password"],
                code=form.validated_data["code"],
                request=django_request(request),
            )
        except AccountError as error:
            raise AuthenticationFailed(str(error), error.code) from error
        _token, secret = services.create_token(user=user)
        return Response({"token": secret})


def django_request(request: Request) -> HttpRequest:
    """What Django and allauth know a request as."""
    plain: HttpRequest = request._request
    return plain


# --- Oneself and others -----------------------------------------------------------


class MeView(generics.RetrieveUpdateAPIView[User]):
    """Whoever asks."""

    serializer_class = MeSerializer
    permission_classes = (IsAuthenticated,)
    http_method_names = ("get", "patch", "head", "options")

    def get_object(self) -> User:
        return cast(User, self.request.user)


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

    @extend_schema(request=None, responses={204: None})
    def put(self, request: Request, username: str) -> Response:
        """Follow a channel; twice is once."""
        try:
            services.follow(user=cast(User, request.user), channel=self.channel(username))
        except AccountError as error:
            raise serializers.ValidationError(str(error), error.code) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, username: str) -> Response:
        """Stop following it."""
        services.unfollow(user=cast(User, request.user), channel=self.channel(username))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def channel(self, username: str) -> Channel:
        return get_object_or_404(Channel.objects.public().named(username))
