"""Tests of a broadcast's life cycle, in which every change names its connection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from accounts import outbox
from accounts.models import Follow, Notification, OutboxEntry, SweepFailure
from accounts.tests.factories import UserFactory
from live import broadcasting, services
from live.broadcasting import MayNotPublish, Standing
from live.chat import log as chat_log
from live.edge import control, keys
from live.errors import NotOnAir, StreamSuspended
from live.models import Broadcast, Stream
from live.tests.factories import BroadcastFactory, StreamFactory
from videos import services as video_services
from videos.models import Video
from videos.services import recordings

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.redis,
    pytest.mark.storage,
    pytest.mark.usefixtures("bucket"),
]

SOURCE = {"width_px": 1280, "height_px": 720}


def begin(stream: Stream, connection_id: str = "first") -> Broadcast:
    return broadcasting.begin(stream, connection_id=connection_id, source=SOURCE)


def keep_alive(broadcast: Broadcast, connection_id: str = "first") -> Standing:
    """Send a heartbeat with the key that the publisher came with; return its standing."""
    return broadcasting.keep_alive(broadcast.pk, connection_id, key_digest=broadcast.stream.key_digest)


def long_ago(broadcast: Broadcast, *names: str) -> None:
    Broadcast.objects.filter(pk=broadcast.pk).update(
        **dict.fromkeys(names, timezone.now() - timedelta(hours=1))
    )


def test_broadcast_begins_with_an_unlisted_recording() -> None:
    stream = StreamFactory()

    broadcast = begin(stream)

    recording = broadcast.recording
    assert recording is not None
    assert broadcast.status == Broadcast.Status.LIVE
    assert (recording.status, recording.is_playable) == (Video.Status.PROCESSING, False)
    assert not Video.objects.listed().exists()


def test_recording_of_an_untitled_stream_is_named_by_channel_and_day() -> None:
    stream = StreamFactory(title="")

    broadcast = begin(stream)

    assert broadcast.recording is not None
    assert broadcast.recording.title == f"{stream.channel.name} · {broadcast.started_at:%Y-%m-%d}"


def test_stream_without_replay_is_not_recorded() -> None:
    broadcast = begin(StreamFactory(record=False))
    assert broadcast.recording is None


def test_channel_at_its_storage_limit_goes_live_only_unrecorded(settings: Any) -> None:
    settings.MAX_BYTES_KEPT_PER_PERSON = 1000
    stream = StreamFactory()
    first = begin(stream)
    assert first.recording is not None
    Video.objects.filter(pk=first.recording.pk).update(source_size_bytes=1000)

    begin(stream, "second")  # a running broadcast may continue
    broadcasting.end(first, Broadcast.Ending.STOPPED)
    with pytest.raises(MayNotPublish) as refused:
        begin(stream, "third")
    Stream.objects.filter(pk=stream.pk).update(record=False)
    unrecorded = begin(stream, "fourth")

    assert refused.value.standing is Standing.STORAGE_LIMIT
    assert unrecorded.recording is None


def test_newest_publisher_continues_the_broadcast_and_the_older_one_is_ignored() -> None:
    stream = StreamFactory()
    first = begin(stream, "first")

    second = begin(stream, "second")

    assert first.pk == second.pk
    assert keep_alive(first, "first") is Standing.REPLACED
    assert broadcasting.interrupt(first.pk, "first") is False
    broadcasting.release(first.pk, "first", has_unpublished=True)
    second.refresh_from_db()
    assert second.status == Broadcast.Status.LIVE


def test_publisher_that_returns_in_time_continues_the_same_broadcast() -> None:
    stream = StreamFactory()
    broadcast = begin(stream, "first")
    broadcasting.release(broadcast.pk, "first", has_unpublished=False)
    waiting = Broadcast.objects.get(pk=broadcast.pk).status

    returned = begin(stream, "second")

    assert waiting == Broadcast.Status.RECONNECTING
    assert (returned.pk, returned.status) == (broadcast.pk, Broadcast.Status.LIVE)


def test_broadcast_keeps_its_rungs_on_a_host_with_others(settings: Any) -> None:
    stream = StreamFactory()
    settings.LIVE_RUNGS = [720, 480, 360]
    first = begin(stream, "first")
    settings.LIVE_RUNGS = [480, 360]

    again = begin(stream, "second")

    assert (again.pk, again.rungs_json) == (first.pk, [720, 480, 360])


def test_publisher_returning_too_late_begins_a_new_broadcast() -> None:
    stream = StreamFactory(record=False)
    broadcast = begin(stream, "first")
    broadcasting.interrupt(broadcast.pk, "first")
    long_ago(broadcast, "interrupted_at")
    broadcasting.sweep()

    later = begin(stream, "second")

    broadcast.refresh_from_db()
    assert (broadcast.status, broadcast.ending) == (Broadcast.Status.ENDED, Broadcast.Ending.TIMED_OUT)
    assert later.pk != broadcast.pk


def test_publisher_returning_after_unpublishing_continues_the_broadcast() -> None:
    stream = StreamFactory(record=False)
    broadcast = begin(stream, "first")
    broadcasting.release(broadcast.pk, "first", has_unpublished=True)
    ended = Broadcast.objects.get(pk=broadcast.pk)

    again = begin(stream, "second")

    assert (ended.status, ended.ending) == (Broadcast.Status.ENDED, Broadcast.Ending.UNPUBLISHED)
    assert (again.pk, again.status, again.ended_at) == (broadcast.pk, Broadcast.Status.LIVE, None)


def test_broadcast_ended_in_the_studio_stays_ended() -> None:
    stream = StreamFactory(record=False)
    broadcast = begin(stream, "first")
    services.end_broadcast(stream, by=stream.channel.owner)

    again = begin(stream, "second")

    assert again.pk != broadcast.pk
    assert keep_alive(broadcast) is Standing.ENDED


def test_ending_a_stream_off_air_is_refused() -> None:
    stream = StreamFactory()

    with pytest.raises(NotOnAir):
        services.end_broadcast(stream, by=stream.channel.owner)


def test_recording_without_a_frame_leaves_no_video(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    broadcast = begin(StreamFactory())

    with django_capture_on_commit_callbacks(execute=True):
        broadcasting.release(broadcast.pk, "first", has_unpublished=True)

    assert not Video.objects.exists()


def test_sweep_interrupts_broadcast_of_a_dead_ingest() -> None:
    broadcast = begin(StreamFactory(record=False))
    long_ago(broadcast, "started_at")
    broadcasting.sweep()
    heard = Broadcast.objects.get(pk=broadcast.pk).status
    long_ago(broadcast, "heard_at")

    broadcasting.sweep()

    broadcast.refresh_from_db()
    assert (heard, broadcast.status) == (Broadcast.Status.LIVE, Broadcast.Status.RECONNECTING)


def test_heartbeat_of_an_ingest_ends_a_wrong_interruption() -> None:
    broadcast = begin(StreamFactory(record=False))
    broadcasting.interrupt(broadcast.pk, "first")

    standing = keep_alive(broadcast)

    broadcast.refresh_from_db()
    assert (standing, broadcast.status) == (Standing.GOOD, Broadcast.Status.LIVE)


def test_sweep_closes_open_recordings() -> None:
    broadcast = begin(StreamFactory())
    services.end_broadcast(broadcast.stream, by=broadcast.stream.channel.owner)
    long_ago(broadcast, "ended_at", "heard_at")

    broadcasting.sweep()

    assert not Video.objects.filter(status=Video.Status.PROCESSING).exists()


def test_emptied_redis_ends_no_broadcast() -> None:
    broadcast = begin(StreamFactory(record=False))
    long_ago(broadcast, "started_at")
    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        client.flushdb()

    broadcasting.sweep()

    broadcast.refresh_from_db()
    assert broadcast.status == Broadcast.Status.LIVE


@pytest.mark.parametrize("error", [OutOfMemoryError("full"), RedisConnectionError("away")])
def test_redis_refusing_writes_does_not_end_a_broadcast(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        raise error

    for module, name in ((chat_log, "publish"), (control, "correct_access"), (control, "_set")):
        monkeypatch.setattr(module, name, refuse)
    broadcast = begin(StreamFactory(record=False))
    long_ago(broadcast, "started_at", "heard_at")

    standing = keep_alive(broadcast)
    broadcasting.sweep()

    broadcast.refresh_from_db()
    assert (standing, broadcast.status) == (Standing.GOOD, Broadcast.Status.LIVE)
    broadcasting.release(broadcast.pk, "first", has_unpublished=True)
    broadcast.refresh_from_db()
    assert broadcast.status == Broadcast.Status.ENDED


def test_failing_broadcast_does_not_block_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, good = begin(StreamFactory(record=False)), begin(StreamFactory(record=False))
    for broadcast in (bad, good):
        broadcasting.interrupt(broadcast.pk, "first")
        long_ago(broadcast, "interrupted_at")
    # The sweep takes the failing broadcast first.
    Broadcast.objects.filter(pk=bad.pk).update(started_at=timezone.now() + timedelta(hours=1))
    real = broadcasting.end

    def end(broadcast: Broadcast, ending: str, **how: Any) -> bool:
        if broadcast.pk == bad.pk:
            raise ValueError("a bad row")
        return real(broadcast, ending, **how)

    monkeypatch.setattr(broadcasting, "end", end)
    broadcasting.sweep()

    good.refresh_from_db()
    assert good.status == Broadcast.Status.ENDED
    assert SweepFailure.objects.get().row_pk == bad.pk


def test_stream_made_private_after_its_key_was_checked_begins_private() -> None:
    admitted = StreamFactory(key="right")
    services.edit_stream(Stream.objects.get(pk=admitted.pk), visibility="private")

    broadcast = begin(admitted)

    assert broadcast.access == broadcast.access_key
    assert broadcast.recording is not None
    assert broadcast.recording.visibility == "private"


@pytest.mark.parametrize(
    ("change", "standing"),
    [("rotate", Standing.KEY_CHANGED), ("revoke", Standing.KEY_CHANGED), ("suspend", Standing.SUSPENDED),
     ("deactivate", Standing.SUSPENDED), ("delete", Standing.KEY_CHANGED)],
)  # fmt: skip
def test_publisher_is_refused_after_its_key_or_owner_lost_access(change: str, standing: Standing) -> None:
    admitted = StreamFactory(key="right")
    withdraw(Stream.objects.get(pk=admitted.pk), change)

    with pytest.raises(MayNotPublish) as caught:
        begin(admitted)

    assert caught.value.standing is standing
    assert not Broadcast.objects.exists()


@pytest.mark.parametrize(
    ("change", "standing"),
    [("rotate", Standing.KEY_CHANGED), ("revoke", Standing.KEY_CHANGED), ("deactivate", Standing.SUSPENDED)],
)
def test_heartbeat_repeats_a_lost_command_to_the_ingest(change: str, standing: Standing) -> None:
    """The test never commits, so no command reaches an ingest."""
    broadcast = begin(StreamFactory(key="right"))
    withdraw(Stream.objects.get(pk=broadcast.stream_id), change)

    assert keep_alive(broadcast) is standing


def test_heartbeat_corrects_outdated_access_at_the_edge() -> None:
    broadcast = begin(StreamFactory())
    control.set_access(broadcast.public_id, "open")
    services.edit_stream(Stream.objects.get(pk=broadcast.stream_id), visibility="private")

    assert keep_alive(broadcast) is Standing.GOOD

    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        served = client.hget(keys.meta_key(broadcast.public_id), "access")
    assert served == broadcast.access_key.encode()


def withdraw(stream: Stream, change: str) -> None:
    match change:
        case "rotate":
            services.rotate_stream_key(stream)
        case "revoke":
            services.revoke_stream_key(stream)
        case "suspend":
            services.suspend_stream(stream)
        case "deactivate":
            stream.channel.owner.is_active = False
            stream.channel.owner.save()
        case "delete":
            stream.delete()


def test_key_is_stored_as_a_digest_and_finds_its_stream() -> None:
    stream = StreamFactory()

    key = services.rotate_stream_key(stream)

    stream.refresh_from_db()
    assert key not in str(vars(stream))
    assert services.owner_of_key(key) == stream


def test_rotated_and_revoked_keys_are_refused() -> None:
    stream = StreamFactory()
    old = services.rotate_stream_key(stream)
    new = services.rotate_stream_key(stream)
    after_rotation = services.owner_of_key(old)
    services.revoke_stream_key(stream)

    assert after_rotation is None
    assert services.owner_of_key(new) is None
    assert services.owner_of_key("") is None


@pytest.mark.parametrize("change", ["suspend", "deactivate"])
def test_key_of_suspended_or_inactive_streamer_is_refused(change: str) -> None:
    stream = StreamFactory(key="right")
    if change == "suspend":
        services.suspend_stream(stream)
    else:
        stream.channel.owner.is_active = False
        stream.channel.owner.save()

    owner = services.owner_of_key("right")
    assert owner is not None
    assert not owner.can_publish()


def test_suspension_ends_the_broadcast_and_refuses_a_new_key() -> None:
    broadcast = BroadcastFactory()

    services.suspend_stream(broadcast.stream)

    broadcast.refresh_from_db()
    assert broadcast.ending == Broadcast.Ending.SUSPENDED
    with pytest.raises(StreamSuspended):
        services.rotate_stream_key(broadcast.stream)


def test_running_broadcast_made_private_gets_a_secret_path(
    django_capture_on_commit_callbacks: Any,
) -> None:
    broadcast = begin(StreamFactory())
    with django_capture_on_commit_callbacks(execute=True):
        services.edit_stream(broadcast.stream, visibility="private", title="Only us")

    broadcast.refresh_from_db()
    recording = Video.objects.get()
    assert broadcast.access not in {"open", ""}
    assert (recording.visibility, recording.title) == ("private", "Only us")
    assert recording.searched.title == "only us"


@pytest.mark.parametrize(
    ("stream_fields", "own"),
    [
        ({}, {"visibility": "private"}),
        ({"title": "Lamps"}, {"visibility": "followers"}),
        ({"visibility": "unlisted"}, {"visibility": "private"}),
        ({"visibility": "unlisted"}, {"publish_at": timezone.now() + timedelta(days=1), "is_premiere": True}),
    ],
)
def test_recording_keeps_the_visibility_that_its_owner_set_during_the_broadcast(
    stream_fields: dict[str, Any], own: dict[str, Any]
) -> None:
    broadcast = begin(StreamFactory())
    assert broadcast.recording is not None
    recorder = recordings.open_run(broadcast.recording, is_continuous=False, began_at=timezone.now())
    recordings.append_segment(recorder, duration_s=4.0, size_bytes=1)
    video_services.edit_video(broadcast.recording, **own)
    chosen = (broadcast.recording.visibility, broadcast.recording.publish_at)

    services.edit_stream(broadcast.stream, **stream_fields)
    broadcasting.end(broadcast, Broadcast.Ending.STOPPED)
    broadcasting.complete_recording(broadcast)

    recording = Video.objects.get()
    assert (recording.visibility, recording.publish_at) == chosen
    assert recording.status == Video.Status.READY


@pytest.mark.parametrize(
    ("own", "visibility"),
    [
        ({}, "private"),
        ({"visibility": "followers"}, "followers"),
        ({"publish_at": timezone.now() + timedelta(days=1), "is_premiere": True}, "public"),
    ],
)
def test_open_recording_continued_after_its_stream_became_private_is_private(
    own: dict[str, Any], visibility: str
) -> None:
    stream = StreamFactory()
    broadcast = begin(stream, "first")
    Video.objects.update(**own)
    broadcasting.end(broadcast, Broadcast.Ending.UNPUBLISHED)
    broadcast.refresh_from_db()
    services.edit_stream(Stream.objects.get(pk=stream.pk), visibility="private")

    begin(stream, "second")

    assert Video.objects.get().visibility == visibility


@pytest.mark.parametrize(("visibility", "notified"), [("public", 1), ("unlisted", 0)])
def test_followers_are_notified_of_a_public_broadcast_once(visibility: str, notified: int) -> None:
    stream = StreamFactory(visibility=visibility)
    begin(stream, "first")
    begin(stream, "second")

    assert OutboxEntry.objects.count() == notified


def test_followers_are_not_notified_of_a_broadcast_that_became_private(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("accounts.notifications.FOLLOWERS_AT_ONCE", 1)
    stream = StreamFactory()
    first, _second = (
        Follow.objects.create(follower=UserFactory(), channel=stream.channel).follower for _ in range(2)
    )
    begin(stream, "first")
    outbox.work()
    services.edit_stream(Stream.objects.get(pk=stream.pk), visibility="private")

    for _ in range(3):
        outbox.work()

    assert [each.person for each in Notification.objects.filter(kind="channel_live")] == [first]
    assert not OutboxEntry.objects.exists()
