"""Address of the site, for links in mail and from workers, which have no request.

A client can write any ``Host`` into a request.  Django checks it against
``ALLOWED_HOSTS``; if that has a wildcard, a link made from it may lead anywhere.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.http import HttpRequest


def site_url(request: HttpRequest | None = None) -> str:
    """Return scheme and host of the site, without a slash at the end.

    ``PUBLIC_URL`` decides.  Without it: the request's host, if ``ALLOWED_HOSTS`` has
    exact names only, else the first exact name of ``ALLOWED_HOSTS``.
    """
    if settings.PUBLIC_URL:
        return str(settings.PUBLIC_URL).rstrip("/")
    exact = [host for host in settings.ALLOWED_HOSTS if "*" not in host and not host.startswith(".")]
    if request is not None and len(exact) == len(settings.ALLOWED_HOSTS):
        return f"{request.scheme}://{request.get_host()}"
    host = exact[0] if exact else "localhost"
    return f"https://{host}" if settings.HTTPS else f"http://{host}:{settings.PORT}"


def on_site(url: str, request: HttpRequest | None = None) -> str:
    """Return ``url``, a path or a whole URL, with the scheme and the host of the site."""
    at, there = urlsplit(site_url(request)), urlsplit(url)
    return urlunsplit((at.scheme, at.netloc, there.path, there.query, there.fragment))
