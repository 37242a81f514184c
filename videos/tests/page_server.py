"""A web server of pages and files for tests of imports."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from common.tests.servers import POLL_S


class PageServer(ThreadingHTTPServer):
    """A web server with a type and a body for each path, or an address to go on to."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), PageHandler)
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[str] = []

    def url(self, path: str) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}{path}"


class PageHandler(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if target := self.server.redirects.get(self.path):
            self.send_response(302)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        kind, body = self.server.pages.get(self.path, ("text/plain", b""))
        self.send_response(200 if self.path in self.server.pages else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 -- the name of its base class

    def log_message(self, *_args: Any) -> None:
        pass


def serving(host: str) -> Iterator[PageServer]:
    with PageServer(host) as server:
        threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()
        yield server
        server.shutdown()
