"""Tests that the cache holds only data, and that every read misses while Redis is away or full."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from channels.layers import channel_layers
from channels_redis.serializers import MsgPackSerializer
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from accounts.tests.factories import PASSWORD, UserFactory
from videoplatform import caching
from videoplatform.celery import app
from videoplatform.tests.valkey import Valkey


class Trap:
    """A value that runs code on unpickling."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("a value of the cache was run",))


@pytest.mark.redis
@pytest.mark.parametrize(
    "value",
    [0, -5, 2**40, True, None, 1.5, "7", "", "小明", b"7", [1, "a"], {"a": [1]}, {5: "five"}],
)
def test_value_round_trips_with_its_type(value: Any) -> None:
    cache.set("key", value)

    assert cache.get("key", "missing") == value
    assert type(cache.get("key")) is type(value)


@pytest.mark.redis
def test_aware_datetime_round_trips() -> None:
    moment = datetime(2024, 5, 1, 12, 30, 0, 123456, tzinfo=UTC)

    cache.set("key", {"at": moment})

    assert cache.get("key") == {"at": moment}


@pytest.mark.redis
@pytest.mark.parametrize("planted", [pickle.dumps(Trap()), b"\xc1", b"cos\nsystem\n(S'true'\ntR.", b""])
def test_planted_value_is_a_miss(planted: bytes) -> None:
    client: Any = cache._cache.get_client(write=True)  # type: ignore[attr-defined]
    client.set(cache.make_key("key"), planted)

    assert cache.get("key", "missing") == "missing"
    assert cache.get_many(["key"]) == {}


@pytest.mark.redis
def test_incrementing_an_expired_counter_does_not_restart_it() -> None:
    cache.set("counter", 1, 60)

    assert cache.incr("counter") == 2
    cache.delete("counter")
    with pytest.raises(ValueError, match="not found"):
        cache.incr("counter")
    assert cache.get("counter") is None


def test_without_redis_everything_is_a_miss(dead_redis: str) -> None:
    assert_nothing_is_kept()


def test_full_redis_refuses_writes_and_serves_reads(own_valkey: Valkey) -> None:
    cache.set("before", "kept")
    own_valkey.fill()

    assert cache.get("before") == "kept"
    assert_nothing_is_kept()


def test_cache_works_again_once_redis_is_back(own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.redis_clients.PAUSE_S", 0)
    cache.set("key", "value")
    own_valkey.stop()
    assert cache.get("key") is None
    own_valkey.start()

    cache.set("key", "new")

    assert cache.get("key") == "new"


def assert_nothing_is_kept() -> None:
    cache.set("key", "value")
    cache.set_many({"one": 1, "two": 2})
    assert cache.get("key", "missing") == "missing"
    assert cache.get_many(["key", "one", "two"]) == {}
    assert cache.add("key", 1) is True
    assert cache.has_key("key") is False
    assert cache.touch("key") is False
    assert cache.delete("key") is False
    cache.delete_many(["key"])
    with pytest.raises(ValueError, match="not found"):
        cache.incr("key")


def test_no_value_from_redis_is_unpickled() -> None:
    layer = channel_layers.make_backend("default")

    assert isinstance(layer._serializer, MsgPackSerializer)
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert settings.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["away", "full"])
def test_password_attempts_are_limited_while_redis_fails(
    state: str, own_valkey: Valkey, client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "_attempts", caching.LocalAttempts())
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.RATE_LIMITS = True
    UserFactory(username="mara", password=PASSWORD)
    if state == "away":
        own_valkey.stop()
    else:
        own_valkey.fill()

    def sign_in(password: str, address: int) -> bool:
        form = {"login": "mara", "password": password}
        client.post("/accounts/login/", form, REMOTE_ADDR=f"10.0.0.{address}")
        return "_auth_user_id" in client.session

    for number in range(30):
        sign_in("wrong", number)

    assert not sign_in(PASSWORD, 100)
    monkeypatch.setattr(caching, "_attempts", caching.LocalAttempts())
    assert sign_in(PASSWORD, 100)


def test_local_attempts_evict_old_and_expired_entries() -> None:
    attempts = caching.LocalAttempts(most=2)

    for number in range(5):
        attempts.set(f"key{number}", [number], 60)
    attempts.set("key3", [3], 0)

    assert [attempts.get(f"key{number}") for number in range(5)] == [None, None, None, None, [4]]
