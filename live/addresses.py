"""Address of the ingest, as shown to streamers."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings


def ingest_url(requested_host: str = "") -> str:
    """Return ``RTMP_PUBLIC_URL``, or a URL of the requested host and RTMP's port.

    ``requested_host`` is a Host header; if it is empty, the host that RTMP listens on is used.
    """
    if settings.RTMP_PUBLIC_URL:
        return str(settings.RTMP_PUBLIC_URL).rstrip("/")
    host = urlsplit(f"//{requested_host or settings.RTMP_HOST}").hostname or "127.0.0.1"
    if host in {"0.0.0.0", "::"}:  # noqa: S104 -- compared, not bound
        host = "127.0.0.1"
    return f"rtmp://{f'[{host}]' if ':' in host else host}:{settings.RTMP_PORT}/live"
