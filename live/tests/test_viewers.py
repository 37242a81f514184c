"""Tests of viewer counts by heartbeats, in a real Redis."""

from __future__ import annotations

import pytest
import redis
from django.test import override_settings

from live import redis_connections, viewers
from live.models import Broadcast, Stream
from live.tests.factories import BroadcastFactory, StreamFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


@pytest.fixture
def broadcast() -> Broadcast:
    made: Broadcast = BroadcastFactory()
    return made


@pytest.fixture
def stream(broadcast: Broadcast) -> Stream:
    return broadcast.stream


def test_player_counts_once_over_several_heartbeats(stream: Stream) -> None:
    session, count = viewers.heartbeat(stream, "", "address-1.2.3.4")
    assert count == 1
    again, count = viewers.heartbeat(stream, session, "address-1.2.3.4")
    assert count == 1
    assert again.split(":")[:2] == session.split(":")[:2]
    _, count = viewers.heartbeat(stream, "", "address-5.6.7.8")
    assert count == viewers.viewer_count(stream) == 2


def test_session_counts_once_after_a_change_of_address(stream: Stream) -> None:
    session, _ = viewers.heartbeat(stream, "", "address-1.2.3.4")
    assert viewers.heartbeat(stream, session, "address-5.6.7.8")[1] == 1


def test_foreign_or_forged_session_is_replaced(stream: Stream) -> None:
    other = StreamFactory()
    session, _ = viewers.heartbeat(other, "", "address-1.2.3.4")
    for odd in (session, session + "x", "nonsense", f"{stream.pk}:abc:1:2"):
        fresh, _ = viewers.heartbeat(stream, odd, "address-1.2.3.4")
        assert fresh.split(":")[1] != odd.split(":")[-1]
    assert viewers.viewer_count(stream) == 4
    assert viewers.viewer_count(other) == 1


def test_viewer_without_heartbeats_no_longer_counts(stream: Stream) -> None:
    viewers.heartbeat(stream, "", "address-1.2.3.4")
    client = redis_connections.shared_client()
    for key in (viewers.viewers_key(stream.pk), f"{viewers.viewers_key(stream.pk)}:address-1.2.3.4"):
        (session_id,) = client.zrange(key, 0, -1)
        client.zincrby(key, -41_000, str(session_id))

    assert viewers.viewer_count(stream) == 0
    assert viewers.heartbeat(stream, "", "address-5.6.7.8")[1] == 1


def test_sessions_of_one_address_or_account_are_limited(stream: Stream) -> None:
    for _ in range(viewers.SESSIONS_OF_ADDRESS + 20):
        viewers.heartbeat(stream, "", "address-1.2.3.4")
    assert viewers.viewer_count(stream) == viewers.SESSIONS_OF_ADDRESS
    for _ in range(10):
        viewers.heartbeat(stream, "", "user-7")
    assert viewers.viewer_count(stream) == viewers.SESSIONS_OF_ADDRESS + viewers.SESSIONS_OF_ACCOUNT


@override_settings(RATE_LIMITS=False)
def test_sessions_are_unlimited_without_rate_limits(stream: Stream) -> None:
    for _ in range(viewers.SESSIONS_OF_ADDRESS + 20):
        viewers.heartbeat(stream, "", "address-1.2.3.4")
    assert viewers.viewer_count(stream) == viewers.SESSIONS_OF_ADDRESS + 20


def test_several_streams_are_counted_at_once(stream: Stream) -> None:
    quiet = StreamFactory()
    viewers.heartbeat(stream, "", "address-1.2.3.4")

    assert viewers.viewer_counts([stream, quiet]) == {stream.pk: 1, quiet.pk: 0}
    assert viewers.viewer_counts([]) == {}


def test_peak_viewer_count_never_falls(broadcast: Broadcast) -> None:
    def peak() -> int:
        broadcast.refresh_from_db()
        return broadcast.peak_viewer_count

    viewers.heartbeat(broadcast.stream, "", "address-1")
    assert peak() == 1
    viewers.heartbeat(broadcast.stream, "", "address-2")
    redis_connections.shared_client().delete(f"live:peak:{broadcast.stream_id}")  # ten seconds later
    viewers.heartbeat(broadcast.stream, "", "address-3")
    assert peak() == 3
    redis_connections.shared_client().delete(
        f"live:peak:{broadcast.stream_id}", viewers.viewers_key(broadcast.stream_id)
    )
    viewers.heartbeat(broadcast.stream, "", "address-4")
    assert peak() == 3


def test_heartbeat_without_redis_counts_nobody(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(redis_connections.shared_client(), "execute_command", fail)
    monkeypatch.setattr("redis.client.Pipeline.execute", fail)

    session, count = viewers.heartbeat(stream, "", "address-1.2.3.4")
    assert (session != "", count) == (True, 0)
    assert viewers.viewer_counts([stream]) == {stream.pk: 0}
