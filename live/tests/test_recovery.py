"""Recovery of the segments of a killed ingest."""

from __future__ import annotations

import asyncio
import errno
from datetime import timedelta
from unittest import mock

import pytest
from django.conf import settings
from django.utils import timezone

from common import storage
from common.redis_clients import shared_client
from live import broadcasting
from live.edge.tail import TailSegment
from live.ingest.publisher_session import in_thread
from live.models import Broadcast
from live.recording import recovery
from live.recording import spool as spool_module
from live.recording.assembler import LiveSegment, RecordedSegment
from live.recording.spool import (
    Spool,
    StoredBytes,
    Unreadable,
    forget,
    is_spooled,
    left_behind,
)
from live.recording.writer import RecordingWriter
from live.tests.factories import BroadcastFactory
from live.tests.recording import NAMES, RENDITIONS, begin, listed, live, storage_away, stored
from videos.models import SegmentRun, Video


def left_on_disk(broadcast: Broadcast, *segments: LiveSegment) -> None:
    """Leave segments on disk, as a killed process does."""
    folder = Spool(10_000).folder(broadcast.public_id)
    for segment in segments:
        segment.spill(folder)
    folder.close()


def tail_of(*segments: LiveSegment) -> list[TailSegment]:
    return [
        TailSegment(
            name, segment.msn, 0, segment.duration_s, segment.is_discontinuous, segment.starts_at,
            segment.inits[name], segment.data[name],
        )
        for segment in segments
        for name in NAMES
    ]  # fmt: skip


@pytest.fixture
def tail(monkeypatch: pytest.MonkeyPatch) -> list[TailSegment]:
    """Return the fake edge's tail, a list that tests fill."""
    held: list[TailSegment] = []
    monkeypatch.setattr(
        recovery,
        "read_tail",
        lambda _broadcast, after_msn: [piece for piece in held if piece.msn > after_msn],
    )
    return held


@pytest.mark.storage
@pytest.mark.django_db
def test_tail_is_stored_after_the_listed_segments(bucket: str, tail: list[TailSegment]) -> None:
    broadcast = begin()
    RecordingWriter(broadcast, RENDITIONS).write(RecordedSegment([live(0, is_discontinuous=True), live(1)]))
    tail += tail_of(live(0, is_discontinuous=True), live(1), live(2), live(3, 0.4))

    recovery.store_tail(broadcast)
    recovery.store_tail(broadcast)

    assert listed(broadcast) == [
        '#EXT-X-MAP:URI="r0/1-1/init.mp4"',
        "r0/1-1/0.m4s",
        "r0/2-1/1.m4s",
    ]
    assert [run.segments for run in SegmentRun.objects.order_by("position")] == [[], [4.0], [2.4]]
    assert stored(broadcast, "r1/2-1/1.m4s") == b"r1:2;r1:3;"


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db
def test_spooled_segments_of_a_killed_ingest_are_stored_before_the_tail(
    bucket: str, tail: list[TailSegment]
) -> None:
    broadcast = begin()
    tail += tail_of(live(3, 4.0), live(4, 4.0))
    left_on_disk(broadcast, *(live(msn, 4.0) for msn in range(4)))

    recovery.store_left_behind()

    broadcast.refresh_from_db()
    assert (broadcast.recorded_msn, left_behind()) == (4, set())
    assert [run.segments for run in SegmentRun.objects.order_by("position") if run.segments] == [[4.0] * 5]
    assert stored(broadcast, "r1/1-1/2.m4s") == b"r1:2;"


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db
def test_tail_is_spooled_during_a_storage_outage(
    bucket: str, tail: list[TailSegment], monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = begin()
    tail += tail_of(live(0, 4.0), live(1, 4.0))
    with storage_away():
        assert not recovery.store_tail(broadcast)
        assert not recovery.store_tail(broadcast)
    tail.clear()

    assert recovery.store_tail(broadcast)

    broadcast.refresh_from_db()
    assert (broadcast.recorded_msn, left_behind()) == (1, set())


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db
def test_recording_is_completed_after_storing_spooled_segments(
    bucket: str, tail: list[TailSegment], monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = begin()
    left_on_disk(broadcast, live(0, 4.0), live(1, 4.0))
    long_ago = timezone.now() - timedelta(minutes=5)
    Broadcast.objects.update(status="reconnecting", interrupted_at=long_ago, started_at=long_ago)
    video = Video.objects.get(broadcast=broadcast)

    with storage_away():
        broadcasting.sweep()
        broadcasting.complete_recording(broadcast)
        video.refresh_from_db()
        assert video.status == Video.Status.PROCESSING
    Broadcast.objects.update(ended_at=long_ago)
    broadcasting.sweep()

    video.refresh_from_db()
    assert (video.status, video.duration_s, left_behind()) == (Video.Status.READY, 8.0, set())


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db
def test_segment_that_becomes_unreadable_does_not_stop_the_recovery(
    bucket: str, tail: list[TailSegment], monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = begin()
    left_on_disk(broadcast, *(live(msn, 4.0) for msn in range(3)))
    readable = StoredBytes.__getitem__

    def read(data: StoredBytes, rendition: str) -> bytes:
        if int(data.path.stem) != 1:
            return readable(data, rendition)
        raise Unreadable(data.path.name) from OSError(errno.EIO, "bad sector")

    monkeypatch.setattr(StoredBytes, "__getitem__", read)

    assert recovery.store_tail(broadcast)

    broadcast.refresh_from_db()
    assert (broadcast.recorded_msn, left_behind()) == (2, set())
    assert [run.segments for run in SegmentRun.objects.order_by("position") if run.segments] == [[4.0], [4.0]]


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db
def test_lock_that_runs_out_during_the_last_segment_is_no_error(
    bucket: str, tail: list[TailSegment], monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = begin()
    tail += tail_of(live(0, 4.0))

    def take_the_lock(*_arguments: object, **_named: object) -> None:
        shared_client(settings.REDIS_URL).set(recovery.LOCK.format(broadcast=broadcast.public_id), "another")

    monkeypatch.setattr(spool_module, "forget", take_the_lock)

    assert recovery.store_tail(broadcast)


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db
def test_recovery_without_its_lock_stops_before_the_next_segment(
    bucket: str, tail: list[TailSegment], monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = begin()
    tail += tail_of(live(0, 4.0), live(1, 4.0))
    put = storage.put_bytes

    def lose_the_lock(key: str, data: bytes) -> None:
        shared_client(settings.REDIS_URL).delete(recovery.LOCK.format(broadcast=broadcast.public_id))
        put(key, data)

    with monkeypatch.context() as slow:
        slow.setattr(storage, "put_bytes", lose_the_lock)
        assert not recovery.store_tail(broadcast)
    broadcast.refresh_from_db()
    assert broadcast.recorded_msn == 0

    assert recovery.store_tail(broadcast)
    broadcast.refresh_from_db()
    assert broadcast.recorded_msn == 1


@pytest.mark.redis
@pytest.mark.django_db
def test_broadcast_that_cannot_be_recovered_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    broadcasts = [begin(), begin()]
    for broadcast in broadcasts:
        left_on_disk(broadcast, live(0))
    recover = mock.Mock(side_effect=ValueError)
    monkeypatch.setattr(recovery, "recover", recover)

    recovery.store_left_behind()

    assert recover.call_count == 2
    for broadcast in broadcasts:
        forget(broadcast.public_id)


@pytest.mark.redis
@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "000000000003.partial", "000000000003.segment"])
def test_folder_without_a_readable_segment_is_deleted(tail: list[TailSegment], name: str) -> None:
    broadcast = begin()
    folder = spool_module._root() / f"{broadcast.public_id}.killed"
    folder.mkdir()
    if name:
        (folder / name).write_bytes(b"cut")

    assert recovery.store_tail(broadcast)

    assert not is_spooled(broadcast.public_id)


@pytest.mark.redis
@pytest.mark.django_db
def test_spooled_segments_of_a_deleted_broadcast_are_deleted() -> None:
    left_on_disk(BroadcastFactory.build(public_id="gone"), live(0))

    recovery.store_left_behind()

    assert left_behind() == set()


@pytest.mark.storage
@pytest.mark.django_db
def test_segment_missing_in_one_rendition_is_left_out(bucket: str, tail: list[TailSegment]) -> None:
    broadcast = begin()
    tail += tail_of(live(0, 4.0), live(1))[:-1]

    recovery.store_tail(broadcast)

    assert [name for name in listed(broadcast) if not name.startswith("#")] == ["r0/1-1/0.m4s"]


@pytest.mark.storage
@pytest.mark.django_db
def test_recovery_stores_only_segments_before_the_new_publishers(
    bucket: str, tail: list[TailSegment]
) -> None:
    broadcast = begin()
    tail += tail_of(live(0), live(1), live(2, is_discontinuous=True))

    recovery.recover(broadcast, before_msn=2)

    broadcast.refresh_from_db()
    assert broadcast.recorded_msn == 1


@pytest.mark.django_db
def test_tail_of_unrecorded_broadcast_is_not_stored(tail: list[TailSegment]) -> None:
    tail += tail_of(live(0))

    recovery.store_tail(BroadcastFactory())

    assert not SegmentRun.objects.exists()


@pytest.mark.storage
@pytest.mark.django_db(transaction=True)
async def test_concurrent_recoveries_list_every_segment_once(bucket: str, tail: list[TailSegment]) -> None:
    broadcast = await in_thread(begin)
    tail += tail_of(*(live(msn) for msn in range(6)))

    await asyncio.gather(*(in_thread(recovery.store_tail, broadcast) for _ in range(3)))

    fresh = await in_thread(Broadcast.objects.get)
    runs = await in_thread(lambda: list(SegmentRun.objects.values_list("segments", flat=True)))
    assert fresh.recorded_msn == 5
    assert sum(sum(segments) for segments in runs) == 12.0
