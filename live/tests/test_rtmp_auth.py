"""Tests of looking up stream keys, and of the sentences that encoders show for refused keys."""

from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError

from live import services
from live.ingest import auth
from live.ingest.server import PublisherRefused
from live.models import Stream
from live.tests.factories import StreamFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


def stream_for(stream_key: str, host: str = "192.0.2.1") -> Stream:
    return async_to_sync(auth.stream_for)(stream_key, host)


def refusal(stream_key: str, host: str = "192.0.2.1") -> str:
    with pytest.raises(PublisherRefused) as caught:
        stream_for(stream_key, host)
    assert caught.value.code == "NetStream.Publish.Rejected"
    return caught.value.description


def test_key_opens_its_stream() -> None:
    StreamFactory()
    stream = StreamFactory()
    key = services.rotate_stream_key(stream)

    assert stream_for(key) == stream


@pytest.mark.parametrize("key", ["live_wrong", "live_" + "x" * 60_000, "\0", "live_\ufffd"])
def test_wrong_key_is_refused(key: str) -> None:
    assert refusal(key) == auth.WRONG


@pytest.mark.parametrize(
    "typed",
    [
        "{key}/", "/{key}", " {key} ", "{key}\u00a0", "{key}\n", "\ufeff{key}", "live/{key}",
        "rtmp://stream.example.org:1935/live/{key}",
    ],
)  # fmt: skip
def test_key_is_found_in_mistyped_input(typed: str) -> None:
    stream = StreamFactory()
    key = services.rotate_stream_key(stream)

    assert stream_for(typed.format(key=key)) == stream


def test_empty_key_is_refused_with_its_own_sentence() -> None:
    assert refusal("") == auth.NO_KEY


def test_rotated_or_revoked_key_is_wrong() -> None:
    stream = StreamFactory()
    old = services.rotate_stream_key(stream)
    new = services.rotate_stream_key(stream)

    assert refusal(old) == auth.WRONG
    services.revoke_stream_key(stream)
    assert refusal(new) == auth.WRONG


def test_suspended_or_inactive_streamer_is_refused_as_suspended() -> None:
    suspended, banned = StreamFactory(), StreamFactory()
    keys = [services.rotate_stream_key(suspended), services.rotate_stream_key(banned)]
    services.suspend_stream(suspended)
    banned.channel.owner.is_active = False
    banned.channel.owner.save(update_fields=["is_active"])

    assert [refusal(key) for key in keys] == [auth.SUSPENDED, auth.SUSPENDED]


def test_many_wrong_keys_block_only_their_address() -> None:
    key = services.rotate_stream_key(StreamFactory())

    for number in range(auth.WRONG_KEYS_PER_ADDRESS):
        assert refusal(f"live_{number}") == auth.WRONG

    assert refusal(key) == auth.TOO_MANY
    assert stream_for(key, host="192.0.2.2")
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert 0 < client.ttl(cache.make_key("live:wrong-keys:192.0.2.1")) <= auth.PERIOD_S


def test_repeated_wrong_key_counts_once() -> None:
    key = services.rotate_stream_key(StreamFactory())

    for _ in range(auth.WRONG_KEYS_PER_ADDRESS + 4):
        assert refusal("live_old") == auth.WRONG

    assert stream_for(key)


def test_wrong_keys_of_one_ipv6_network_count_together() -> None:
    for number in range(auth.WRONG_KEYS_PER_ADDRESS):
        refusal(f"live_{number}", f"2001:db8:0:1::{number:x}")

    assert refusal("live_more", "2001:db8:0:1:ffff::1") == auth.TOO_MANY
    assert refusal("live_more", "2001:db8:0:2::1") == auth.WRONG


def test_wrong_keys_block_no_address_without_rate_limits(settings: Any) -> None:
    settings.RATE_LIMITS = False

    for number in range(auth.WRONG_KEYS_PER_ADDRESS + 1):
        assert refusal(f"live_{number}") == auth.WRONG


def test_database_error_is_not_reported_as_a_wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(stream_key: str) -> None:
        raise DatabaseError("locked")

    monkeypatch.setattr(services, "owner_of_key", fail)

    assert refusal("live_any") == auth.NOT_NOW
