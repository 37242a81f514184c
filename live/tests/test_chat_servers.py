"""Tests of chat between real servers: two web processes on one Redis, under uvicorn and daphne."""

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
from live.chat import log, store, tickets
from live.chat.client import UNREAD_FOR_S
from live.models import ChatMessage, Stream
from live.tests.chat_clients import PATIENCE_S, path_of, ticket_for
from live.tests.factories import StreamFactory
from videos.tests.processes import Process, kill, start

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.any_database,
]

START_TIMEOUT_S = 60
APPLICATION = "videoplatform.asgi:application"
COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "uvicorn": lambda port: [
        "uvicorn", APPLICATION, "--port", port, "--lifespan", "off", "--ws-per-message-deflate", "false",
    ],
    "daphne": lambda port: ["daphne", "-p", port, APPLICATION],
}  # fmt: skip


@dataclass(slots=True)
class ChatServer:
    kind: str
    address: str
    process: Process


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(params=["uvicorn", "daphne"])
def servers(
    request: pytest.FixtureRequest, tmp_path: Path, transactional_db: None
) -> Iterator[list[ChatServer]]:
    """Yield two web processes on this test's database and Redis; they end before the database is emptied."""
    ports = [free_port(), free_port()]
    started = [
        ChatServer(
            request.param,
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


def wait_until_it_answers(server: ChatServer) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://{server.address}/healthz", timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("the server did not start")


@asynccontextmanager
async def connected(
    server: ChatServer, stream: Stream, ticket: str = "", **how: Any
) -> AsyncIterator[ClientConnection]:
    """Yield a socket, after reading its ``hello``."""
    url = f"ws://{server.address}{path_of(stream, ticket)}"
    async with connect(url, ping_interval=None, compression=None, open_timeout=PATIENCE_S, **how) as client:
        assert (await read(client))["type"] == "hello"
        yield client


async def read(client: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        frame: dict[str, Any] = json.loads(await client.recv())
        return frame


async def refusal(client: ClientConnection) -> str:
    """Return the code of the next error, which ticks may precede."""
    while (frame := await read(client))["type"] == "tick":
        pass
    assert frame["type"] == "error", frame
    return str(frame["code"])


async def send(client: ClientConnection, **frame: object) -> None:
    await client.send(json.dumps(frame))


async def events_until(
    client: ClientConnection, is_last: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    """Return the events up to one for which ``is_last``; fail if any was skipped."""
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


async def test_burst_of_400_messages_reaches_200_sockets_in_order(
    servers: list[ChatServer], stream: Stream
) -> None:
    speakers = await tickets_for(stream, 20)
    async with AsyncExitStack() as stack:

        async def join(number: int, ticket: str = "") -> ClientConnection:
            return await stack.enter_async_context(connected(servers[number % 2], stream, ticket))

        speaking = [await join(number, ticket) for number, ticket in enumerate(speakers)]
        reading = [await join(number) for number in range(180)]

        async def speak() -> None:
            for turn in range(20):
                for number, client in enumerate(speaking):
                    await send(client, type="say", text=f"{number}: {turn}", nonce=f"{number}-{turn}")

        async def hear(client: ClientConnection) -> list[tuple[int, str]]:
            heard: list[tuple[int, str]] = []
            while len(heard) < 400:
                frame = await read(client)
                assert (frame["type"], frame.get("skipped")) == ("tick", None), frame
                heard += [(event["seq"], event["text"]) for event in frame["events"]]
            return heard

        hearing = asyncio.gather(*map(hear, [*speaking, *reading]))
        await speak()
        heard = await hearing

    assert all(one == heard[0] for one in heard)
    first = heard[0][0][0]
    assert [seq for seq, _ in heard[0]] == list(range(first, first + 400))
    for number in range(20):
        own = [text for _, text in heard[0] if text.startswith(f"{number}: ")]
        assert own == [f"{number}: {turn}" for turn in range(20)]
    await sync_to_async(store.store_chat)()
    assert [row async for row in ChatMessage.objects.order_by("seq").values_list("seq", "text")] == heard[0]


async def test_rate_limit_holds_across_processes(
    servers: list[ChatServer], stream: Stream, alice: User
) -> None:
    ticket = await ticket_for(stream, alice)
    async with connected(servers[0], stream, ticket) as one, connected(servers[1], stream, ticket) as other:
        for number in range(10):
            for client in (one, other):
                await send(client, type="say", text=f"{number}")
                await hears(client, "message")
        await send(other, type="say", text="21st")

        assert await refusal(other) == "rate_limited"


async def test_moderation_holds_in_every_process_and_after_reconnecting(
    servers: list[ChatServer], stream: Stream, alice: User
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
        message = await hears(owner, "message")
        await send(owner, type="delete", id=message["id"])
        assert await hears(reader, "message_deleted") == {"type": "message_deleted", "id": message["id"]}
        await send(owner, type="timeout", username="alice", seconds=600)
        assert await hears(reader, "user_cleared") == {"type": "user_cleared", "username": "alice"}
        await send(speaker, type="say", text="but")
        assert await refusal(speaker) == "timed_out"
        await send(owner, type="mode", slow_s=7)
        assert (await hears(reader, "mode"))["slow_s"] == 7
        await send(owner, type="ban", username="bob")
        assert await close_code(spammer) == 4003

    async with connected(servers[0], stream, alices) as speaker:
        await send(speaker, type="say", text="but")
        assert await refusal(speaker) == "timed_out"
    async with connect(f"ws://{servers[0].address}{path_of(stream, bobs)}") as spammer:
        assert await close_code(spammer) == 4003
    async with connect(f"ws://{servers[1].address}{path_of(stream)}") as late:
        hello = await read(late)
        assert (hello["history"], hello["mode"]["slow_s"]) == ([], 7)


async def test_close_codes_reach_the_client(servers: list[ChatServer], stream: Stream) -> None:
    address = f"ws://{servers[0].address}/ws/live"
    for path, code in {
        "nobody/chat/": 4004,
        "a%00b/chat/": 4004,
        f"{stream.username}/chat/?ticket=x": 4001,
    }.items():
        async with connect(f"{address}/{path}") as client:
            assert await close_code(client) == code


async def test_stopping_server_closes_sockets_with_1012(servers: list[ChatServer], stream: Stream) -> None:
    async with connected(servers[0], stream) as client:
        servers[0].process.send_signal(signal.SIGTERM)

        # daphne 4.2.3 does not notify its applications on stopping for about a second
        # after a plain HTTP connection.
        assert await close_code(client) in ({1012} if servers[0].kind == "uvicorn" else {1012, 1006})


async def test_killed_process_loses_no_message(
    servers: list[ChatServer], stream: Stream, alice: User
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


async def test_client_that_never_reads_is_disconnected_without_delaying_others(
    servers: list[ChatServer], stream: Stream
) -> None:
    """The flood is 14 MB, more than the buffers of the kernel and of the server."""
    patient: dict[str, Any] = {"max_size": None, "max_queue": 1}
    async with (
        connected(servers[0], stream, **patient) as asleep,
        connected(servers[0], stream, **patient) as slow,
        connected(servers[0], stream, max_size=None) as awake,
    ):
        for number in range(140):
            await sync_to_async(log.publish)(stream, message(number, "x" * 100_000))
            # Keep in step with the reading client, so that only the others fall behind.
            (heard,) = await events_until(awake, lambda event: event["type"] == "message")
            assert heard["id"] == str(number)
        await sync_to_async(log.publish)(stream, {"type": "broadcast", "status": "live"})
        await events_until(awake, lambda event: event["type"] == "broadcast")

        # The slow client begins to read: buffered frames, then queued events and the skipped count.
        shown, skipped = 0, 0
        while True:
            frame = await read(slow)
            shown += sum(event["type"] == "message" for event in frame["events"])
            skipped += frame.get("skipped", 0)
            if any(event["type"] == "broadcast" for event in frame["events"]):
                break
        assert skipped > 0
        assert shown + skipped == 140

        # The client that still does not read is disconnected; the others continue.
        assert await is_ended(asleep)
        await sync_to_async(log.publish)(stream, {"type": "broadcast", "status": "offline"})
        await events_until(awake, lambda event: event.get("status") == "offline")


def message(number: int, text: str) -> dict[str, Any]:
    user = {"username": "bob", "display_name": "Bob", "badges": []}
    return {"type": "message", "id": str(number), "user": user, "text": text}


async def is_ended(client: ClientConnection) -> bool:
    """Return True if the server ends a connection from which the client does not read, in time."""
    transport = client.transport
    deadline = time.monotonic() + UNREAD_FOR_S + PATIENCE_S
    while time.monotonic() < deadline and not transport.is_closing():
        # Only a write detects that the peer is gone.
        with suppress(ConnectionClosed):
            await client.send("?")
        await asyncio.sleep(0.2)
    return transport.is_closing()
