"""The upload of a file over a line with delay and loss: by four parts at a time, and by as many as pay.

.venv/bin/python -m benchmarks.lanes [MIB]

A Chromium sends MIB mebibytes (default: 96) to a storage on this machine, behind a line
of 20 Mb/s on which a connection carries 1.4 Mb/s, as TCP does at 100 ms and 1 % loss
(M. Mathis et al., 1997).  The line is a program that reads no faster, so it needs no
rights, and it has no bursts.  Last comes a line without loss, which one connection fills.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks import harness
from videoplatform.testing.browser import find_browser

MIB = 1024**2
PART_BYTES = 2 * MIB
LINE_BPS = 20_000_000
RTT_S, SEGMENT_BYTES, LOSS = 0.1, 1460, 0.01
LOSSY_BPS = 1.22 * SEGMENT_BYTES * 8 / (RTT_S * LOSS**0.5)
TICK_S = 0.02
MAX_HEAD_BYTES = 64 * 1024

PAGE = """<!doctype html><script type="importmap">{"imports": {
  "#upload/multipart": "/js/upload/multipart.js", "#upload/lane-count": "/js/upload/lane-count.js",
  "#lib/backoff": "/js/lib/backoff.js"}}</script>"""
UPLOAD = """async ([target, bytes, partSize, fixed]) => {
  const { MultipartUpload, putPart } = await import("#upload/multipart");
  const lanes = fixed ? { lanes: { count: fixed, begin() {}, stored() {}, shrink() {} } } : {};
  const url = (number) => ({ number, url: `${target}/${number}` });
  const upload = new MultipartUpload({
    file: new Blob([new Uint8Array(bytes)]), partSize, partCount: Math.ceil(bytes / partSize),
    sign: async (numbers) => numbers.map(url), put: putPart, ...lanes,
  });
  const began = performance.now();
  await upload.run();
  return [(performance.now() - began) / 1000, upload.lanes.count];
}"""


@dataclass
class NarrowLine:
    """A line of ``line_bps`` on which one connection carries ``connection_bps``, and a storage behind it."""

    line_bps: float
    connection_bps: float
    left: float = 0.0
    port: int = 0

    async def refill(self) -> None:
        """Let the line carry its bytes, tick by tick; unused ones are lost."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            self.left = self.line_bps / 8 * (now - before)
            before = now

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection: a page, a script, or the part of an upload."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path, _version = head.split("\r\n", 1)[0].split(" ")
                await asyncio.sleep(RTT_S)
                if method == "PUT":
                    await self.receive(reader, _length(head))
                    await _answer(writer, b"", 'ETag: "part"')
                elif path.startswith("/js/"):
                    script = (harness.BASE_DIR / "static" / path[1:]).read_bytes()
                    await _answer(writer, script, "Content-Type: text/javascript")
                else:
                    await _answer(writer, PAGE.encode(), "Content-Type: text/html")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def receive(self, reader: asyncio.StreamReader, length: int) -> None:
        before = time.monotonic()
        while length > 0:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            share = int(min(self.connection_bps / 8 * (now - before), self.left, length))
            before = now
            self.left -= share
            if share:
                await reader.readexactly(share)
                length -= share

    async def run(self) -> None:
        # A small buffer: bytes in it are not sent yet.
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            await asyncio.gather(server.serve_forever(), self.refill())


def _length(head: str) -> int:
    lines = (line.partition(":") for line in head.lower().split("\r\n"))
    return next((int(value) for name, _colon, value in lines if name == "content-length"), 0)


async def _answer(writer: asyncio.StreamWriter, body: bytes, *headers: str) -> None:
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""])
    writer.write(head.encode() + body)
    await writer.drain()


@contextmanager
def running(line: NarrowLine) -> Iterator[str]:
    """Yield the address behind ``line``; its thread ends with the program."""
    Thread(target=asyncio.run, args=(line.run(),), daemon=True).start()
    while not line.port:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{line.port}"


def upload(browser: Any, line: NarrowLine, size: int, fixed: int | None) -> tuple[float, int]:
    """Return the seconds of an upload by ``fixed`` lanes, or by as many as pay, and its last count."""
    with running(line) as address:
        page = browser.new_page()
        page.goto(address)
        page.set_default_timeout(0)
        seconds, lanes = page.evaluate(UPLOAD, [address, size, PART_BYTES, fixed])
        page.close()
    return float(seconds), int(lanes)


def main() -> None:
    size = int(sys.argv[1] if len(sys.argv) > 1 else 96) * MIB
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        for kind, connection_bps in (("lossy", LOSSY_BPS), ("whole", LINE_BPS)):
            fixed_s, _lanes = upload(browser, NarrowLine(LINE_BPS, connection_bps), size, 4)
            grown_s, lanes = upload(browser, NarrowLine(LINE_BPS, connection_bps), size, None)
            ratio = grown_s / fixed_s
            harness.report(
                "lanes", line=kind, four_s=fixed_s, ours_s=grown_s, ratio=ratio, lanes_at_the_end=lanes
            )
        browser.close()


if __name__ == "__main__":
    main()
