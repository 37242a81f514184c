"""Tests of Redis clients: a server that does not answer is waited for once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from common import redis_clients
from common.redis_clients import GuardedPool, async_options, breaker_of
from videoplatform.tests.valkey import Valkey, free_port


@pytest.fixture
def silent_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a server that accepts connections and never answers."""
    monkeypatch.setattr(redis_clients, "CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(redis_clients, "READ_TIMEOUT_S", 0.2)
    monkeypatch.setattr(redis_clients, "PAUSE_S", 3600)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def client_of(url: str) -> redis.Redis:
    return redis.Redis(connection_pool=GuardedPool.from_url(url))


def test_server_that_falls_silent_is_waited_for_once(silent_server: str) -> None:
    client = client_of(silent_server)

    with pytest.raises(redis.TimeoutError):
        client.ping()
    for another in (client, client_of(silent_server)):
        with pytest.raises(redis.ConnectionError, match="a moment ago"):
            another.ping()


async def test_asynchronous_clients_share_the_breaker(silent_server: str) -> None:
    client = redis.asyncio.Redis.from_url(silent_server, **async_options(silent_server))

    with pytest.raises(redis.TimeoutError):
        await client.ping()
    with pytest.raises(redis.ConnectionError, match="a moment ago"):
        await client.publish("channel", "message")
    with pytest.raises(redis.ConnectionError, match="a moment ago"):
        client_of(silent_server).ping()
    await client.aclose()


def test_open_connection_is_not_used_while_the_server_is_away(own_valkey: Valkey) -> None:
    client = client_of(own_valkey.url)
    client.ping()

    breaker_of(f"127.0.0.1:{own_valkey.port}").failed()

    with pytest.raises(redis.ConnectionError, match="a moment ago"):
        client.ping()


def test_one_command_tries_after_the_pause_and_the_others_fail(monkeypatch: Any) -> None:
    monkeypatch.setattr(redis_clients, "PAUSE_S", 0)
    breaker = breaker_of(f"127.0.0.1:{free_port()}")
    breaker.failed()

    breaker.check()

    with pytest.raises(redis.ConnectionError):
        breaker.check()
    breaker.worked()
    breaker.check()


def test_server_that_comes_back_is_asked_again(own_valkey: Valkey, monkeypatch: Any) -> None:
    monkeypatch.setattr(redis_clients, "PAUSE_S", 0)
    client = client_of(own_valkey.url)
    client.ping()
    own_valkey.stop()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    own_valkey.start()

    assert client.ping()
    assert not breaker_of(f"127.0.0.1:{own_valkey.port}").is_open


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://localhost/0", "GuardedConnection"),
        ("rediss://localhost/0", "GuardedSSLConnection"),
        ("unix:///run/redis.sock", "GuardedUnixConnection"),
    ],
)
def test_every_scheme_is_guarded(url: str, name: str) -> None:
    assert GuardedPool.from_url(url).connection_class.__name__ == name
    assert async_options(url)["connection_class"].__name__ == f"Async{name}"
