"""Chat: delivery delay to 1,000 sockets, and deliveries per second, against Channels' own layers.

    .venv/bin/python -m benchmarks.chat [seconds]

The clients run in a separate process, which only reads and records the time. In a burst,
each way sends the same number of messages; the hub joins messages that wait for a socket
into one frame, and the layers cannot.

The baseline is the minimum that Channels needs, a consumer in a group, in the same uvicorn.
Its layers have a large ``capacity``, so that no message is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from benchmarks import harness

SOCKETS = 1000
PER_S = 10
FAN_OUT_SOCKETS = 500
SPEAKERS = 10
BURST = 200
# The hub, and Channels' layers, in the order of measurement.
WAYS = ("hub", "pubsub", "core")
PATIENCE_S = 120
# A large buffer is expensive for small messages: it is allocated, and mostly returned.
READ_BYTES = {True: 16 * 1024, False: 1024 * 1024}
MARK = b'"type":"message"'
SAID = re.compile(rb'"text":"(\d+)"')
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def baseline(layer: str) -> Any:
    """Return a consumer in a group of ``layer`` ("core" or "pubsub"), which repeats all messages."""
    import channels.layers
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels_redis.core import RedisChannelLayer
    from channels_redis.pubsub import RedisPubSubChannelLayer
    from django.conf import settings

    kind = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}[layer]
    shared = kind(hosts=[settings.REDIS_URL], prefix=layer, capacity=10_000)

    class Baseline(AsyncWebsocketConsumer):
        channel_layer_alias = layer

        async def connect(self) -> None:
            await self.channel_layer.group_add("room", self.channel_name)
            await self.accept()

        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.channel_layer.group_send("room", {"type": "post", "text": text_data})

        async def post(self, event: dict[str, str]) -> None:
            await self.send(text_data=event["text"])

    channels.layers.channel_layers.set(layer, shared)
    return Baseline


def make_application() -> Any:
    """Return the application for uvicorn's ``--factory``."""
    from channels.routing import URLRouter
    from django.urls import path, re_path

    from videoplatform.asgi import application  # sets Django up

    routes = [path(f"baseline/{layer}/", baseline(layer).as_asgi()) for layer in ("core", "pubsub")]
    router = URLRouter([*routes, re_path("", application)])

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await (router if scope["type"] == "websocket" else application)(scope, receive, send)

    return serve


@contextlib.contextmanager
def server(on: harness.Platform) -> Iterator[tuple[str, int]]:
    """Run another web process of ``on``, with the baseline beside the chat; yield its address and pid."""
    port = str(harness.free_port())
    argv = [
        sys.executable, "-m", "uvicorn", "benchmarks.chat:make_application", "--factory", "--port", port,
        "--lifespan", "off", "--ws-per-message-deflate", "false", "--no-access-log",
        "--log-level", "critical",
    ]  # fmt: skip
    environment = os.environ | {"DATA_DIR": str(on.data_dir), "RATE_LIMITS": "0"}
    with subprocess.Popen(argv, cwd=harness.BASE_DIR, env=environment) as process:
        try:
            wait_until_open(int(port))
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def listen(url: str, sockets: int, messages: int, keeps_times: bool) -> None:
    """Open ``sockets`` sockets, print "ready", and read until each has ``messages`` or no more arrive."""
    to = urlsplit(url)
    readers = [open_socket(to.hostname or "", to.port or 0, to.path) for _ in range(sockets)]
    print("ready", flush=True)
    found = read_all(readers, messages, keeps_times)
    print(json.dumps(found), flush=True)


def open_socket(host: str, port: int, path: str) -> socket.socket:
    opened = socket.create_connection((host, port), 30)
    opened.sendall(HANDSHAKE.format(path=path, host=f"{host}:{port}").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += opened.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    opened.setblocking(False)
    return opened


def read_all(readers: list[socket.socket], messages: int, keeps_times: bool) -> dict[str, Any]:
    poll = select.epoll()
    by_fd = {reader.fileno(): reader for reader in readers}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    counts = dict.fromkeys(by_fd, 0)
    tails = dict.fromkeys(by_fd, b"")
    late_ms: list[float] = []
    disordered = 0
    last: dict[int, int] = dict.fromkeys(by_fd, 0)
    wanted, received, last_at = messages * len(readers), 0, time.monotonic()
    while received < wanted and (ready := poll.poll(PATIENCE_S if not received else 10)):
        # These frames have arrived by now; the time to read them is not the server's.
        now = time.monotonic_ns()
        for fd, _ in ready:
            fresh = by_fd[fd].recv(READ_BYTES[keeps_times])
            if not fresh:
                poll.unregister(fd)  # the server has closed the socket
                continue
            data = tails[fd] + fresh
            if keeps_times:
                end = 0
                for match in SAID.finditer(data):
                    sent_ns = int(match[1])
                    late_ms.append((now - sent_ns) / 1e6)
                    disordered += sent_ns < last[fd]
                    last[fd], end = sent_ns, match.end()
                    received += 1
                tails[fd] = data[end:][-2000:]
            else:
                count = data.count(MARK)
                counts[fd] += count
                received += count
                tails[fd] = data[-(len(MARK) - 1) :]
        last_at = time.monotonic()
    return {"received": received, "last_at": last_at, "late_ms": late_ms, "disordered": disordered}


@contextlib.contextmanager
def listening(url: str, sockets: int, messages: int, *, keeps_times: bool) -> Iterator[Any]:
    """Start connected clients; yield a function that waits for them and returns their results."""
    argv = [sys.executable, "-m", "benchmarks.chat", "listen", url]
    argv += [str(sockets), str(messages), str(int(keeps_times))]
    with subprocess.Popen(argv, cwd=harness.BASE_DIR, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the clients did not connect")
        output = process.stdout
        yield lambda: json.loads(output.readline())


@contextlib.asynccontextmanager
async def speaking(url: str) -> AsyncIterator[ClientConnection]:
    """Yield a socket for sending, which discards received frames cheaply."""
    async with connect(url, compression=None, ping_interval=None, max_size=None) as client:

        async def ignore() -> None:
            async for _ in client:
                pass

        ears = asyncio.create_task(ignore())
        yield client
        ears.cancel()


def frame(text: str) -> str:
    return json.dumps({"type": "say", "text": text}, separators=(",", ":"))


async def speak_steadily(url: str, seconds: int, result: Any) -> Any:
    """Send ``PER_S`` messages a second; return the listeners' results, staying connected until then."""
    async with speaking(url) as client:
        began = time.monotonic()
        for number in range(seconds * PER_S):
            await asyncio.sleep(max(0, began + number / PER_S - time.monotonic()))
            await client.send(frame(str(time.monotonic_ns())))
        return await asyncio.to_thread(result)


async def speak_at_once(urls: list[str], messages: int, text: str, result: Any) -> tuple[float, Any]:
    """Send ``messages`` through all ``urls``; return the start time and the listeners' results."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(speaking(url)) for url in urls]
        began = time.monotonic()
        for _ in range(messages // len(clients)):
            for client in clients:
                await client.send(text)
        return began, await asyncio.to_thread(result)


def channel_of(on: harness.Platform, token: str) -> str:
    name: str = on.api(token).get("accounts/me/").json()["username"]
    on.api(token).get(f"live/{name}/").raise_for_status()
    return name


def ticket_of(on: harness.Platform, token: str, name: str) -> str:
    answer = on.api(token).post(f"live/{name}/chat/ticket/")
    answer.raise_for_status()
    return str(answer.json()["ticket"])


def path_of(way: str, name: str) -> str:
    return f"/ws/live/{name}/chat/" if way == "hub" else f"/baseline/{way}/"


def query_of(way: str, on: harness.Platform, token: str, name: str) -> str:
    return f"?ticket={ticket_of(on, token, name)}" if way == "hub" else ""


def steady(on: harness.Platform, seconds: int, way: str) -> None:
    """Measure 1,000 sockets of one uvicorn process, with ten messages a second."""
    token = harness.register(on)
    name = channel_of(on, token)
    with server(on) as (address, web):
        url = address + path_of(way, name)
        with listening(url, SOCKETS, seconds * PER_S, keeps_times=True) as result:
            began, before = time.monotonic(), cpu_s(web)
            speech = url.replace("http", "ws") + query_of(way, on, token, name)
            found = asyncio.run(speak_steadily(speech, seconds, result))
            used = (cpu_s(web) - before) / (time.monotonic() - began)
        late = statistics.quantiles(found["late_ms"], n=100)
        harness.report(
            f"1000_sockets_10_messages_a_second_{way}",
            lost=SOCKETS * seconds * PER_S - found["received"],
            disordered=found["disordered"],
            p50_ms=late[49],
            p95_ms=late[94],
            p99_ms=late[98],
            max_ms=max(found["late_ms"]),
            web_percent_of_a_core=100 * used,
            web_memory_mb=memory_mb(web),
        )


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def fan_out(on: harness.Platform) -> None:
    """Measure the deliveries per second of a burst of 200 messages to 500 sockets."""
    token = harness.register(on)
    name = channel_of(on, token)
    rates = {}
    with server(on) as (address, _):
        for way in WAYS:
            url = address + path_of(way, name)
            text = frame("x" * 40) if way == "hub" else '{"type":"message","text":"' + "x" * 200 + '"}'
            with listening(url, FAN_OUT_SOCKETS, BURST, keeps_times=False) as result:
                urls = [url.replace("http", "ws") + query_of(way, on, token, name) for _ in range(SPEAKERS)]
                began, found = asyncio.run(speak_at_once(urls, BURST, text, result))
            rates[way] = found["received"] / (found["last_at"] - began)
            harness.report(
                f"fan_out_{way}",
                sockets=FAN_OUT_SOCKETS,
                messages=BURST,
                lost=FAN_OUT_SOCKETS * BURST - found["received"],
                deliveries_per_s=round(rates[way]),
            )
    for way in WAYS[1:]:
        harness.report(f"fan_out_hub_over_{way}", times=rates["hub"] / rates[way])


def main() -> None:
    if sys.argv[1:2] == ["listen"]:
        url, sockets, messages, keeps_times = sys.argv[2:]
        listen(url, int(sockets), int(messages), bool(int(keeps_times)))
        return
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with harness.platform() as on:
        for way in WAYS:
            steady(on, seconds, way)
        fan_out(on)


if __name__ == "__main__":
    main()
