"""Tests of page sockets: unknown messages are skipped, dead clients are ended, queues are bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

from common import page_sockets
from common.page_sockets import PageConsumer
from videoplatform.channel_layer import MAX_WAITING_MESSAGES

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


class NewsConsumer(PageConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.channel_layer.group_add("news", self.channel_name)

    async def news_came(self, event: dict[str, Any]) -> None:
        await self.send_json({"number": event["number"]})


async def publish(**message: Any) -> None:
    layer: Any = get_channel_layer()
    await layer.group_send("news", message)


async def connected() -> WebsocketCommunicator:
    communicator = WebsocketCommunicator(NewsConsumer.as_asgi(), "/")
    await communicator.connect(10)
    return communicator


@pytest.mark.parametrize("kind", ["of.another_version", "", "_life"])
async def test_message_of_an_unknown_kind_does_not_end_a_socket(kind: str) -> None:
    page = await connected()
    await publish(type=kind)
    await publish(type="news.came", number=1)

    assert await page.receive_json_from(10) == {"number": 1}
    await page.disconnect(timeout=10)


async def test_idle_socket_sends_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_sockets, "LIFE_EVERY_S", 0.01)
    page = await connected()

    assert await page.receive_json_from(10) == {"type": "alive"}
    await page.disconnect(timeout=10)


async def test_client_that_takes_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_sockets, "SEND_WITHIN_S", 0.01)
    never = asyncio.Event()
    accepted = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not accepted.is_set():
            return {"type": "websocket.connect"}
        await never.wait()
        return {}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept":
            accepted.set()
            monkeypatch.setattr(page_sockets, "LIFE_EVERY_S", 0.0)
            return
        await never.wait()

    monkeypatch.setattr(page_sockets, "LIFE_EVERY_S", 0.01)
    application: Any = NewsConsumer.as_asgi()
    async with asyncio.timeout(10):
        await application({"type": "websocket", "path": "/"}, receive, send)


async def test_messages_that_wait_for_a_socket_are_bounded() -> None:
    layer: Any = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("news", channel)
    for number in range(MAX_WAITING_MESSAGES + 10):
        await publish(type="news.came", number=number)
    await layer.send(channel, {"type": "last"})
    queue = layer._get_layer().channels[channel]
    async with asyncio.timeout(10):
        while queue.qsize() < MAX_WAITING_MESSAGES:  # noqa: ASYNC110 -- the queue has no event to wait for
            await asyncio.sleep(0.005)
        kinds: list[str] = []
        while not kinds or kinds[-1] != "last":
            kinds.append((await layer.receive(channel))["type"])

    assert len(kinds) <= MAX_WAITING_MESSAGES + 1
    await layer.flush()
