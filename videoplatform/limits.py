"""How often one address may ask for pages and playlists; the API has limits of its own.

Wide enough for a school behind one address, and too narrow to make the database
search without end.  Counted by minutes in the cache, so every web process counts
together; a cache that is away counts nothing and refuses nobody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import time
from typing import Any, cast

import redis
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

WINDOW_S = 60
# Requests in a minute by the beginning of the path; the first that fits counts.
LIMITS = (("/api/v1/", None), ("/search/", 240), ("/readyz", 300), ("/", 3000))


@sync_and_async_middleware
def limits_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Answer 429 to an address that asks too often."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            limit = limit_of(request)
            refused = limit and await sync_to_async(refusal)(request, *limit)
            response: HttpResponseBase = refused or await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        limit = limit_of(request)
        response: HttpResponseBase = (limit and refusal(request, *limit)) or get_response(request)
        return response

    return answer


def limit_of(request: HttpRequest) -> tuple[str, int] | None:
    """The limit that holds for a request: under which name, and how many in a minute."""
    if not settings.RATE_LIMITS:
        return None
    prefix, most = next((prefix, most) for prefix, most in LIMITS if request.path.startswith(prefix))
    return None if most is None else (prefix, most)


def refusal(request: HttpRequest, name: str, most: int) -> HttpResponse | None:
    """429, with how long to wait, for one request too many; None while there may be more."""
    now = time()
    # The address as the API's throttles know it, proxies of ours left out.
    address = BaseThrottle().get_ident(cast("Request", request))
    key = f"pages:{name}:{address}:{int(now // WINDOW_S)}"
    try:
        cache.add(key, 0, 2 * WINDOW_S)
        if cache.incr(key) <= most:
            return None
    except (redis.RedisError, ValueError):  # ValueError: gone between the two
        return None
    with translation.override(translation.get_language_from_request(request)):
        sentence = _("Too many requests came from your address. Please wait a minute.")
    headers = {"Retry-After": str(WINDOW_S - int(now % WINDOW_S))}
    return HttpResponse(sentence, status=429, content_type="text/plain; charset=utf-8", headers=headers)
