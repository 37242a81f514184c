"""Guessing passwords is slow for one account from anywhere, and for one address whatever the account."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from videoplatform.throttling import AnonymousThrottle, ScopedThrottle

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class SignInAccountThrottle(ScopedThrottle):
    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """One key for a name in any case; hashed, because it is whatever a stranger sent."""
        name = request.data.get("username") if isinstance(request.data, dict) else None
        if not isinstance(name, str):
            return None
        ident = sha256(name.strip().lower().encode(errors="surrogatepass")).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}


class SignInAddressThrottle(AnonymousThrottle):
    scope = "sign_in_address"
