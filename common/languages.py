"""Language of a WebSocket's page; no middleware sets it there."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header

MAX_HEADER = 200  # characters of Accept-Language that are read


def language_of(scope: dict[str, Any]) -> str:
    """Return the language of an ASGI scope: from the cookie of the switch, or from the browser."""
    headers: dict[bytes, bytes] = dict(scope.get("headers", ()))
    for pair in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == settings.LANGUAGE_COOKIE_NAME and value in dict(settings.LANGUAGES):
            return value
    wanted = headers.get(b"accept-language", b"").decode("latin-1")[:MAX_HEADER]
    for language, _quality in parse_accept_lang_header(wanted):
        try:
            return translation.get_supported_language_variant(language)
        except LookupError:
            continue
    return str(settings.LANGUAGE_CODE)
