"""Throttles of the API: anonymous clients by address, people by account, in :mod:`common.buckets`.

A view sets a request's price by ``get_price(request)``; the default is one unit.
``RATE_LIMITS=0`` switches all limits off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.throttling import BaseThrottle

from common.addresses import client_network, requester_key
from common.buckets import Charge, take
from common.rates import RATES, ROWS_A_UNIT, body_price, numbers_price, search_price

# The largest page of a list (common.pagination).
MAX_PAGE_SIZE = 100

if TYPE_CHECKING:  # the views import this module, through the settings
    from rest_framework.request import Request
    from rest_framework.views import APIView


class BucketThrottle(BaseThrottle):
    """Throttle with one bucket for each requester; ``scope`` names its rate in :mod:`common.rates`."""

    scope = ""
    _wait_s = 0.0

    def who(self, request: Request, view: APIView) -> str | None:
        """Return the owner of the bucket: the account or the address; ``None`` exempts the request."""
        return requester_key(request)

    def price(self, request: Request, view: APIView) -> int:
        """Return the price of the request in units."""
        return price_of(request, view)

    def allow_request(self, request: Request, view: APIView) -> bool:
        who = self.who(request, view)
        if who is None:
            return True
        self._wait_s = take(Charge(self.scope, who, RATES[self.scope], self.price(request, view)))
        return self._wait_s == 0

    def wait(self) -> float:
        return self._wait_s


class AddressThrottle(BucketThrottle):
    """Throttle by address, signed in or not."""

    def who(self, request: Request, view: APIView) -> str | None:
        return f"address-{client_network(request)}"


class AnonymousThrottle(BucketThrottle):
    """Throttle of anonymous clients by address."""

    scope = "anonymous"

    def who(self, request: Request, view: APIView) -> str | None:
        is_person = request.user and request.user.is_authenticated
        return None if is_person else f"address-{client_network(request)}"


class PersonThrottle(BucketThrottle):
    """Throttle of people by account."""

    scope = "person"

    def who(self, request: Request, view: APIView) -> str | None:
        is_person = request.user and request.user.is_authenticated
        return f"user-{request.user.pk}" if is_person else None


class ScopedThrottle(BucketThrottle):
    """Tighter throttle for one endpoint: the view names its ``throttle_scope``; a request is one unit."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        self.scope = view.throttle_scope  # type: ignore[attr-defined]
        return super().allow_request(request, view)

    def price(self, request: Request, view: APIView) -> int:
        return 1


class SearchThrottle(AddressThrottle):
    """Throttle of searches by words, with one bucket for the page and the API."""

    scope = "search"

    def who(self, request: Request, view: APIView) -> str | None:
        return super().who(request, view) if self.price(request, view) else None

    def price(self, request: Request, view: APIView) -> int:
        return search_price(request.query_params.get("q", ""))


def price_of(request: Request, view: APIView) -> int:
    """Return the units of a request: the view's price times the pages of its answer, and the body's."""
    get_price = getattr(view, "get_price", None)
    price = int(get_price(request)) if get_price else 1
    rows = request.query_params.get("page_size", "")
    is_number = rows.isascii() and rows.isdecimal()
    pages = numbers_price(min(int(rows[:9]), MAX_PAGE_SIZE) if is_number else 1, ROWS_A_UNIT)
    return price * pages + body_price(request.META)
