"""Tests of two encoders with one key, and of an encoder that returns after *End*."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from live import broadcasting, services
from live.broadcasting import MayNotPublish, Standing
from live.ingest import turns
from live.ingest.server import PublisherRefused
from live.models import Broadcast, Stream
from live.tests.factories import BroadcastFactory, StreamFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

Pass = Callable[[float], None]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Return a function that lets seconds pass."""
    gone = timedelta()
    real = timezone.now

    def pass_s(seconds: float) -> None:
        nonlocal gone
        gone += timedelta(seconds=seconds)
        monkeypatch.setattr(timezone, "now", lambda: real() + gone)

    return pass_s


def refusal(stream: Stream, **are_sending: bool) -> str:
    """Return the refusal of an encoder that connects now; empty if it is admitted."""
    try:
        turns.check(stream, are_sending)
    except PublisherRefused as refused:
        return refused.description
    return ""


def test_first_publisher_of_a_stream_is_admitted() -> None:
    assert refusal(StreamFactory()) == ""


def test_second_encoder_replaces_the_first_and_keeps_its_place() -> None:
    broadcast = BroadcastFactory(connection_id="one")

    assert refusal(broadcast.stream, one=True) == ""
    Broadcast.objects.update(connection_id="two")
    assert refusal(broadcast.stream, one=False, two=True) == turns.IN_USE
    assert refusal(broadcast.stream, one=False, two=True) == turns.IN_USE
    assert turns.is_contested(broadcast)


def test_encoder_returns_at_once_if_the_broadcast_is_not_sending() -> None:
    broadcast = BroadcastFactory(connection_id="one")

    assert [refusal(broadcast.stream, one=False) for _ in range(3)] == ["", "", ""]
    assert not turns.is_contested(broadcast)


def test_encoder_returns_to_a_reconnecting_broadcast() -> None:
    broadcast = BroadcastFactory(connection_id="one", status=Broadcast.Status.RECONNECTING)

    assert [refusal(broadcast.stream, one=True) for _ in range(3)] == ["", "", ""]


@pytest.mark.parametrize(("ago_s", "expected"), [(1, turns.IN_USE), (60, "")])
def test_publisher_of_another_process_counts_while_its_heartbeat_is_recent(
    ago_s: float, expected: str
) -> None:
    heard_at = timezone.now() - timedelta(seconds=ago_s)
    broadcast = BroadcastFactory(connection_id="elsewhere", heard_at=heard_at)

    refusal(broadcast.stream)

    assert refusal(broadcast.stream) == expected


def test_place_is_free_after_the_contest_expires() -> None:
    broadcast = BroadcastFactory(connection_id="one")
    refusal(broadcast.stream, one=True)

    cache.delete(turns._contest(broadcast))  # as Redis does after CONTESTED_FOR_S

    assert refusal(broadcast.stream, one=True) == ""


def refused_for(seconds: int) -> str:
    return turns.ENDED_IN_STUDIO.format(seconds=seconds)


def stopped(**fields: Any) -> Broadcast:
    broadcast: Broadcast = BroadcastFactory(
        status=Broadcast.Status.ENDED,
        ending=Broadcast.Ending.STOPPED,
        ended_at=timezone.now(),
        **fields,
    )
    return broadcast


def test_automatically_reconnecting_encoder_stays_refused(passes: Pass) -> None:
    stream = stopped().stream
    answers = []
    for _ in range(60):
        passes(2)
        answers.append(refusal(stream))

    assert answers == [refused_for(30)] * 60


def test_encoder_with_growing_pauses_stays_refused(passes: Pass) -> None:
    stream = stopped().stream
    pause_s, answers = 2.0, []
    while pause_s < 400:
        passes(pause_s)
        answers.append(refusal(stream))
        pause_s *= 1.5

    assert all(answers)
    assert answers[0] == refused_for(30)
    assert max(len(sentence) for sentence in answers) == len(refused_for(100))


def test_streamer_goes_live_again_after_the_stated_pause(passes: Pass) -> None:
    stream = stopped().stream
    passes(10)
    assert refusal(stream) == refused_for(30)

    passes(30.1)

    assert refusal(stream) == ""


def test_encoder_with_new_key_goes_live_at_once() -> None:
    stream = stopped().stream
    services.rotate_stream_key(stream)

    assert refusal(stream) == ""


@pytest.mark.parametrize("ending", [Broadcast.Ending.UNPUBLISHED, Broadcast.Ending.TIMED_OUT])
def test_encoder_that_stopped_by_itself_may_return_at_once(ending: str) -> None:
    stream = stopped().stream
    Broadcast.objects.update(ending=ending)

    assert refusal(stream) == ""


@pytest.mark.storage
@pytest.mark.usefixtures("bucket")
def test_publisher_admitted_before_the_end_begins_no_new_broadcast() -> None:
    stream = StreamFactory(record=False)
    broadcasting.begin(stream, connection_id="one", source={})
    admitted_at = timezone.now()
    services.end_broadcast(stream, by=stream.channel.owner)

    with pytest.raises(MayNotPublish) as refused:
        broadcasting.begin(stream, connection_id="two", source={}, admitted_at=admitted_at)

    assert refused.value.standing is Standing.ENDED
    assert Broadcast.objects.count() == 1
