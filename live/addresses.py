"""Where encoders send to."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings


def ingest_url(requested_host: str = "") -> str:
    """``RTMP_PUBLIC_URL``, or the host under which we were asked with RTMP's port.

    ``requested_host`` is as in the Host header; empty means the host that RTMP listens on.
    """
    if settings.RTMP_PUBLIC_URL:
        return str(settings.RTMP_PUBLIC_URL).rstrip("/")
    host = urlsplit(f"//{requested_host or settings.RTMP_HOST}").hostname or "127.0.0.1"
    if host in {"0.0.0.0", "::"}:  # noqa: S104 -- compared, not bound
        host = "127.0.0.1"
    return f"rtmp://{f'[{host}]' if ':' in host else host}:{settings.RTMP_PORT}/live"
