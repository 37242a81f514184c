"""Client address of a request, for limits and counts.

``TRUSTED_PROXIES`` is the number of proxies in front that append to ``X-Forwarded-For``.
With none the header is ignored: a client can write anything into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings

if TYPE_CHECKING:
    from rest_framework.request import Request

# The smallest part of IPv6 that a provider gives to one customer (RFC 6177, 2).
IPV6_PREFIX_BITS = 64
# A header with more hops is read only from its end.
MAX_FORWARDED_LENGTH = 1000


class HasMeta(Protocol):
    """Request of Django, or of Django REST framework around it."""

    META: dict[str, Any]


def client_address(source: HasMeta | Mapping[str, Any]) -> str:
    """Return the client's IP address; empty if the server does not know it (a Unix socket).

    ``source`` is a Django request or an ASGI scope of HTTP or a WebSocket.  Behind
    ``TRUSTED_PROXIES`` = n proxies it is the n-th address from the end of
    ``X-Forwarded-For``: the one that the outermost trusted proxy saw.
    """
    if isinstance(source, Mapping):
        peer = str((source.get("client") or ("",))[0])
        values = [value for name, value in source["headers"] if name == b"x-forwarded-for"]
        forwarded = b",".join(values).decode("latin-1")
    else:
        peer = str(source.META.get("REMOTE_ADDR") or "")
        forwarded = str(source.META.get("HTTP_X_FORWARDED_FOR", ""))
    if settings.TRUSTED_PROXIES > 0 and forwarded:
        hops = forwarded[-MAX_FORWARDED_LENGTH:].split(",")
        seen = _parsed(hops[-min(settings.TRUSTED_PROXIES, len(hops))].strip())
        if seen:
            return str(seen)
    parsed = _parsed(peer)
    return str(parsed) if parsed else peer


def client_network(source: HasMeta | Mapping[str, Any]) -> str:
    """Return the network of a request's or scope's client, as :func:`network_of` does."""
    return network_of(client_address(source))


def requester_key(request: Request) -> str:
    """Return the key of a requester for limits and counts: ``user-…``, or ``address-…`` if anonymous."""
    if request.user and request.user.is_authenticated:
        return f"user-{request.user.pk}"
    return f"address-{client_network(request)}"


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return the unit by which limits count ``address``: the IPv4 address, or the /64 network of IPv6."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed), IPV6_PREFIX_BITS), strict=False))
    return str(parsed) if parsed else address


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address as proxies write it: with a port or in brackets too; IPv4 inside IPv6 is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
