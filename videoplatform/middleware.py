"""What every request passes: an address that can be one, and a page's policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from videoplatform import assets
from videoplatform.storage import public_origin


@sync_and_async_middleware
def no_null_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Answer 400 to an address with a NUL in it: no text holds one, and PostgreSQL refuses it late.

    Bodies are looked at by the fields of forms and serializers.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            if has_null(request):
                return HttpResponseBadRequest()
            response: HttpResponseBase = await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        if has_null(request):
            return HttpResponseBadRequest()
        response: HttpResponseBase = get_response(request)
        return response

    return answer


def has_null(request: HttpRequest) -> bool:
    return "\0" in request.path or "%00" in request.META.get("QUERY_STRING", "")


@sync_and_async_middleware
def page_policy_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Add to the Content-Security-Policy: the import map by its hash, the bucket by its origin.

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
