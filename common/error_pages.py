"""Error responses: a page in the site's design, or JSON for the API.

They use neither the database nor the session, so middleware may send them before those
exist, or while those are broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext_lazy as _

from common.context import site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import Promise

API = "/api/"
# Of a page without scripts. Some answers leave before the middleware that has the site's policy.
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
NOT_UNDERSTOOD = _("The request is invalid.")


def error_page(
    request: HttpRequest,
    *,
    status: int,
    heading: str | Promise,
    sentence: str | Promise,
    headers: Mapping[str, str] | None = None,
    link: tuple[str, str | Promise] | None = None,
) -> HttpResponse:
    """Return a page with ``heading`` and ``sentence``, in the language that the request asks for.

    ``link`` is the address and the text of the next step; by default, the home page.
    """
    with translation.override(translation.get_language_from_request(request)):
        href, words = link or ("/", "")
        context = {**site(request), "heading": heading, "sentence": sentence, "href": href, "words": words}
        html = render_to_string("error.html", context)
    # The page describes a passing state, so a cache must not store it.
    fixed = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY}
    return HttpResponse(html, status=status, headers={**fixed, **(headers or {})})


def error_json(
    request: HttpRequest,
    *,
    status: int,
    code: str,
    sentence: str | Promise,
    headers: Mapping[str, str] | None = None,
) -> JsonResponse:
    """Return one error in the API's shape, in the language that the request asks for."""
    with translation.override(translation.get_language_from_request(request)):
        body = error_body(status, code, sentence)
    return JsonResponse(body, status=status, headers=dict(headers or {}))


def error_body(status: int, code: str, sentence: str | Promise) -> dict[str, Any]:
    """Return one error in the API's shape."""
    kind = "server_error" if status >= 500 else "client_error"
    return {"type": kind, "errors": [{"code": code, "detail": str(sentence), "attr": None}]}


def error_answer(
    request: HttpRequest,
    *,
    status: int,
    code: str,
    heading: str | Promise,
    sentence: str | Promise,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return the JSON for a request to the API, and the page for any other."""
    if request.path.startswith(API):
        return error_json(request, status=status, code=code, sentence=sentence, headers=headers)
    return error_page(request, status=status, heading=heading, sentence=sentence, headers=headers)


class MethodMiddleware(MiddlewareMixin):
    """Middleware that gives a view's empty 405 a page or the API's JSON."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not isinstance(response, HttpResponseNotAllowed) or response.content:
            return response
        return error_answer(
            request,
            status=405,
            code="method_not_allowed",
            heading=_("This page cannot be opened directly"),
            sentence=_("Go back and submit the form again."),
            headers={"Allow": response["Allow"]},
        )
