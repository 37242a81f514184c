"""Whose stream key it is, and what an encoder shows where it is of no use."""

from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError

from live import services
from live.ingest import auth
from live.ingest.server import Refused
from live.models import Stream
from live.tests.factories import StreamFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


def stream_for(stream_key: str, host: str = "192.0.2.1") -> Stream:
    return async_to_sync(auth.stream_for)(stream_key, host)


def refusal(stream_key: str, host: str = "192.0.2.1") -> str:
    with pytest.raises(Refused) as caught:
        stream_for(stream_key, host)
    assert caught.value.code == "NetStream.Publish.Rejected"
    return caught.value.description


def test_a_key_opens_its_stream() -> None:
    StreamFactory()
    stream = StreamFactory()
    key = services.rotate_stream_key(stream)

    assert stream_for(key) == stream


@pytest.mark.parametrize("key", ["live_wrong", "live_" + "x" * 60_000, "\0", "live_\ufffd"])
def test_a_wrong_key_is_refused(key: str) -> None:
    assert refusal(key) == auth.WRONG


def test_an_empty_key_is_asked_for() -> None:
    assert refusal("") == auth.NO_KEY


def test_a_key_that_was_rotated_or_revoked_is_wrong() -> None:
    stream = StreamFactory()
    old = services.rotate_stream_key(stream)
    new = services.rotate_stream_key(stream)

    assert refusal(old) == auth.WRONG
    services.revoke_stream_key(stream)
    assert refusal(new) == auth.WRONG


def test_whoever_may_not_go_live_is_told_so_by_their_own_key_only() -> None:
    suspended, banned = StreamFactory(), StreamFactory()
    keys = [services.rotate_stream_key(suspended), services.rotate_stream_key(banned)]
    services.suspend_stream(suspended, is_suspended=True)
    banned.channel.owner.is_active = False
    banned.channel.owner.save(update_fields=["is_active"])

    assert [refusal(key) for key in keys] == [auth.SUSPENDED, auth.SUSPENDED]


def test_many_wrong_keys_shut_their_own_address_out_for_a_while() -> None:
    key = services.rotate_stream_key(StreamFactory())

    for number in range(auth.WRONG_KEYS_PER_ADDRESS):
        assert refusal(f"live_{number}") == auth.WRONG

    assert refusal(key) == auth.TOO_MANY
    assert stream_for(key, host="192.0.2.2")
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert 0 < client.ttl(cache.make_key("live:wrong-keys:192.0.2.1")) <= auth.PERIOD_S


def test_without_rate_limits_nobody_is_shut_out(settings: Any) -> None:
    settings.RATE_LIMITS = False

    for number in range(auth.WRONG_KEYS_PER_ADDRESS + 1):
        assert refusal(f"live_{number}") == auth.WRONG


def test_a_database_that_does_not_answer_is_not_a_wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(stream_key: str) -> None:
        raise DatabaseError("locked")

    monkeypatch.setattr(services, "owner_of_key", fail)

    assert refusal("live_any") == auth.NOT_NOW
