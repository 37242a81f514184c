"""Who somebody is: by password, by session, or by ``Authorization: Token …``.

Of a token, knox keeps a digest and an expiry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.auth_backends import AuthenticationBackend
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated

from accounts import moderation

if TYPE_CHECKING:
    from rest_framework.request import Request

    from accounts.models import User

SCHEME = "Token"


def person_of(request: Request) -> User:
    """Whoever is signed in; 401 where nobody is."""
    if not request.user.is_authenticated:
        raise NotAuthenticated
    person: User = request.user
    return person


class PersonBackend(AuthenticationBackend):
    """allauth's, by name or e-mail address; whose suspension is over may come in at once."""

    def user_can_authenticate(self, user: Any) -> bool:
        return user.is_active or moderation.restore_if_lapsed(user)


class ApiTokenAuthentication(TokenAuthentication):
    """A person's API token; unknown, expired and suspended people's are all answered with 401."""

    def authenticate_credentials(self, token: bytes) -> Any:
        # Tokens are hexadecimal; anything else would only trouble the database.
        if not token.isalnum():
            raise AuthenticationFailed(_("Invalid token."))
        return super().authenticate_credentials(token)

    def validate_user(self, auth_token: Any) -> Any:
        if not auth_token.user.is_active:
            moderation.restore_if_lapsed(auth_token.user)
        return super().validate_user(auth_token)


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names it."""

    target_class = "accounts.authentication.ApiTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"`{SCHEME} …`, from `accounts/token/` or the account's settings.",
        }
