"""What every request passes: an address that can be one, and a page's policies."""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _

from videoplatform import assets
from videoplatform.errors import TooLarge, client_error
from videoplatform.storage import public_origin

MAX_PATH = 2048
# Python knows encodings that are none of text, and Django would try them.
TEXT_ENCODINGS = {"utf-8", "ascii", "iso8859-1"}
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

    413 for JSON beyond what a form may be: files never come as JSON.  415 for text
    that is not Unicode.
    """
    has_null = "\0" in request.path or "%00" in request.META.get("QUERY_STRING", "")
    if has_null or len(request.path) > MAX_PATH:
        return JsonResponse(client_error("bad_address", _("This address cannot exist.")), status=400)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if request.content_type == "application/json" and not _is_at_most(length):
        return JsonResponse(client_error(TooLarge.default_code, TooLarge.default_detail), status=413)
    if request.encoding and codecs.lookup(request.encoding).name not in TEXT_ENCODINGS:
        return JsonResponse(client_error("unsupported_encoding", _("Text is sent as UTF-8.")), status=415)
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
