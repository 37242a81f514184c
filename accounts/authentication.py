"""``Authorization: Token …``: knox keeps a digest of each token and an expiry."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

SCHEME = "Token"


class ApiTokenAuthentication(TokenAuthentication):
    """A person's API token; unknown, expired and suspended people's are all answered with 401."""

    def authenticate_credentials(self, token: bytes) -> Any:
        # Tokens are hexadecimal; anything else would only trouble the database.
        if not token.isalnum():
            raise AuthenticationFailed(_("Invalid token."))
        return super().authenticate_credentials(token)


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
