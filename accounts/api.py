"""API of accounts, through the same services as the pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.internal.flows.email_verification import send_verification_email_for_user
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.fields import get_error_detail
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import moderation, notifications, services, sign_up, tokens
from accounts.authentication import SCHEME, person_of
from accounts.errors import (
    FollowsItself,
    NoSuchTarget,
    ProofInvalid,
    ProofRequired,
    SecondFactorRequired,
    SignUpClosed,
    TooManyAttempts,
    TooManyReports,
    TooManySignUps,
    WrongCode,
    WrongCredentials,
)
from accounts.models import Channel, ChannelQuerySet, Notification, Reason, Report, User
from accounts.models.moderation import MAX_DETAIL
from accounts.models.notifications import NotificationQuerySet
from accounts.proof import LIFETIME_S, MAX_PROOF, Challenge
from accounts.throttling import SignInAccountThrottle, SignInAddressThrottle
from common.openapi import refusals
from common.pagination import CursorPagination
from common.throttling import ScopedThrottle


class RegisterSerializer(serializers.Serializer[Any]):
    """Registration with the lengths of its fields; :func:`accounts.services.register` checks the rest."""

    username = serializers.CharField(max_length=30)
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1024, write_only=True, trim_whitespace=False)
    invitation = serializers.CharField(
        max_length=40,
        required=False,
        allow_blank=True,
        default="",
        help_text="required by sites with invitations",
    )
    proof = serializers.CharField(
        max_length=MAX_PROOF,
        required=False,
        allow_blank=True,
        default="",
        help_text="“{challenge}:{n}” for a challenge of `accounts/register/challenge/`",
    )


class ChallengeSerializer(serializers.Serializer[Any]):
    challenge = serializers.CharField(source="text")
    bits = serializers.IntegerField(
        help_text="find n so that the SHA-256 of “{challenge}:{n}” begins with so many zero bits"
    )
    expires_at = serializers.SerializerMethodField()

    def get_expires_at(self, _challenge: Challenge) -> datetime:
        return timezone.now() + timedelta(seconds=LIFETIME_S)


class RegisteredSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    token = serializers.CharField()


class SignInSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=254, help_text="username or email address")
    password = serializers.CharField(max_length=1024, write_only=True, trim_whitespace=False)
    code = serializers.CharField(
        max_length=20,
        required=False,
        allow_blank=True,
        default="",
        help_text="required by accounts with two-factor authentication",
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


class TargetTypeField(serializers.ChoiceField):
    """Choice of the registered kinds, read anew for each serializer."""

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
    sentence = serializers.SerializerMethodField(help_text="in the requested language")
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
        help_text="all of them by default",
    )


class UnreadSerializer(serializers.Serializer[Any]):
    unread_count = serializers.IntegerField()


class EntranceView(APIView):
    """Base view for anonymous requests; it ignores credentials."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        """Return the scheme to name; without one, a refusal would be a 403."""
        return SCHEME


class RegisterView(EntranceView):
    throttle_classes = (ScopedThrottle,)
    throttle_scope = "sign_up"

    @extend_schema(
        request=RegisterSerializer,
        responses={
            201: RegisteredSerializer,
            **refusals(ProofInvalid, ProofRequired, SignUpClosed, TooManySignUps),
        },
    )
    def post(self, request: Request) -> Response:
        """Create an account with its channel, and sign in.

        After some accounts from one network within an hour, 403 `proof_required` asks for a
        proof of work: solve the challenge of `accounts/register/challenge/`, send `proof`.
        """
        form = RegisterSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            user = services.sign_up(**form.validated_data, request=django_request(request))
        except DjangoValidationError as error:
            raise serializers.ValidationError(get_error_detail(error)) from error
        send_verification_email_for_user(django_request(request), user)
        _token, secret = tokens.create_token(user=user)
        return Response({"username": user.username, "token": secret}, status.HTTP_201_CREATED)


class ChallengeView(EntranceView):
    throttle_classes = (ScopedThrottle,)
    throttle_scope = "sign_up"

    @extend_schema(responses=ChallengeSerializer)
    def get(self, request: Request) -> Response:
        """Get a challenge, as hard as the next sign-up from this network needs."""
        return Response(ChallengeSerializer(sign_up.challenge(django_request(request))).data)


class TokenView(EntranceView):
    throttle_classes = (SignInAddressThrottle, SignInAccountThrottle)
    throttle_scope = "sign_in"

    @extend_schema(
        request=SignInSerializer,
        responses={
            200: TokenSerializer,
            **refusals(WrongCredentials, SecondFactorRequired, WrongCode, TooManyAttempts),
        },
    )
    def post(self, request: Request) -> Response:
        """Sign in with name or e-mail, password, and the code if a second factor is set."""
        form = SignInSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = services.sign_in(
            login=form.validated_data["username"],
            password=form.validated_data["password"],
            code=form.validated_data["code"],
            request=django_request(request),
        )
        if not user.language:
            services.remember_language(user=user, language=get_language())
        _token, secret = tokens.create_token(user=user)
        return Response({"token": secret})


def django_request(request: Request) -> HttpRequest:
    """Return Django's own request, for Django and allauth."""
    plain: HttpRequest = request._request
    return plain


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


class ReportView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        request=ReportSerializer,
        responses={
            200: ReportedSerializer,
            201: ReportedSerializer,
            **refusals(NoSuchTarget, TooManyReports),
        },
    )
    def post(self, request: Request) -> Response:
        """Report something to the moderators; a second report returns the open one."""
        form = ReportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        report, is_new = moderation.report(by=person_of(request), **form.validated_data)
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(ReportedSerializer(report).data, code)


class NotificationPagination(CursorPagination):
    """Pagination with the number of unread notifications, for clients without a socket."""

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
    """Notifications of the requester, newest first."""

    queryset = Notification.objects.none()  # for the OpenAPI document, which has no user
    serializer_class = NotificationSerializer
    permission_classes = (IsAuthenticated,)
    pagination_class = NotificationPagination

    def get_queryset(self) -> NotificationQuerySet:
        return Notification.objects.of(person_of(self.request))


class NotificationsReadView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(request=ReadSerializer, responses=UnreadSerializer)
    def post(self, request: Request) -> Response:
        """Mark the given notifications read, or all."""
        form = ReadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        ids = form.validated_data.get("ids")
        person = person_of(request)
        unread = notifications.mark_read(person, None if ids is None else [int(pk) for pk in ids])
        return Response({"unread_count": unread})
