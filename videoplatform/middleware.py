"""What every request passes: an address that can be one, and a page's policies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from videoplatform import assets
from videoplatform.storage import public_origin

MAX_PATH = 2048
# What our pages do with a browser's powers: nothing, but play and fill the screen.
PERMISSIONS_POLICY = ", ".join(
    [
        *(f"{power}=(self)" for power in ("autoplay", "clipboard-write", "fullscreen", "picture-in-picture")),
        *(
            f"{power}=()"
            for power in (
                "accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope",
                "magnetometer", "microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking",
            )
        ),
    ]
)  # fmt: skip


@sync_and_async_middleware
def refusing_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Turn away what nobody below need look at."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = refusal(request) or await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = refusal(request) or get_response(request)
        return response

    return answer


def refusal(request: HttpRequest) -> HttpResponseBase | None:
    """400 for an address with a NUL in it or longer than any of ours: databases refuse both, late.

    413 for JSON beyond what a form may be: files never come as JSON.
    """
    has_null = "\0" in request.path or "%00" in request.META.get("QUERY_STRING", "")
    if has_null or len(request.path) > MAX_PATH:
        return HttpResponseBadRequest()
    length = request.META.get("CONTENT_LENGTH") or "0"
    if request.content_type == "application/json" and not _is_at_most(length):
        return HttpResponse(status=413)
    return None


def _is_at_most(length: str) -> bool:
    return length.isdecimal() and int(length[:12]) <= (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0)


@sync_and_async_middleware
def page_policy_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Name the powers our pages need, and add to the Content-Security-Policy.

    The import map by its hash, the bucket by its origin.

    Stands below ``CSPMiddleware``, which writes the header, and below
    ``request_origin_middleware``, which knows under which host we were asked.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return allow(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return allow(request, get_response(request))

    return answer


def allow(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Note the additions on ``response``; a page's own additions stay."""
    response.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
    if response.get("Content-Type", "").startswith("text/html"):
        bucket = public_origin(request)
        sources = {
            "script-src": [assets.import_map_hash()],
            "img-src": [bucket],
            "media-src": [bucket],
            "connect-src": [bucket],
        }
        update = dict(getattr(response, "_csp_update", None) or {})
        for directive, values in sources.items():
            update[directive] = [*update.get(directive, []), *values]
        response._csp_update = update  # type: ignore[attr-defined]
    return response
