"""Rate limits: by address for strangers, by account for people; RATE_LIMITS=0 switches them off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.throttling import AnonRateThrottle, ScopedRateThrottle, UserRateThrottle

if TYPE_CHECKING:  # the views import us, through the settings
    from rest_framework.request import Request
    from rest_framework.views import APIView


class AnonymousThrottle(AnonRateThrottle):
    scope = "anonymous"

    def allow_request(self, request: Request, view: APIView) -> bool:
        return not settings.RATE_LIMITS or super().allow_request(request, view)


class PersonThrottle(UserRateThrottle):
    scope = "person"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Strangers have their own throttle."""
        return super().get_cache_key(request, view) if request.user.is_authenticated else None

    def allow_request(self, request: Request, view: APIView) -> bool:
        return not settings.RATE_LIMITS or super().allow_request(request, view)


class ScopedThrottle(ScopedRateThrottle):
    """A tighter limit for one endpoint: the view names its ``throttle_scope``."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        return not settings.RATE_LIMITS or super().allow_request(request, view)
