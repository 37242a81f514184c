"""CORS headers for playlists and for the API with a token (Fetch standard).

Answers are open to every origin, but never to its cookies: a script of another site learns
no more than a program outside a browser. Players send headers of their own (CMCD), so
browsers send a preflight request.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

API = "/api/v1/"
# Their views decide which videos name the origin.
_PLAYLISTS = re.compile(r"/(?:videos/[^/]+/hls|live-dvr)/")
_ASKED_AGAIN_AFTER_S = 86_400
_METHODS = {True: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", False: "GET, HEAD, OPTIONS"}


@sync_and_async_middleware
def cors_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Answer preflight requests, and allow every origin to read the API's answers."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return preflight(request) or opened(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return preflight(request) or opened(request, get_response(request))

    return answer


def preflight(request: HttpRequest) -> HttpResponse | None:
    """Answer the preflight request of a browser; return None for any other request."""
    is_api = request.path.startswith(API)
    if request.method != "OPTIONS" or not (is_api or _PLAYLISTS.match(request.path)):
        return None
    if is_api and "Access-Control-Request-Method" not in request.headers:
        return None  # an OPTIONS request for the API's own description of an address
    return HttpResponse(
        status=204,
        headers={
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": _METHODS[is_api],
            # The wildcard includes every header except Authorization.
            "Access-Control-Allow-Headers": "*, Authorization",
            "Access-Control-Max-Age": str(_ASKED_AGAIN_AFTER_S),
            "Allow": _METHODS[is_api],
        },
    )


def opened(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Add the headers to an answer of the API that allow every origin."""
    if request.path.startswith(API):
        response["Access-Control-Allow-Origin"] = "*"
        response["Access-Control-Expose-Headers"] = "Retry-After, ETag, Location"
    return response
