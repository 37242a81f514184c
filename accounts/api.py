"""People over the API: the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import AuthenticationFailed, NotFound, Throttled
from rest_framework.fields import get_error_detail
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import moderation, notifications, services
from accounts.authentication import SCHEME, person_of
from accounts.errors import (
    AccountError,
    FollowsItself,
    NoSuchTarget,
    SecondFactorRequired,
    TooManyReports,
    WrongCode,
    WrongCredentials,
)
from accounts.models import Channel, ChannelQuerySet, Notification, Reason, Report, User
from accounts.models.moderation import MAX_DETAIL
from accounts.models.notifications import NotificationQuerySet
from accounts.throttling import SignInAccountThrottle, SignInAddressThrottle
from videoplatform.openapi import refusal
from videoplatform.pagination import CursorPagination
from videoplatform.throttling import ScopedThrottle

REPORT_AGAIN_AFTER_S = 3600

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


class TargetTypeField(serializers.ChoiceField):
    """Whatever the apps have registered, asked for anew by every serializer that is made."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(moderation.choices(), **kwargs)


class ReportSerializer(serializers.Serializer[Report]):
    target_type = TargetTypeField()
    target_id = serializers.CharField(max_length=40)
    reason = serializers.ChoiceField(Reason.choices)
    detail = serializers.CharField(max_length=MAX_DETAIL, required=False, allow_blank=True, default="")
    offset_s = serializers.FloatField(
        min_value=0, max_value=10**7, required=False, allow_null=True, default=None
    )


class ReportedSerializer(serializers.ModelSerializer[Report]):
    id = serializers.CharField(source="pk")
    target_type = serializers.CharField(source="case.target_type")
    target_id = serializers.CharField(source="case.target_id")

    class Meta:
        model = Report
        fields = ("id", "target_type", "target_id", "reason", "detail", "offset_s", "status", "created_at")


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    id = serializers.CharField(source="pk")
    sentence = serializers.SerializerMethodField(help_text="in the language that was asked for")
    detail = serializers.SerializerMethodField()
    is_read = serializers.SerializerMethodField()

    class Meta:
        model = Notification
        fields = ("id", "kind", "sentence", "detail", "url", "data", "is_read", "created_at")

    def get_sentence(self, notification: Notification) -> str:
        return notifications.sentence(notification)

    def get_detail(self, notification: Notification) -> str:
        return notifications.detail(notification)

    def get_is_read(self, notification: Notification) -> bool:
        return notification.read_at is not None


class ReadSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=serializers.RegexField(r"\A[0-9]{1,18}\Z"),
        required=False,
        max_length=notifications.KEPT,
        help_text="without it, all of them",
    )


class UnreadSerializer(serializers.Serializer[Any]):
    unread_count = serializers.IntegerField()


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

    @extend_schema(
        request=SignInSerializer,
        responses={
            200: TokenSerializer,
            401: refusal(WrongCredentials.code, SecondFactorRequired.code, WrongCode.code),
        },
    )
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

    @extend_schema(request=None, responses={204: None, 400: refusal(FollowsItself.code)})
    def put(self, request: Request, username: str) -> Response:
        """Follow a channel; twice is once."""
        try:
            services.follow(user=person_of(request), channel=self.channel(username))
        except AccountError as error:
            raise serializers.ValidationError(str(error), error.code) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, username: str) -> Response:
        """Stop following it."""
        services.unfollow(user=person_of(request), channel=self.channel(username))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def channel(self, username: str) -> Channel:
        return get_object_or_404(Channel.objects.public().named(username))


# --- Reports and notifications ------------------------------------------------------


class PaceExceeded(Throttled):
    default_code = TooManyReports.code


class ReportView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        request=ReportSerializer,
        responses={
            200: ReportedSerializer,
            201: ReportedSerializer,
            404: refusal(NoSuchTarget.code),
            429: refusal(TooManyReports.code),
        },
    )
    def post(self, request: Request) -> Response:
        """Report something to the moderators; again, while it is open, is the same report."""
        form = ReportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            report, is_new = moderation.report(by=person_of(request), **form.validated_data)
        except NoSuchTarget as error:
            raise NotFound(str(error)) from error
        except TooManyReports as error:
            raise PaceExceeded(wait=REPORT_AGAIN_AFTER_S, detail=str(error)) from error
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(ReportedSerializer(report).data, code)


class NotificationPagination(CursorPagination):
    """With how many are unread, for whoever has no socket."""

    request: Request

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        self.request = request
        return super().paginate_queryset(queryset, request, view)

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        response.data["unread_count"] = notifications.unread_count(person_of(self.request))
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        described["properties"]["unread_count"] = {"type": "integer"}
        return described


class NotificationsView(generics.ListAPIView[Notification]):
    """What whoever asks was told, newest first."""

    queryset = Notification.objects.none()  # for the OpenAPI document, which knows nobody
    serializer_class = NotificationSerializer
    permission_classes = (IsAuthenticated,)
    pagination_class = NotificationPagination

    def get_queryset(self) -> NotificationQuerySet:
        return Notification.objects.of(person_of(self.request))


class NotificationsReadView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(request=ReadSerializer, responses=UnreadSerializer)
    def post(self, request: Request) -> Response:
        """Mark notifications read: these, or all."""
        form = ReadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        ids = form.validated_data.get("ids")
        person = person_of(request)
        unread = notifications.mark_read(person, None if ids is None else [int(pk) for pk in ids])
        return Response({"unread_count": unread})
