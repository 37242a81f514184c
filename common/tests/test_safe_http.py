"""Requests to addresses that strangers name."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any

import pytest

from common import safe_http
from common.safe_http import FetchError, fetch, is_public, parse
from common.tests.servers import POLL_S

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 -- nothing listens
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a01:203", False),
        ("2002:7f00:1::", False),
        ("2001:0:53aa:64c:0:fffe:80ff:fffe", False),
    ],
)
def test_only_addresses_of_the_public_internet_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a", "file:///etc/passwd", "gopher://example.org/", "//example.org/", "example.org",
        "http://", "http://user:word@example.org/", "http://user@example.org/", "http://example.org:25/",
        "http://example.org:70000/", "http://exa mple.org/", "http://example.org/a\r\nHost: x", "http://[::1",
        "http://example.org\\@127.0.0.1/", "http://" + "a" * 3000,
    ],
)  # fmt: skip
def test_url_that_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(FetchError) as refused:
        parse(url)

    assert refused.value.is_final


def test_url_is_taken_apart() -> None:
    assert parse("https://例子.测试:8443/a?b=c#d") == safe_http.Origin(
        "https", "xn--fsqu00a.xn--0zwm56d", 8443, "/a?b=c"
    )


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/影片/été.mp4?名=值", "/%E5%BD%B1%E7%89%87/%C3%A9t%C3%A9.mp4?%E5%90%8D=%E5%80%BC"),
        ("/a%20b/(1)~c.mp4?x=%2F&y=1+2?", "/a%20b/(1)~c.mp4?x=%2F&y=1+2?"),
    ],
)
def test_letters_outside_ascii_are_sent_in_percents(path: str, sent: str) -> None:
    assert parse(f"https://example.org{path}").path == sent


def test_letters_that_no_encoding_has_are_no_url() -> None:
    with pytest.raises(FetchError):
        parse("https://example.org/\ud800")


class Server(ThreadingHTTPServer):
    """A web server whose answers are functions by path."""

    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]]
    asked: list[tuple[str, str]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Host"]))
        self.server.answers[self.path](self)

    def log_message(self, *_args: Any) -> None:
        pass


def sends(body: bytes, *, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.asked = {}, []
    threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def body_of(url: str, **more: Any) -> bytes:
    with fetch(url, timeout_s=10, **{"allowed": LOOPBACK} | more) as download:
        return b"".join(download.pieces(1000))


def test_body_is_read_through_redirects(server: Server) -> None:
    server.answers = {
        "/a": sends(b"", status=302, Location="/b"),
        "/b": sends(b"x" * 5000, Content_Length="5000"),
    }

    assert body_of(f"{server.url}/a") == b"x" * 5000
    assert [path for path, _host in server.asked] == ["/a", "/b"]


def test_redirect_to_an_address_in_raw_utf8_is_followed(server: Server) -> None:
    raw = "/影片".encode().decode("latin-1")
    path = "/%E5%BD%B1%E7%89%87"
    server.answers = {"/a": sends(b"", status=302, Location=raw), path: sends(b"ok")}

    assert body_of(f"{server.url}/a") == b"ok"


def test_private_host_is_refused_before_any_connection(server: Server) -> None:
    with pytest.raises(FetchError, match="not public"):
        body_of(f"{server.url}/a", allowed=[])

    assert server.asked == []


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "http://[::1]/", "file:///etc/passwd"])
def test_redirect_to_a_private_host_or_scheme_is_refused(server: Server, target: str) -> None:
    server.answers = {"/a": sends(b"", status=302, Location=target)}

    with pytest.raises(FetchError) as refused:
        body_of(f"{server.url}/a")

    assert refused.value.is_final


def test_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_args: Any, **_more: Any) -> Any:
        return [(2, 1, 6, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    with pytest.raises(FetchError, match="not public"):
        body_of("http://rebinding.example/", allowed=[])


def test_connection_goes_to_the_checked_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to another address at the second question gains nothing."""
    answers = iter(["127.0.0.1"])
    resolve = socket.getaddrinfo

    def resolve_once(host: str, port: int, *args: Any, **more: Any) -> Any:
        if host == "moving.example":
            return [(2, 1, 6, "", (next(answers), port))]
        return resolve(host, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_once)
    server.answers = {"/": sends(b"ok", Content_Length="2")}
    port = server.server_address[1]

    assert body_of(f"http://moving.example:{port}/") == b"ok"
    assert server.asked == [("/", f"moving.example:{port}")]


def test_endless_redirects_end(server: Server) -> None:
    server.answers = {"/a": sends(b"", status=302, Location="/a")}

    with pytest.raises(FetchError, match="too many"):
        body_of(f"{server.url}/a")

    assert len(server.asked) == safe_http.MAX_REDIRECTS + 1


@pytest.mark.parametrize(("status", "is_final"), [(404, True), (403, True), (500, False), (503, False)])
def test_refusal_of_the_server_is_final_unless_it_is_its_fault(
    server: Server, status: int, is_final: bool
) -> None:
    server.answers = {"/a": sends(b"", status=status)}

    with pytest.raises(FetchError) as failed:
        body_of(f"{server.url}/a")

    assert failed.value.is_final is is_final


def test_file_that_ends_early_is_no_file(server: Server) -> None:
    server.answers = {"/a": sends(b"x" * 10, Content_Length="5000")}

    with pytest.raises(FetchError, match="ended"):
        body_of(f"{server.url}/a")


def test_slow_server_and_long_fetch_are_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = {"/a": sends(b"x" * 10, Content_Length="10")}
    monkeypatch.setattr(safe_http, "GRACE_S", -1.0)
    monkeypatch.setattr(safe_http, "SLOWEST_BYTES_PER_S", 10**15)

    with pytest.raises(FetchError, match="too slow"):
        body_of(f"{server.url}/a")
    with (
        pytest.raises(FetchError, match="too long"),
        fetch(f"{server.url}/a", timeout_s=-1, allowed=LOOPBACK) as slow,
    ):
        list(slow.pieces(10))


def trickles(*pieces: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return an answer that is sent piece by piece, as it stands."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        with suppress(OSError):
            for piece in pieces:
                handler.wfile.write(piece)
                sleep(0.1)

    return answer


def test_pieces_are_given_as_they_arrive(server: Server) -> None:
    server.answers = {"/a": trickles(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", *[b"x"] * 5)}

    with fetch(f"{server.url}/a", timeout_s=10, allowed=LOOPBACK) as download:
        pieces = list(download.pieces(1000))

    assert len(pieces) > 1
    assert b"".join(pieces) == b"xxxxx"


def test_file_on_a_connection_that_stays_open_ends_with_its_length(server: Server) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    server.answers = {"/a": trickles(answer, *[b""] * 30, b"more")}

    assert body_of(f"{server.url}/a") == b"ok"


@pytest.mark.parametrize(
    "lines",
    [
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 40,
        [b"HTTP/1.1 200 OK\r\n", *[b"X-More: 1\r\n"] * 40],
    ],
    ids=["continues", "headers"],
)
def test_answer_that_does_not_begin_in_time_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch, lines: list[bytes]
) -> None:
    monkeypatch.setattr(safe_http, "HEAD_TIMEOUT_S", 0.5)
    monkeypatch.setattr(safe_http, "CHECKED_EVERY_S", 0.05)
    end = b"HTTP/1.1 200 OK\r\n\r\n" if b"100" in lines[0] else b"\r\n"
    server.answers = {"/a": trickles(*lines, end)}

    with pytest.raises(FetchError, match="no answer") as failed:
        body_of(f"{server.url}/a")

    assert not failed.value.is_final


def test_line_between_chunks_that_does_not_end_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_http, "READ_TIMEOUT_S", 0.5)
    monkeypatch.setattr(safe_http, "CHECKED_EVERY_S", 0.05)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0;"
    server.answers = {"/a": trickles(head, *[b"x"] * 40, b"\r\n\r\n")}

    with pytest.raises(FetchError, match="too slow"):
        body_of(f"{server.url}/a")
