"""Viewers by their heartbeats, in a real Redis."""

from __future__ import annotations

import pytest
import redis
from django.test import override_settings

from live import viewers
from live.chat import clients
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


def test_a_player_counts_once_however_often_it_reports(stream: Stream) -> None:
    session, count = viewers.heartbeat(stream, None, "address-1.2.3.4")
    assert count == 1
    again, count = viewers.heartbeat(stream, session, "address-1.2.3.4")
    assert count == 1
    assert again.split(":")[:2] == session.split(":")[:2]
    _, count = viewers.heartbeat(stream, "", "address-5.6.7.8")
    assert count == viewers.viewer_count(stream) == 2


def test_a_session_follows_a_person_to_another_address(stream: Stream) -> None:
    session, _ = viewers.heartbeat(stream, None, "address-1.2.3.4")
    assert viewers.heartbeat(stream, session, "address-5.6.7.8")[1] == 1


def test_a_session_of_another_stream_or_of_nobodys_making_is_a_new_one(stream: Stream) -> None:
    other = StreamFactory()
    session, _ = viewers.heartbeat(other, None, "address-1.2.3.4")
    for odd in (session, session + "x", "nonsense", f"{stream.pk}:abc:1:2"):
        fresh, _ = viewers.heartbeat(stream, odd, "address-1.2.3.4")
        assert fresh.split(":")[1] != odd.split(":")[-1]
    assert viewers.viewer_count(stream) == 4
    assert viewers.viewer_count(other) == 1


def test_who_falls_silent_no_longer_counts(stream: Stream) -> None:
    viewers.heartbeat(stream, None, "address-1.2.3.4")
    client = clients.shared_client()
    for key in (viewers.viewers_key(stream.pk), f"{viewers.viewers_key(stream.pk)}:address-1.2.3.4"):
        (session_id,) = client.zrange(key, 0, -1)
        client.zincrby(key, -41_000, str(session_id))

    assert viewers.viewer_count(stream) == 0
    assert viewers.heartbeat(stream, None, "address-5.6.7.8")[1] == 1


def test_nobody_invents_an_audience(stream: Stream) -> None:
    for _ in range(viewers.SESSIONS_OF_ADDRESS + 20):
        viewers.heartbeat(stream, None, "address-1.2.3.4")
    assert viewers.viewer_count(stream) == viewers.SESSIONS_OF_ADDRESS
    for _ in range(10):
        viewers.heartbeat(stream, None, "user-7")
    assert viewers.viewer_count(stream) == viewers.SESSIONS_OF_ADDRESS + viewers.SESSIONS_OF_ACCOUNT


@override_settings(RATE_LIMITS=False)
def test_load_tests_come_from_one_address(stream: Stream) -> None:
    for _ in range(viewers.SESSIONS_OF_ADDRESS + 20):
        viewers.heartbeat(stream, None, "address-1.2.3.4")
    assert viewers.viewer_count(stream) == viewers.SESSIONS_OF_ADDRESS + 20


def test_several_streams_in_one_round_trip(stream: Stream) -> None:
    quiet = StreamFactory()
    viewers.heartbeat(stream, None, "address-1.2.3.4")

    assert viewers.viewer_counts([stream, quiet]) == {stream.pk: 1, quiet.pk: 0}
    assert viewers.viewer_counts([]) == {}


def test_the_peak_is_kept(broadcast: Broadcast) -> None:
    def peak() -> int:
        broadcast.refresh_from_db()
        return broadcast.peak_viewer_count

    viewers.heartbeat(broadcast.stream, None, "address-1")
    assert peak() == 1
    viewers.heartbeat(broadcast.stream, None, "address-2")
    clients.shared_client().delete(f"live:peak:{broadcast.stream_id}")  # ten seconds later
    viewers.heartbeat(broadcast.stream, None, "address-3")
    assert peak() == 3
    clients.shared_client().delete(
        f"live:peak:{broadcast.stream_id}", viewers.viewers_key(broadcast.stream_id)
    )
    viewers.heartbeat(broadcast.stream, None, "address-4")
    assert peak() == 3


def test_without_redis_nobody_is_counted_and_nothing_breaks(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(clients.shared_client(), "execute_command", fail)
    monkeypatch.setattr("redis.client.Pipeline.execute", fail)

    session, count = viewers.heartbeat(stream, None, "address-1.2.3.4")
    assert (session != "", count) == (True, 0)
    assert viewers.viewer_counts([stream]) == {stream.pk: 0}
