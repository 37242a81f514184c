"""Throttles of sign-in attempts: by account from any address, and by address for any account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.throttling import AddressThrottle, ScopedThrottle

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class SignInAccountThrottle(ScopedThrottle):
    """Throttle of attempts for one account, from any address."""

    def who(self, request: Request, view: APIView) -> str | None:
        """Return the user name of the attempt, in lower case."""
        name = request.data.get("username") if isinstance(request.data, dict) else None
        return f"name-{name.strip().lower()}" if isinstance(name, str) else None


class SignInAddressThrottle(AddressThrottle):
    """Throttle of attempts from one address, for any account."""

    scope = "sign_in_address"
