"""Rate limits of pages and playlists for each address; :mod:`common.throttling` limits the API.

Nobody is refused because Redis is away; see :mod:`common.buckets`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common.addresses import client_network
from common.buckets import Charge, seconds_to_wait, take
from common.error_pages import error_page
from common.rates import PRICES, RATES, body_price, search_price

API = "/api/v1/"
# The price of a POST by the start of its path; the first match applies.
POSTS = (
    ("/accounts/login/", "password_form"),
    ("/accounts/signup/", "password_form"),
    ("/accounts/password/", "password_form"),
    ("/accounts/reauthenticate/", "password_form"),
    ("/accounts/settings/", "picture"),
    ("/admin/login/", "password_form"),
    ("/studio/", "captions"),
)
UNLOCK = re.compile(r"/watch/[^/]+/unlock/")


@sync_and_async_middleware
def limits_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Answer 429 to an address that sends too many requests."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await sync_to_async(refusal)(request) or await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = refusal(request) or get_response(request)
        return response

    return answer


def charges_of(request: HttpRequest) -> tuple[Charge, ...]:
    """Return the price of a page request and the buckets to charge; nothing for the API."""
    if request.path.startswith(API):
        return ()
    address = f"address-{client_network(request)}"
    if request.path == "/readyz":
        return (Charge("readyz", address, RATES["readyz"]),)
    searched = 0 if request.path.startswith("/admin/") else search_price(request.GET.get("q", ""))
    price = (PRICES["search_page"] if searched else _price_of_post(request)) + body_price(request.META)
    charges = [Charge("pages", address, RATES["pages"], price)]
    if searched:
        charges.append(Charge("search", address, RATES["search"], searched))
    return tuple(charges)


def _price_of_post(request: HttpRequest) -> int:
    if request.method != "POST":
        return 1
    if UNLOCK.match(request.path):
        return PRICES["password_form"]
    return next((PRICES[name] for prefix, name in POSTS if request.path.startswith(prefix)), 1)


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Return a 429 with the time to wait if the address is over its limit, else None."""
    wait_s = take(*charges_of(request))
    if not wait_s:
        return None
    seconds = seconds_to_wait(wait_s)
    with translation.override(translation.get_language_from_request(request)):
        sentence = ngettext(
            "Too many requests from your address. Try again in a second.",
            "Too many requests from your address. Try again in %(seconds)d seconds.",
            seconds,
        ) % {"seconds": seconds}
    headers = {"Retry-After": str(seconds)}
    return error_page(request, status=429, heading=_("Too many requests"), sentence=sentence, headers=headers)
