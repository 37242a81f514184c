"""Middleware for every request: refusal of impossible requests, and the policies of pages."""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common import assets
from common.api_errors import TooLarge
from common.error_pages import NOT_UNDERSTOOD, error_answer
from common.storage import public_origin

MAX_PATH = 2048
# Python has codecs that are no text encodings, and Django would try them.
TEXT_ENCODINGS = {"utf-8", "ascii", "iso8859-1"}
# The browser features that our pages use: playback, full screen and the clipboard.
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
    """Answer requests that no view can handle."""
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
    """Return an error response to a request that no view can handle, or None.

    400: an address with a NUL or longer than any of ours, which databases would refuse
    late. 413: JSON above the limit of forms, as files never come as JSON. 415: text that is
    not Unicode.
    """
    has_null = "\0" in request.path or "%00" in request.META.get("QUERY_STRING", "")
    if has_null or len(request.path) > MAX_PATH:
        return _refused(request, 400, "bad_address", _("The link is invalid."))
    length = request.META.get("CONTENT_LENGTH") or "0"
    fits = length.isdecimal() and int(length[:12]) <= (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0)
    if request.content_type == "application/json" and not fits:
        return _refused(request, 413, TooLarge.default_code, TooLarge.default_detail)
    if request.encoding and codecs.lookup(request.encoding).name not in TEXT_ENCODINGS:
        return _refused(request, 415, "unsupported_encoding", _("Send text as UTF-8."))
    return None


def _refused(request: HttpRequest, status: int, code: str, sentence: str | Promise) -> HttpResponse:
    return error_answer(request, status=status, code=code, heading=NOT_UNDERSTOOD, sentence=sentence)


@sync_and_async_middleware
def page_policy_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Add the Permissions-Policy, and complete the Content-Security-Policy.

    The import map is added by its hash, the bucket by its origin. It stands below
    ``CSPMiddleware``, which writes the header, and below ``request_origin_middleware``,
    which knows the host of the request.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return allow(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return allow(request, get_response(request))

    return answer


def allow(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Add the policies to ``response``; additions of the view are kept."""
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
