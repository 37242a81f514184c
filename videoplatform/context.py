"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, Any]:
    """The site's name, and the theme this browser chose (empty: follow the system)."""
    chosen = request.COOKIES.get("theme", "")
    return {"site_name": settings.SITE_NAME, "theme": chosen if chosen in THEMES else ""}
