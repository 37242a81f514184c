"""Authentication by password, by session and by ``Authorization: Token …``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.auth_backends import AuthenticationBackend
from django.utils.translation import gettext_lazy as _
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied

from accounts import moderation, tokens

if TYPE_CHECKING:
    from rest_framework.request import Request

    from accounts.models import User

SCHEME = "Token"


def person_of(request: Request) -> User:
    """Return the signed-in person; raise ``NotAuthenticated`` (401) if there is none."""
    if not request.user.is_authenticated:
        raise NotAuthenticated
    person: User = request.user
    return person


class PersonBackend(AuthenticationBackend):
    """Backend of allauth, by name or e-mail address; a lapsed suspension is lifted at sign-in."""

    def user_can_authenticate(self, user: Any) -> bool:
        return user.is_active or moderation.lift_if_lapsed(user)


class ApiTokenAuthentication(TokenAuthentication):
    """Authentication by API token; unknown, expired and suspended people's tokens get 401."""

    def authenticate_credentials(self, token: bytes) -> Any:
        # Tokens are hexadecimal; other characters are not looked up.
        if not token.isalnum():
            raise AuthenticationFailed(_("Invalid token."))
        return super().authenticate_credentials(token)

    def validate_user(self, auth_token: Any) -> Any:
        if not auth_token.user.is_active:
            moderation.lift_if_lapsed(auth_token.user)
        answer = super().validate_user(auth_token)
        tokens.record_use(auth_token)
        return answer


class ApiSessionAuthentication(SessionAuthentication):
    """Authentication by browser session; a request without its CSRF token gets 403."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            # The library's sentence is in English only, and for programmers.
            raise PermissionDenied(_("This page has expired. Reload it and try again.")) from error


class ApiSessionScheme(SessionScheme):  # type: ignore[no-untyped-call]
    """OpenAPI description of session authentication."""

    target_class = "accounts.authentication.ApiSessionAuthentication"


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """OpenAPI description of token authentication."""

    target_class = "accounts.authentication.ApiTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"`{SCHEME} …`, from `accounts/token/` or the account's settings.",
        }
