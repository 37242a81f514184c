"""Tests of the limit on WebSockets for each address."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.test import override_settings

from common.buckets import Rate
from common.rates import RATES
from videoplatform.asgi import application as whole_application
from videoplatform.sockets import BoundedSockets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def application(_scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


def scope(peer: str = "198.51.100.7", path: str = "/", **more: Any) -> dict[str, Any]:
    extensions: dict[str, Any] = {"websocket.http.response": {}}
    address = {"client": (peer, 1), "path": path, "headers": [], "query_string": b""}
    return {"type": "websocket", "extensions": extensions, **address, **more}


@asynccontextmanager
async def opened(asked: Any, **about: Any) -> AsyncIterator[dict[str, Any]]:
    """Open a socket for the block, and yield the answer to its handshake."""
    communicator: Any = ApplicationCommunicator(asked, scope(**about))  # type: ignore[no-untyped-call]
    await communicator.send_input({"type": "websocket.connect"})
    try:
        yield await communicator.receive_output(10)
    finally:
        await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await communicator.wait(10)


@override_settings(MAX_SOCKETS_PER_ADDRESS=2)
async def test_address_with_too_many_sockets_is_answered_429() -> None:
    bounded = BoundedSockets(application)
    async with AsyncExitStack() as stack:
        answers = [await stack.enter_async_context(opened(bounded)) for _ in range(3)]
        other = await stack.enter_async_context(opened(bounded, peer="198.51.100.8"))
    async with opened(bounded) as later:
        pass

    assert [answer["type"] for answer in answers[:2]] == ["websocket.accept"] * 2
    assert (answers[2]["status"], answers[2]["headers"]) == (429, [(b"retry-after", b"30")])
    assert [other["type"], later["type"]] == ["websocket.accept"] * 2


@override_settings(MAX_SOCKETS_PER_ADDRESS=1)
async def test_addresses_of_one_ipv6_network_count_together() -> None:
    bounded = BoundedSockets(application)
    async with opened(bounded, peer="2001:db8:1:2::1"), opened(bounded, peer="2001:db8:1:2::2") as second:
        assert second["status"] == 429


@override_settings(MAX_SOCKETS_PER_ADDRESS=1)
async def test_server_without_the_response_extension_closes_the_handshake() -> None:
    bounded = BoundedSockets(application)
    async with opened(bounded), opened(bounded, extensions={}) as second:
        assert second == {"type": "websocket.close"}


async def test_address_that_opens_sockets_too_fast_is_answered_429(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, "sockets", Rate(2, 3600))
    bounded = BoundedSockets(application)
    answers = []
    for _ in range(3):
        async with opened(bounded) as answer:
            answers.append(answer.get("status", answer["type"]))

    assert answers == ["websocket.accept", "websocket.accept", 429]


@override_settings(MAX_SOCKETS_PER_ADDRESS=1, RATE_LIMITS=False)
async def test_without_rate_limits_nobody_is_refused() -> None:
    bounded = BoundedSockets(application)
    async with opened(bounded), opened(bounded) as second:
        assert second["type"] == "websocket.accept"


async def test_socket_that_ends_in_an_error_is_no_longer_counted() -> None:
    async def fail(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    with override_settings(MAX_SOCKETS_PER_ADDRESS=1):
        bounded = BoundedSockets(fail)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await bounded(scope(), asyncio.Event().wait, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/ws/", "/ws/nothing/", "/x"])
async def test_unknown_socket_address_is_answered_404(path: str) -> None:
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    async with opened(whole_application, path=path, headers=headers) as answer:
        assert answer["status"] == 404
