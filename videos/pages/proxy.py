"""The network of yt-dlp: an HTTP proxy that connects to public addresses only.

Every socket of the confined program ends here (:class:`videos.transcoding.relay.Relay`),
whatever address it names, so no extractor, redirect, playlist or manifest leads past the
check: each connection is resolved, checked and pinned by :mod:`common.safe_http`, as those of
imports by address are.  TLS stays between the program and the site.
"""

from __future__ import annotations

import re
import select
import socket
import threading
from collections.abc import Iterable
from time import monotonic

from common import safe_http
from common.safe_http import FetchError, Network, Origin
from videos.transcoding.relay import Relay, read_head, status_line

SILENCE_S = 60.0  # of both sides of a connection
PUMP_BYTES = 64 * 1024
MAX_REFUSALS = 20  # kept for the log

_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (\S+) HTTP/1\.[01]\r\n")
_HOP_HEADERS = re.compile(rb"(?im)^(?:proxy-[\w-]*|connection|keep-alive):[^\n]*\n")


class GuardedProxy(Relay):
    """A proxy for one program, which receives at most ``most_bytes`` from all servers together."""

    def __init__(self, most_bytes: int, allowed: Iterable[Network] = ()) -> None:
        super().__init__()
        self.refusals: list[str] = []
        """Reasons of refused connections, oldest first."""
        self.is_exhausted = False
        self._left_bytes = most_bytes
        self._allowed = tuple(allowed)
        self._lock = threading.Lock()

    def answer(self, connection: socket.socket) -> None:
        """Connect to the server that the first request names, and pass bytes on until one side ends."""
        head = read_head(connection)
        line = _REQUEST_LINE.match(head)
        if line is None:
            connection.sendall(status_line(400))
            return
        try:
            origin = _origin(line[1], line[2].decode("latin-1"))
            address = safe_http.checked_address(origin, self._allowed)
        except FetchError as error:
            if error.is_final and len(self.refusals) < MAX_REFUSALS:
                self.refusals.append(str(error))
            connection.sendall(status_line(403 if error.is_final else 502))
            return
        try:
            server = socket.create_connection((address, origin.port), timeout=safe_http.CONNECT_TIMEOUT_S)
        except OSError:
            connection.sendall(status_line(502))
            return
        with server:
            if line[1] == b"CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(_direct(line[1], origin, head[line.end() :]))
            self._pump(connection, server)

    def _pump(self, connection: socket.socket, server: socket.socket) -> None:
        """Pass bytes on in both directions until one side ends, both are silent, or too many have come."""
        for end in (connection, server):
            end.settimeout(SILENCE_S)
        others = {connection: server, server: connection}
        heard_at = monotonic()
        while monotonic() - heard_at < SILENCE_S:
            ready, _, _ = select.select([connection, server], [], [], SILENCE_S)
            for end in ready:
                piece = end.recv(PUMP_BYTES)
                if not piece or (end is server and not self._spend(len(piece))):
                    return
                others[end].sendall(piece)
                heard_at = monotonic()

    def _spend(self, received_bytes: int) -> bool:
        with self._lock:
            self._left_bytes -= received_bytes
            self.is_exhausted |= self._left_bytes < 0
            return not self.is_exhausted


def _origin(method: bytes, target: str) -> Origin:
    """Return the server of a request to a proxy.  Raises FetchError for one that is no web server."""
    if method == b"CONNECT":
        return safe_http.parse(f"https://{target}/")
    origin = safe_http.parse(target)
    if origin.scheme != "http":
        raise FetchError("not a request to a proxy", is_final=True)
    return origin


def _direct(method: bytes, origin: Origin, rest: bytes) -> bytes:
    """Return the beginning of a request as its server gets it; ``rest`` follows the request line."""
    headers, _blank, body = rest.partition(b"\r\n\r\n")
    kept = _HOP_HEADERS.sub(b"", headers + b"\r\n")
    path = origin.path.encode("latin-1")
    return b"%s %s HTTP/1.1\r\n%sConnection: close\r\n\r\n%s" % (method, path, kept, body)
