"""Readers of byte ranges, from disk and over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from common.tests.servers import POLL_S
from videos.transcoding import byteranges
from videos.transcoding.byteranges import is_remote, range_reader
from videos.transcoding.errors import StorageFailed

DATA = bytes(range(100))


class RangeStorage(HTTPServer):
    """A storage of one object, ``/object``, that keeps the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.requests: list[tuple[str, str | None]] = []
        self.status = 206

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/object"


class _Answering(BaseHTTPRequestHandler):
    server: RangeStorage

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.requests.append((self.path, asked))
        first, _, last = asked.removeprefix("bytes=").partition("-")
        found = DATA[int(first) : int(last) + 1]
        status = self.server.status if found else 416
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def remote() -> Iterator[RangeStorage]:
    with RangeStorage() as server:
        thread = threading.Thread(target=server.serve_forever, args=(POLL_S,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://s3/a", True),
        ("https://s3/a", True),
        ("/data/a.mp4", False),
        ("httpd.mp4", False),
        ("ftp://a", False),
        ("file:///a", False),
    ],
)
def test_only_http_addresses_are_remote(url: str, expected: bool) -> None:
    assert is_remote(url) is expected


@pytest.mark.parametrize(
    ("start", "length", "found"),
    [(0, 4, DATA[:4]), (90, 5, DATA[90:95]), (95, 20, DATA[95:]), (100, 4, b""), (500, 1, b"")],
    ids=["beginning", "middle", "over the end", "at the end", "behind the end"],
)
def test_range_is_read_up_to_the_end(
    start: int, length: int, found: bytes, remote: RangeStorage, tmp_path: Path
) -> None:
    path = tmp_path / "object"
    path.write_bytes(DATA)

    assert range_reader(str(path))(start, length) == found
    assert range_reader(remote.url)(start, length) == found


def test_signature_in_the_address_is_sent_and_one_range_is_requested(remote: RangeStorage) -> None:
    range_reader(f"{remote.url}?X-Amz-Signature=f00")(10, 5)

    assert remote.requests == [("/object?X-Amz-Signature=f00", "bytes=10-14")]


@pytest.mark.parametrize("status", [200, 302, 403, 404, 500, 503])
def test_other_answer_than_a_part_is_a_failure(status: int, remote: RangeStorage) -> None:
    remote.status = status

    with pytest.raises(StorageFailed, match=str(status)):
        range_reader(remote.url)(0, 4)
    assert len(remote.requests) == 1


def test_storage_that_is_away_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(StorageFailed, match="ConnectionRefusedError"):
        range_reader(f"http://127.0.0.1:{port}/")(0, 4)


def test_storage_that_does_not_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byteranges, "_TIMEOUT_S", 0.1)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:
        reader = range_reader(f"http://127.0.0.1:{silent.server_port}/")

        with pytest.raises(StorageFailed, match="TimeoutError"):
            reader(0, 4)


def test_missing_file_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="not readable"):
        range_reader(str(tmp_path / "missing"))(0, 4)
