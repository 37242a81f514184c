"""The OpenAPI document at ``/api/schema/``, rendered once in a process for each language and format.

Rendering takes up to a second of CPU time, so a web process does it in a thread as soon
as it starts (``render_ahead``), and no request waits for it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from threading import Lock, Thread
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import translation
from django.utils.cache import get_conditional_response, patch_vary_headers
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

FRESH_S = 300
_rendering = Lock()


class SchemaView(SpectacularAPIView):
    """The document in YAML, or JSON for ``?format=json``, in the language of ``?lang=`` or of the reader."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        asked = request.GET.get("lang", "")
        language = asked if asked in dict(settings.LANGUAGES) else translation.get_language()
        renderer: Any = request.accepted_renderer
        # Simultaneous first requests wait for one rendering.
        with _rendering:
            body, etag = document(language or settings.LANGUAGE_CODE, renderer.format)
        kind = f"{renderer.media_type}; charset=utf-8"
        response = HttpResponse(body, content_type=kind, headers={"ETag": etag})
        response.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
        response.headers["Content-Disposition"] = f'inline; filename="schema.{renderer.format}"'
        patch_vary_headers(response, ["Accept", "Accept-Language", "Cookie"])
        answer = get_conditional_response(request._request, etag=etag, response=response)
        return answer if isinstance(answer, HttpResponse) else response


@lru_cache(maxsize=16)
def document(language: str, form: str) -> tuple[bytes, str]:
    """Return the document in ``language`` and its ETag; ``form`` is ``yaml`` or ``json``."""
    renderer: type[Any] = next(each for each in SchemaView.renderer_classes if each.format == form)
    with translation.override(language):
        schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        body: bytes = renderer().render(schema, renderer_context={})
    return body, f'"{sha256(body).hexdigest()[:32]}"'


def render_ahead() -> Thread:
    """Render the document in every language and format in a thread, and return the thread."""
    thread = Thread(target=_render_all, name="openapi", daemon=True)
    thread.start()
    return thread


def _render_all() -> None:
    for form in dict.fromkeys(renderer.format for renderer in SchemaView.renderer_classes):
        for language, _name in settings.LANGUAGES:
            with _rendering:
                document(language, form)
