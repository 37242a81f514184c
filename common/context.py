"""Context processor of all templates."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the site's name, and this browser's theme (empty: the system's)."""
    chosen = request.COOKIES.get("theme", "")
    return {"site_name": settings.SITE_NAME, "theme": chosen if chosen in THEMES else ""}
