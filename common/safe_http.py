"""HTTP requests to addresses that strangers name: only to public hosts, whatever a name resolves to.

A name is resolved once for each hop, every address of it must be public, and the
connection goes to the address that was checked, so that a name that changes its
address between check and connection gains nothing.  Redirects repeat all checks.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TypeAlias
from urllib.parse import quote, urljoin, urlsplit

MAX_URL = 2000  # characters
MAX_REDIRECTS = 5
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 20.0
# Below this, on average after the first minute, a server only occupies us.
SLOWEST_BYTES_PER_S = 10_000
GRACE_S = 60.0
WEB_PORTS = frozenset({80, 443})
FIRST_FREE_PORT = 1024  # below it are mail, databases and the like

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_UNQUOTED = "/%:@!$&'()*+,;=~-._?"  # of a path and a query; other letters are sent as UTF-8 in percents


class FetchError(Exception):
    """Failure of a request; ``is_final`` if another attempt cannot succeed."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Origin:
    """The host of a URL and the request to send there."""

    scheme: str
    host: str
    port: int
    path: str


def parse(url: str) -> Origin:
    """Return the parts of a http(s) URL.  Raises FetchError for all others, and for one with a password."""
    if len(url) > MAX_URL or _FORBIDDEN.search(url):
        raise FetchError("not a URL", is_final=True)
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        host = (parts.hostname or "").encode("idna").decode("ascii") if not _is_v6(parts.hostname) else ""
        host = host or (parts.hostname or "")
        path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_UNQUOTED)
    except (ValueError, UnicodeError):
        raise FetchError("not a URL", is_final=True) from None
    if parts.scheme not in {"http", "https"} or not host:
        raise FetchError("not a web address", is_final=True)
    if "@" in parts.netloc:
        raise FetchError("a URL with a password", is_final=True)
    if port not in WEB_PORTS and port < FIRST_FREE_PORT:
        raise FetchError("not a port of the web", is_final=True)
    return Origin(parts.scheme, host, port, path)


def _is_v6(host: str | None) -> bool:
    return ":" in (host or "")


def is_public(address: Address) -> bool:
    """Return whether ``address`` is of the public internet, also inside of IPv6 notations of IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        # Python 3.11 counts site-local addresses (fec0::/10) as global.
        if address.teredo or address.scope_id or address.is_site_local:
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def checked_address(origin: Origin, allowed: Iterable[Network] = ()) -> str:
    """Resolve the host and return an address to connect to.

    Every address must be public or of the networks ``allowed``.  Raises FetchError.
    """
    try:
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FetchError("the host does not exist or does not answer") from None
    addresses = [ipaddress.ip_address(str(entry[4][0])) for entry in found]
    networks = list(allowed)
    for address in addresses:
        if not is_public(address) and not any(address in network for network in networks):
            raise FetchError("the host is not public", is_final=True)
    if not addresses:
        raise FetchError("the host has no address")
    return str(addresses[0])


class Download:
    """The body of an answer, read in pieces within the bounds of time."""

    def __init__(self, answer: http.client.HTTPResponse, deadline: float) -> None:
        self._answer, self._deadline, self._began = answer, deadline, monotonic()
        self.read_bytes = 0
        length = answer.getheader("Content-Length", "")
        self.size_bytes = (
            int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else None
        )

    def pieces(self, piece_bytes: int) -> Iterator[bytes]:
        """Yield the body.  Raises FetchError if it stalls, ends early or takes too long."""
        while True:
            try:
                piece = self._answer.read(piece_bytes)
            except (OSError, http.client.HTTPException) as error:
                raise FetchError(f"the connection ended: {type(error).__name__}") from None
            if not piece:
                break
            self.read_bytes += len(piece)
            now = monotonic()
            if now > self._deadline:
                raise FetchError("it took too long", is_final=True)
            passed_s = now - self._began
            if passed_s > GRACE_S and self.read_bytes < passed_s * SLOWEST_BYTES_PER_S:
                raise FetchError("the server is too slow")
            yield piece
        if self.size_bytes is not None and self.read_bytes != self.size_bytes:
            raise FetchError("the file ended early")


@contextmanager
def fetch(url: str, *, timeout_s: float, allowed: Iterable[Network] = ()) -> Iterator[Download]:
    """Request ``url`` and yield its body; follow redirects.  Raises FetchError."""
    deadline = monotonic() + timeout_s
    networks = list(allowed)
    for _hop in range(MAX_REDIRECTS + 1):
        with (
            closing(_connect(parse(url), networks)) as connection,
            closing(_ask(connection, parse(url))) as answer,
        ):
            if answer.status in {301, 302, 303, 307, 308}:
                url = _redirected(url, answer.getheader("Location", ""))
                continue
            if answer.status != 200:
                raise FetchError(f"the server answers {answer.status}", is_final=400 <= answer.status < 500)
            yield Download(answer, deadline)
            return
    raise FetchError("too many redirects", is_final=True)


def _redirected(url: str, location: str) -> str:
    # http.client decodes headers as Latin-1; a raw address in one is UTF-8.
    target = urljoin(url, location.encode("latin-1").decode("utf-8", "replace"))
    if not location or (url.startswith("https:") and not target.startswith("https:")):
        raise FetchError("a redirect to nowhere", is_final=True)
    return target


def _connect(origin: Origin, allowed: list[Network]) -> http.client.HTTPConnection:
    address = checked_address(origin, allowed)
    connection = http.client.HTTPConnection(origin.host, origin.port, timeout=READ_TIMEOUT_S)
    try:
        plain = socket.create_connection((address, origin.port), timeout=CONNECT_TIMEOUT_S)
        plain.settimeout(READ_TIMEOUT_S)
        # With a socket, the connection resolves nothing by itself.
        connection.sock = plain
        if origin.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=origin.host)
    except OSError as error:
        connection.close()
        raise FetchError(f"no connection: {type(error).__name__}") from None
    return connection


def _ask(connection: http.client.HTTPConnection, origin: Origin) -> http.client.HTTPResponse:
    headers = {"User-Agent": "Zoetrope", "Accept": "*/*", "Accept-Encoding": "identity"}
    # A second connection would not go to the checked address.
    connection.auto_open = 0
    try:
        connection.request("GET", origin.path, headers=headers)
        return connection.getresponse()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchError(f"no answer: {type(error).__name__}") from None
