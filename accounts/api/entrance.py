"""Sign-up and sign-in: accounts, and tokens for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.internal.flows.email_verification import send_verification_email_for_user
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.fields import get_error_detail
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import services, sign_up, tokens
from accounts.authentication import SCHEME
from accounts.errors import (
    ProofInvalid,
    ProofRequired,
    SecondFactorRequired,
    SignUpClosed,
    TooManyAttempts,
    TooManySignUps,
    WrongCode,
    WrongCredentials,
)
from accounts.proof import LIFETIME_S, MAX_PROOF, Challenge
from accounts.throttling import SignInAccountThrottle, SignInAddressThrottle
from common.openapi import refusals
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
