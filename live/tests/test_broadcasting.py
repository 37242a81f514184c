"""The life of a broadcast: every change names the connection it speaks for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from live import broadcasting, liveness, services
from live.errors import NotOnAir, StreamSuspended
from live.models import Broadcast, Stream
from live.tests.factories import BroadcastFactory, StreamFactory
from videos.models import Video

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.redis,
    pytest.mark.storage,
    pytest.mark.usefixtures("bucket"),
]

SOURCE = {"width_px": 1280, "height_px": 720}


def begin(stream: Stream, connection_id: str = "first") -> Broadcast:
    return broadcasting.begin(stream, connection_id=connection_id, source=SOURCE)


def long_ago(broadcast: Broadcast, *names: str) -> None:
    Broadcast.objects.filter(pk=broadcast.pk).update(
        **dict.fromkeys(names, timezone.now() - timedelta(hours=1))
    )


def test_a_broadcast_begins_and_is_recorded_as_a_video_that_nobody_sees_yet() -> None:
    stream = StreamFactory()

    broadcast = begin(stream)

    recording = broadcast.recording
    assert recording is not None
    assert broadcast.status == Broadcast.Status.LIVE
    assert (recording.status, recording.is_playable) == (Video.Status.PROCESSING, False)
    assert not Video.objects.listed().exists()


def test_a_stream_that_keeps_no_replay_is_not_recorded() -> None:
    broadcast = begin(StreamFactory(record=False))
    assert broadcast.recording is None


def test_the_newest_publisher_continues_the_broadcast_and_the_older_one_says_nothing_more() -> None:
    stream = StreamFactory()
    first = begin(stream, "first")

    second = begin(stream, "second")

    assert first.pk == second.pk
    assert broadcasting.keep_alive(first.pk, "first") is False
    assert broadcasting.interrupt(first.pk, "first") is False
    broadcasting.release(first.pk, "first", said_goodbye=True)
    second.refresh_from_db()
    assert second.status == Broadcast.Status.LIVE


def test_a_publisher_that_returns_in_time_continues_the_same_broadcast() -> None:
    stream = StreamFactory()
    broadcast = begin(stream, "first")
    broadcasting.release(broadcast.pk, "first", said_goodbye=False)
    waiting = Broadcast.objects.get(pk=broadcast.pk).status

    returned = begin(stream, "second")

    assert waiting == Broadcast.Status.RECONNECTING
    assert (returned.pk, returned.status) == (broadcast.pk, Broadcast.Status.LIVE)


def test_one_that_returns_too_late_begins_a_new_one() -> None:
    stream = StreamFactory(record=False)
    broadcast = begin(stream, "first")
    broadcasting.interrupt(broadcast.pk, "first")
    long_ago(broadcast, "interrupted_at")
    broadcasting.sweep()

    later = begin(stream, "second")

    broadcast.refresh_from_db()
    assert (broadcast.status, broadcast.ending) == (Broadcast.Status.ENDED, Broadcast.Ending.TIMED_OUT)
    assert later.pk != broadcast.pk


def test_an_encoder_that_said_goodbye_may_change_its_mind() -> None:
    stream = StreamFactory(record=False)
    broadcast = begin(stream, "first")
    broadcasting.release(broadcast.pk, "first", said_goodbye=True)
    ended = Broadcast.objects.get(pk=broadcast.pk)

    again = begin(stream, "second")

    assert (ended.status, ended.ending) == (Broadcast.Status.ENDED, Broadcast.Ending.UNPUBLISHED)
    assert (again.pk, again.status, again.ended_at) == (broadcast.pk, Broadcast.Status.LIVE, None)


def test_what_was_ended_in_the_studio_stays_ended() -> None:
    stream = StreamFactory(record=False)
    broadcast = begin(stream, "first")
    services.end_broadcast(stream)

    again = begin(stream, "second")

    assert again.pk != broadcast.pk
    assert broadcasting.keep_alive(broadcast.pk, "first") is False


def test_nothing_that_is_off_the_air_can_be_ended() -> None:
    with pytest.raises(NotOnAir):
        services.end_broadcast(StreamFactory())


def test_a_recording_without_a_picture_leaves_no_video() -> None:
    broadcast = begin(StreamFactory())

    broadcasting.release(broadcast.pk, "first", said_goodbye=True)

    assert not Video.objects.exists()


def test_the_sweeper_finds_a_publisher_whose_ingest_died() -> None:
    broadcast = begin(StreamFactory(record=False))
    long_ago(broadcast, "started_at")
    broadcasting.sweep()
    heard = Broadcast.objects.get(pk=broadcast.pk).status
    liveness.forget_alive(broadcast.public_id)

    broadcasting.sweep()

    broadcast.refresh_from_db()
    assert (heard, broadcast.status) == (Broadcast.Status.LIVE, Broadcast.Status.RECONNECTING)


def test_an_ingest_that_was_thought_dead_takes_the_interruption_back() -> None:
    broadcast = begin(StreamFactory(record=False))
    broadcasting.interrupt(broadcast.pk, "first")

    still_publishes = broadcasting.keep_alive(broadcast.pk, "first")

    broadcast.refresh_from_db()
    assert (still_publishes, broadcast.status) == (True, Broadcast.Status.LIVE)


def test_the_sweeper_leaves_no_recording_open() -> None:
    broadcast = begin(StreamFactory())
    services.end_broadcast(broadcast.stream)
    liveness.forget_alive(broadcast.public_id)
    long_ago(broadcast, "ended_at")

    broadcasting.sweep()

    assert not Video.objects.filter(status=Video.Status.PROCESSING).exists()


# --- Keys -------------------------------------------------------------------------


def test_a_key_is_kept_as_a_digest_and_opens_the_stream() -> None:
    stream = StreamFactory()

    key = services.rotate_stream_key(stream)

    stream.refresh_from_db()
    assert key not in str(vars(stream))
    assert services.stream_with_key(key) == stream


def test_a_rotated_and_a_revoked_key_open_nothing() -> None:
    stream = StreamFactory()
    old = services.rotate_stream_key(stream)
    new = services.rotate_stream_key(stream)
    after_rotation = services.stream_with_key(old)
    services.revoke_stream_key(stream)

    assert after_rotation is None
    assert services.stream_with_key(new) is None
    assert services.stream_with_key("") is None


@pytest.mark.parametrize("change", ["suspend", "deactivate"])
def test_a_banned_streamer_s_key_opens_nothing(change: str) -> None:
    stream = StreamFactory(key="right")
    if change == "suspend":
        services.suspend_stream(stream, is_suspended=True)
    else:
        stream.channel.owner.is_active = False
        stream.channel.owner.save()

    assert services.stream_with_key("right") is None


def test_a_suspended_streamer_gets_no_key_and_what_is_live_ends() -> None:
    broadcast = BroadcastFactory()

    services.suspend_stream(broadcast.stream, is_suspended=True)

    broadcast.refresh_from_db()
    assert broadcast.ending == Broadcast.Ending.SUSPENDED
    with pytest.raises(StreamSuspended):
        services.rotate_stream_key(broadcast.stream)


# --- What is shown ------------------------------------------------------------------


def test_making_a_running_broadcast_private_closes_the_way_that_was_open(
    django_capture_on_commit_callbacks: Any,
) -> None:
    broadcast = begin(StreamFactory())
    with django_capture_on_commit_callbacks(execute=True):
        services.edit_stream(broadcast.stream, visibility="private", title="Only us")

    broadcast.refresh_from_db()
    recording = Video.objects.get()
    assert broadcast.access not in {"open", ""}
    assert (recording.visibility, recording.title) == ("private", "Only us")


# --- Who hears of it ----------------------------------------------------------------


@pytest.mark.parametrize(("visibility", "told"), [("public", 1), ("unlisted", 0)])
def test_followers_hear_of_a_public_broadcast_once(
    visibility: str, told: int, django_capture_on_commit_callbacks: Any
) -> None:
    stream = StreamFactory(visibility=visibility)
    with django_capture_on_commit_callbacks() as callbacks:
        begin(stream, "first")
        begin(stream, "second")

    sent = [callback for callback in callbacks if callback.__name__ == "send"]
    assert len(sent) == told
