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
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import TypeAlias
from urllib.parse import quote, urljoin, urlsplit

MAX_URL = 2000  # characters
MAX_REDIRECTS = 5
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 20.0
# A timeout of a socket begins anew with each byte, so these hold for a call as a whole.
HEAD_TIMEOUT_S = 30.0  # connection, TLS and headers of one hop
CHECKED_EVERY_S = 0.5
# Below this, on average after the first minute, a server only occupies us.
SLOWEST_BYTES_PER_S = 10_000
GRACE_S = 60.0
PORTS = {"http": 80, "https": 443}
WEB_PORTS = frozenset(PORTS.values())
FIRST_FREE_PORT = 1024  # below it are mail, databases and the like

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_UNQUOTED = "/%:@!$&'()*+,;=~-._?"  # of a path and a query; other letters are sent as UTF-8 in percents


class FetchError(Exception):
    """Failure of a request; ``is_final`` if another attempt cannot succeed.

    ``status`` is that of the server's answer, 0 without one.
    """

    def __init__(self, reason: str, *, is_final: bool = False, status: int = 0) -> None:
        super().__init__(reason)
        self.is_final = is_final
        self.status = status


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
        port = parts.port or PORTS.get(parts.scheme, 0)
        host = (parts.hostname or "").encode("idna").decode("ascii") if not _is_v6(parts.hostname) else ""
        host = host or (parts.hostname or "")
        path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_UNQUOTED)
    except (ValueError, UnicodeError):
        raise FetchError("not a URL", is_final=True) from None
    if parts.scheme not in PORTS or not host:
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


class Watch:
    """A thread that shuts a socket down at a moment, whatever call waits for bytes there.

    The end of a stream is then no end of a file: ``has_ended`` tells them apart.
    """

    def __init__(self, until: float) -> None:
        self.until = until
        self.sock: socket.socket | None = None
        self.has_ended = False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetch-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.wait(CHECKED_EVERY_S):
            if monotonic() > self.until and self.sock is not None:
                self.has_ended = True
                with suppress(OSError):
                    # That of SSLSocket forgets its TLS, under the hands of the reading thread.
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """End the thread and wait for it."""
        self._is_over.set()
        self._thread.join()


class Download:
    """The body of an answer, read in pieces within the bounds of time."""

    def __init__(self, answer: http.client.HTTPResponse, watch: Watch, deadline: float) -> None:
        self._answer, self._watch = answer, watch
        self._deadline, self._began = deadline, monotonic()
        self.read_bytes = 0
        self.content_type = answer.getheader("Content-Type", "").partition(";")[0].strip().lower()
        length = "" if answer.chunked else answer.getheader("Content-Length", "")
        self.size_bytes = (
            int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else None
        )

    def pieces(self, piece_bytes: int) -> Iterator[bytes]:
        """Yield the body as it arrives, at most ``piece_bytes`` at once.

        Raises FetchError if it stalls, ends early or takes too long.
        """
        while piece := self._piece(piece_bytes):
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

    def _piece(self, most_bytes: int) -> bytes:
        """Return the bytes of one read from the socket, or none at the end.  Raises FetchError."""
        if self.size_bytes is not None:
            # Python 3.11 would wait for more than the file, on a connection that stays open.
            most_bytes = min(most_bytes, self.size_bytes - self.read_bytes)
        # Also a read waits for more than one byte: for the lines between chunks.
        self._watch.until = min(monotonic() + READ_TIMEOUT_S, self._deadline)
        try:
            piece = self._answer.read1(most_bytes) if most_bytes else b""
        except (OSError, http.client.HTTPException) as error:
            if not self._watch.has_ended:
                raise FetchError(f"the connection ended: {type(error).__name__}") from None
            piece = b""
        self._watch.until = inf  # the pause until the next read is the caller's
        if self._watch.has_ended:
            is_late = monotonic() > self._deadline
            raise FetchError("it took too long" if is_late else "the server is too slow", is_final=is_late)
        return piece


@contextmanager
def fetch(url: str, *, timeout_s: float, allowed: Iterable[Network] = ()) -> Iterator[Download]:
    """Request ``url`` and yield its body; follow redirects.  Raises FetchError."""
    deadline = monotonic() + timeout_s
    networks = list(allowed)
    for _hop in range(MAX_REDIRECTS + 1):
        with (
            closing(Watch(monotonic() + HEAD_TIMEOUT_S)) as watch,
            closing(_connect(parse(url), networks, watch)) as connection,
            closing(_ask(connection, parse(url), watch)) as answer,
        ):
            if answer.status in {301, 302, 303, 307, 308}:
                url = _redirected(url, answer.getheader("Location", ""))
                continue
            if answer.status != 200:
                raise FetchError(
                    f"the server answers {answer.status}",
                    is_final=400 <= answer.status < 500,
                    status=answer.status,
                )
            yield Download(answer, watch, deadline)
            return
    raise FetchError("too many redirects", is_final=True)


def _redirected(url: str, location: str) -> str:
    # http.client decodes headers as Latin-1; a raw address in one is UTF-8.
    target = urljoin(url, location.encode("latin-1").decode("utf-8", "replace"))
    if not location or (url.startswith("https:") and not target.startswith("https:")):
        raise FetchError("a redirect to nowhere", is_final=True)
    return target


def _connect(origin: Origin, allowed: list[Network], watch: Watch) -> http.client.HTTPConnection:
    address = checked_address(origin, allowed)
    connection = http.client.HTTPConnection(origin.host, origin.port, timeout=READ_TIMEOUT_S)
    try:
        plain = socket.create_connection((address, origin.port), timeout=CONNECT_TIMEOUT_S)
        plain.settimeout(READ_TIMEOUT_S)
        # With a socket, the connection resolves nothing by itself.
        connection.sock = watch.sock = plain
        if origin.scheme == "https":
            context = ssl.create_default_context()
            # The plain socket is none from here on, so the handshake waits until the new one is watched.
            secured = context.wrap_socket(plain, server_hostname=origin.host, do_handshake_on_connect=False)
            connection.sock = watch.sock = secured
            secured.do_handshake()
    except OSError as error:
        connection.close()
        raise FetchError(f"no connection: {type(error).__name__}") from None
    return connection


def _ask(connection: http.client.HTTPConnection, origin: Origin, watch: Watch) -> http.client.HTTPResponse:
    headers = {"User-Agent": "Zoetrope", "Accept": "*/*", "Accept-Encoding": "identity"}
    # A second connection would not go to the checked address.
    connection.auto_open = 0
    try:
        connection.request("GET", origin.path, headers=headers)
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchError(f"no answer: {type(error).__name__}") from None
    watch.until = inf
    if watch.has_ended:
        # Headers that were cut off end like complete ones.
        answer.close()
        raise FetchError("no answer: too slow")
    return answer
