"""Chat between real servers: two web processes on one Redis, under uvicorn and under daphne."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from accounts.models import User
from accounts.tests.factories import UserFactory
from live.chat import store, tickets
from live.models import ChatMessage, Stream
from live.tests.chat_clients import PATIENCE_S, path_of, ticket_for
from live.tests.factories import StreamFactory
from videos.tests.processes import Process, kill, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis, pytest.mark.slow]

START_TIMEOUT_S = 60
APPLICATION = "videoplatform.asgi:application"
COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "uvicorn": lambda port: [
        "uvicorn", APPLICATION, "--port", port, "--lifespan", "off", "--ws-per-message-deflate", "false",
    ],
    "daphne": lambda port: ["daphne", "-p", port, APPLICATION],
}  # fmt: skip


@dataclass(slots=True)
class Server:
    address: str
    process: Process


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(params=["uvicorn", "daphne"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Server]]:
    """Two web processes on this test's database and Redis."""
    ports = [free_port(), free_port()]
    started = [
        Server(
            f"127.0.0.1:{port}",
            start(
                COMMANDS[request.param](port),
                "media",
                tmp_path,
                DJANGO_SETTINGS_MODULE="videoplatform.settings",
            ),
        )
        for port in ports
    ]
    for server in started:
        wait_until_it_answers(server)
    yield started
    for server in started:
        kill(server.process)


def wait_until_it_answers(server: Server) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://{server.address}/healthz", timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("the server did not start")


@asynccontextmanager
async def connected(
    server: Server, stream: Stream, ticket: str = "", **how: Any
) -> AsyncIterator[ClientConnection]:
    """A socket whose ``hello`` has been read."""
    url = f"ws://{server.address}{path_of(stream, ticket)}"
    async with connect(url, ping_interval=None, compression=None, open_timeout=PATIENCE_S, **how) as client:
        assert (await read(client))["type"] == "hello"
        yield client


async def read(client: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        frame: dict[str, Any] = json.loads(await client.recv())
        return frame


async def send(client: ClientConnection, **frame: object) -> None:
    await client.send(json.dumps(frame))


async def events_until(
    client: ClientConnection, is_last: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    """All events up to one that ``is_last``; nothing may have been left out."""
    events: list[dict[str, Any]] = []
    while not events or not is_last(events[-1]):
        frame = await read(client)
        assert (frame["type"], frame.get("skipped")) == ("tick", None), frame
        events += frame["events"]
    return events


async def hears(client: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        for event in (await read(client)).get("events", []):
            if event["type"] == kind:
                return dict(event)


async def close_code(client: ClientConnection) -> int | None:
    async with asyncio.timeout(PATIENCE_S):
        with suppress(ConnectionClosed):
            while True:
                await client.recv()
    return client.close_code


@sync_to_async
def tickets_for(stream: Stream, count: int) -> list[str]:
    return [tickets.issue(stream, UserFactory())[0] for _ in range(count)]


@pytest.fixture
def stream() -> Stream:
    made: Stream = StreamFactory()
    return made


@pytest.fixture
def alice() -> User:
    return UserFactory(username="alice")


async def test_a_burst_of_400_messages_reaches_200_sockets_in_order(
    servers: list[Server], stream: Stream
) -> None:
    speakers = await tickets_for(stream, 20)
    async with AsyncExitStack() as stack:

        async def join(number: int, ticket: str = "") -> ClientConnection:
            return await stack.enter_async_context(connected(servers[number % 2], stream, ticket))

        speaking = [await join(number, ticket) for number, ticket in enumerate(speakers)]
        reading = [await join(number) for number in range(180)]

        async def speak(client: ClientConnection, number: int) -> None:
            for turn in range(20):
                await send(client, type="say", text=f"{number}: {turn}", nonce=f"{number}-{turn}")

        async def hear(client: ClientConnection) -> list[tuple[int, str]]:
            heard: list[tuple[int, str]] = []
            while len(heard) < 400:
                frame = await read(client)
                assert (frame["type"], frame.get("skipped")) == ("tick", None), frame
                heard += [(event["seq"], event["text"]) for event in frame["events"]]
            return heard

        heard, *_ = await asyncio.gather(
            asyncio.gather(*map(hear, [*speaking, *reading])),
            *(speak(client, number) for number, client in enumerate(speaking)),
        )

    assert all(one == heard[0] for one in heard)
    first = heard[0][0][0]
    assert [seq for seq, _ in heard[0]] == list(range(first, first + 400))
    for number in range(20):
        own = [text for _, text in heard[0] if text.startswith(f"{number}: ")]
        assert own == [f"{number}: {turn}" for turn in range(20)]
    await sync_to_async(store.store_chat)()
    assert [row async for row in ChatMessage.objects.order_by("seq").values_list("seq", "text")] == heard[0]


async def test_the_rate_limit_holds_across_processes(
    servers: list[Server], stream: Stream, alice: User
) -> None:
    ticket = await ticket_for(stream, alice)
    async with connected(servers[0], stream, ticket) as one, connected(servers[1], stream, ticket) as other:
        for number in range(10):
            for client in (one, other):
                await send(client, type="say", text=f"{number}")
                await hears(client, "message")
        await send(other, type="say", text="21st")
        while (frame := await read(other))["type"] == "tick":
            pass

        assert (frame["type"], frame["code"]) == ("error", "rate_limited")


async def test_what_moderators_do_holds_in_every_process_and_after_a_restart(
    servers: list[Server], stream: Stream, alice: User
) -> None:
    bob = await sync_to_async(UserFactory)(username="bob")
    owner_ticket = await ticket_for(stream, stream.channel.owner)
    alices, bobs = await ticket_for(stream, alice), await ticket_for(stream, bob)
    async with (
        connected(servers[0], stream, owner_ticket) as owner,
        connected(servers[1], stream, alices) as speaker,
        connected(servers[1], stream, bobs) as spammer,
        connected(servers[1], stream) as reader,
    ):
        await send(speaker, type="say", text="regrettable")
        said = await hears(owner, "message")
        await send(owner, type="delete", id=said["id"])
        assert await hears(reader, "message_deleted") == {"type": "message_deleted", "id": said["id"]}
        await send(owner, type="timeout", username="alice", seconds=600)
        assert await hears(reader, "user_cleared") == {"type": "user_cleared", "username": "alice"}
        await send(speaker, type="say", text="but")
        while (frame := await read(speaker))["type"] == "tick":
            pass
        assert frame["code"] == "timed_out"
        await send(owner, type="mode", slow_s=7)
        assert (await hears(reader, "mode"))["slow_s"] == 7
        await send(owner, type="ban", username="bob")
        assert await close_code(spammer) == 4003

    async with connected(servers[0], stream, alices) as speaker:
        await send(speaker, type="say", text="but")
        assert (await read(speaker))["code"] == "timed_out"
    async with connect(f"ws://{servers[0].address}{path_of(stream, bobs)}") as spammer:
        assert await close_code(spammer) == 4003
    async with connect(f"ws://{servers[1].address}{path_of(stream)}") as late:
        hello = await read(late)
        assert (hello["history"], hello["mode"]["slow_s"]) == ([], 7)


async def test_close_codes_reach_a_client(servers: list[Server], stream: Stream) -> None:
    address = f"ws://{servers[0].address}/ws/live"
    for path, code in {
        "nobody/chat/": 4004,
        "a%00b/chat/": 4004,
        f"{stream.username}/chat/?ticket=x": 4001,
    }.items():
        async with connect(f"{address}/{path}") as client:
            assert await close_code(client) == code


async def test_a_server_that_ends_says_so(servers: list[Server], stream: Stream) -> None:
    async with connected(servers[0], stream) as client:
        servers[0].process.send_signal(signal.SIGTERM)

        assert await close_code(client) == 1012


async def test_a_killed_process_loses_nothing_that_was_said(
    servers: list[Server], stream: Stream, alice: User
) -> None:
    ticket = await ticket_for(stream, alice)
    async with connected(servers[1], stream) as reader:
        async with connected(servers[0], stream, ticket) as speaker:
            for number in range(5):
                await send(speaker, type="say", text=f"{number}")
            events = await events_until(speaker, lambda event: event["text"] == "4")
            await sync_to_async(kill)(servers[0].process)
        heard = await events_until(reader, lambda event: event["text"] == "4")
        async with connected(servers[1], stream) as back:
            await send(back, type="resume", after=events[0]["seq"])
            assert (await read(back))["events"] == events[1:]

    assert heard == events
    await sync_to_async(store.store_chat)()
    assert [
        text async for text in ChatMessage.objects.order_by("seq").values_list("text", flat=True)
    ] == list("01234")


async def test_who_never_reads_is_ended_and_nobody_waits(servers: list[Server], stream: Stream) -> None:
    """One client stops reading in a flood that moderators make: they are never left out, so it fills up."""
    moderators = [await sync_to_async(UserFactory)(is_superuser=True) for _ in range(3)]
    keys = [await ticket_for(stream, moderator) for moderator in moderators]
    reader, writer = await asyncio.open_connection(*servers[0].address.split(":"), limit=1024)
    # As little as the kernel allows waits on our side.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.write(
        f"GET {path_of(stream)} HTTP/1.1\r\nHost: {servers[0].address}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    async with AsyncExitStack() as stack:
        speaking = [await stack.enter_async_context(connected(servers[0], stream, key)) for key in keys]
        assert len(speaking) == 3
