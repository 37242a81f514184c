"""Tests of joining live segments, and of storing and listing them in a recording."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import EndpointConnectionError
from django.db import OperationalError, connection
from django.utils import timezone

from live.models import Broadcast
from live.recording import recorder as recorder_module
from live.recording import writer as writer_module
from live.recording.assembler import LiveSegment, RecordedSegment, SegmentAssembler, join
from live.recording.recorder import Recorder
from live.recording.spool import Spool, Unreadable, forget, is_spooled, left_behind, leftovers
from live.recording.writer import RecordingWriter, StorageLimitReached
from live.tests.recording import NAMES, RENDITIONS, begin, listed, live, stored
from videos.models import SegmentRun, Video
from videos.publishing import Encode, multivariant_playlist
from videos.services import recordings
from videos.services.recordings import RecordingClosed


def msns(joined: RecordedSegment | None) -> list[int]:
    return [segment.msn for segment in joined.segments] if joined else []


def test_live_segments_are_joined_to_four_seconds() -> None:
    assert [msns(joined) for joined in join(live(msn) for msn in range(5))] == [[0, 1], [2, 3], [4]]


def test_segments_are_not_joined_across_a_gap_or_discontinuity() -> None:
    segments = [live(0), live(2), live(3, is_discontinuous=True)]

    assert [msns(joined) for joined in join(segments)] == [[0], [2], [3]]


def test_recorded_segment_never_exceeds_the_playlist_limit() -> None:
    segments = [live(0, 3.9), live(1, 5.0), live(2, 30.0)]

    joined = list(join(segments))

    assert [msns(one) for one in joined] == [[0], [1], [2]]
    assert [one.duration_s for one in joined] == [3.9, 5.0, 8.4]


def feed(assembler: SegmentAssembler, msn: int, name: str, duration_s: float = 2.0) -> RecordedSegment | None:
    assembler.add_part(name, msn, f"{name}:{msn}.0;".encode())
    assembler.add_part(name, msn, f"{name}:{msn}.1;".encode())
    return assembler.end_segment(name, msn, duration_s)


def test_segment_is_released_after_every_rendition_has_it() -> None:
    assembler = SegmentAssembler(NAMES)
    assembler.begin_epoch(1_700_000_000.0)
    made = [feed(assembler, msn, name) for msn in (0, 1) for name in NAMES]

    assert [msns(joined) for joined in made] == [[], [], [], [0, 1]]
    assert made[-1]
    assert made[-1].data("r1") == b"r1:0.0;r1:0.1;r1:1.0;r1:1.1;"
    assert [segment.is_discontinuous for segment in made[-1].segments] == [True, False]


def test_complete_segments_are_released_at_the_end_of_a_timeline() -> None:
    assembler = SegmentAssembler(NAMES)
    assembler.begin_epoch(1_700_000_000.0)
    for name in NAMES:
        feed(assembler, 0, name)
    feed(assembler, 1, "r0")

    assert msns(assembler.begin_epoch(1_700_000_000.0)) == [0]
    assert assembler.flush() is None


@pytest.mark.storage
@pytest.mark.django_db
def test_stored_segments_are_listed(bucket: str) -> None:
    broadcast = begin()
    writer = RecordingWriter(broadcast, RENDITIONS)

    for joined in join(live(msn, is_discontinuous=msn in (0, 4)) for msn in range(6)):
        writer.write(joined)

    assert listed(broadcast) == [
        '#EXT-X-MAP:URI="r0/1-1/init.mp4"',
        "r0/1-1/0.m4s",
        "r0/1-1/1.m4s",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="r0/2-1/init.mp4"',
        "r0/2-1/2.m4s",
    ]
    assert stored(broadcast, "r1/1-1/1.m4s") == b"r1:2;r1:3;"
    assert stored(broadcast, "r1/2-1/init.mp4") == b"init r1"
    broadcast.refresh_from_db()
    assert broadcast.recorded_msn == 5


@pytest.mark.storage
@pytest.mark.django_db
def test_long_list_is_continued_in_a_new_run(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "SEGMENTS_PER_RUN", 2)
    broadcast = begin()
    writer = RecordingWriter(broadcast, RENDITIONS)

    for joined in join(live(msn, 4.0, is_discontinuous=msn == 0) for msn in range(5)):
        writer.write(joined)

    assert listed(broadcast) == [
        '#EXT-X-MAP:URI="r0/1-1/init.mp4"',
        "r0/1-1/0.m4s",
        "r0/1-1/1.m4s",
        "r0/2-1/2.m4s",
        "r0/2-1/3.m4s",
        "r0/3-1/4.m4s",
    ]


@pytest.mark.storage
@pytest.mark.django_db
def test_recording_stops_at_the_storage_limit_before_its_next_run(
    bucket: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(writer_module, "SEGMENTS_PER_RUN", 2)
    settings.MAX_BYTES_KEPT_PER_PERSON = 1
    writer = RecordingWriter(begin(), RENDITIONS)
    joined = list(join(live(msn, 4.0, is_discontinuous=msn == 0) for msn in range(3)))
    for segment in joined[:2]:
        writer.write(segment)

    with pytest.raises(StorageLimitReached):
        writer.write(joined[2])

    assert [run.segments for run in SegmentRun.objects.order_by("position") if run.segments] == [[4.0, 4.0]]


@pytest.mark.storage
@pytest.mark.django_db
def test_recording_stops_at_the_storage_limit_after_a_database_error(
    bucket: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MAX_BYTES_KEPT_PER_PERSON = 1
    writer = RecordingWriter(begin(), RENDITIONS)
    first, second = join(live(msn, 4.0, is_discontinuous=msn == 0) for msn in range(2))
    writer.write(first)
    with monkeypatch.context() as outage:
        outage.setattr(recordings, "append_segment", mock.Mock(side_effect=OperationalError))
        with pytest.raises(OperationalError):
            writer.write(second)

    with pytest.raises(StorageLimitReached):
        writer.write(second)

    assert [run.segments for run in SegmentRun.objects.order_by("position") if run.segments] == [[4.0]]


@pytest.mark.django_db(transaction=True)
async def test_recorder_reports_that_it_stopped_at_the_storage_limit(executor: Executor) -> None:
    writer = mock.Mock()
    writer.write.side_effect = StorageLimitReached
    recorder = recorder_of(writer, executor)
    recorder.add(RecordedSegment([live(0)]))

    assert await recorder.drain(10)
    assert (recorder.is_full, recorder.has_lost) == (True, False)


@pytest.mark.storage
@pytest.mark.django_db
def test_bandwidth_of_a_recording_is_its_peak_segment_bitrate(bucket: str) -> None:
    broadcast = begin()
    writer = RecordingWriter(broadcast, RENDITIONS)
    sizes = [100_000, 900_000, 400_000]

    for msn, size in enumerate(sizes):
        segment = live(msn, 4.0, is_discontinuous=msn == 0)
        writer.write(RecordedSegment([replace(segment, data={"r0": bytes(size), "r1": bytes(size // 4)})]))
    too_short = replace(live(3, 3.9), data={"r0": bytes(1_200_000), "r1": bytes(1_200_000)})
    writer.write(RecordedSegment([too_short]))

    assert broadcast.recording
    text = multivariant_playlist(Encode.of(broadcast.recording), str)
    assert [int(bps) for bps in re.findall(r":BANDWIDTH=(\d+)", text)] == pytest.approx(
        [1_800_000, 450_000], abs=1
    )


@pytest.mark.storage
@pytest.mark.django_db
def test_concurrent_writers_list_every_segment_once(bucket: str) -> None:
    broadcast = begin()
    slow, quick = RecordingWriter(broadcast, RENDITIONS), RecordingWriter(broadcast, RENDITIONS)
    slow.write(RecordedSegment([live(0, is_discontinuous=True), live(1)]))

    quick.write(RecordedSegment([live(0, is_discontinuous=True), live(1), live(2)]))
    slow.write(RecordedSegment([live(2), live(3)]))

    assert [name for name in listed(broadcast) if not name.startswith("#")] == [
        "r0/1-1/0.m4s",
        "r0/3-1/1.m4s",
        "r0/4-1/2.m4s",
    ]
    assert stored(broadcast, "r0/3-1/1.m4s") == b"r0:2;"
    assert stored(broadcast, "r0/4-1/2.m4s") == b"r0:3;"
    assert not any("DISCONTINUITY" in line for line in listed(broadcast))


@pytest.mark.storage
@pytest.mark.django_db
def test_segment_whose_listing_was_rolled_back_is_listed_once(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = begin()
    writer = RecordingWriter(broadcast, RENDITIONS)
    append = recordings.append_segment

    def append_without_commit(*arguments: Any, **named: Any) -> None:
        append(*arguments, **named)
        raise OperationalError

    writer.write(RecordedSegment([live(0, is_discontinuous=True), live(1)]))
    joined = RecordedSegment([live(2), live(3)])
    with monkeypatch.context() as outage:
        outage.setattr(recordings, "append_segment", append_without_commit)
        with pytest.raises(OperationalError):
            writer.write(joined)

    writer.write(joined)

    assert listed(broadcast) == ['#EXT-X-MAP:URI="r0/1-1/init.mp4"', "r0/1-1/0.m4s", "r0/2-1/1.m4s"]


@pytest.mark.storage
@pytest.mark.django_db(transaction=True)
def test_writers_that_list_and_open_at_once_do_not_deadlock(
    bucket: str, monkeypatch: pytest.MonkeyPatch, executor: Executor
) -> None:
    broadcast = begin()
    video = Video.objects.get(broadcast=broadcast)
    opened: list[Future[None]] = []
    append = recordings.append_segment

    def open_another() -> None:
        recordings.open_run(video, is_continuous=True, began_at=timezone.now())
        connection.close()

    def append_and_pause(*arguments: Any, **named: Any) -> None:
        append(*arguments, **named)
        opened.append(executor.submit(open_another))
        # Time for the other to reach its lock; a slower one proves nothing, and fails nothing.
        time.sleep(0.5)

    monkeypatch.setattr(recordings, "append_segment", append_and_pause)
    RecordingWriter(broadcast, RENDITIONS).write(RecordedSegment([live(0, 4.0, is_discontinuous=True)]))
    opened[0].result(20)

    runs = SegmentRun.objects.order_by("position")
    assert [(run.segments, run.is_open) for run in runs] == [([], False), ([4.0], False), ([], True)]


@pytest.mark.storage
@pytest.mark.django_db
def test_segment_after_an_unreadable_one_begins_a_timeline(bucket: str) -> None:
    broadcast = begin()
    writer = RecordingWriter(broadcast, RENDITIONS)
    writer.write(RecordedSegment([live(0, 4.0, is_discontinuous=True)]))
    unreadable = mock.MagicMock()
    unreadable.__getitem__.side_effect = Unreadable("1")
    lost = replace(live(1, 4.0, is_discontinuous=True), data=unreadable)
    with pytest.raises(Unreadable):
        writer.write(RecordedSegment([lost]))

    writer.write(RecordedSegment([live(2, 4.0)]))

    began_at = [run.began_at.timestamp() for run in SegmentRun.objects.exclude(segments=[]) if run.began_at]
    assert began_at == [1_700_000_000.0, 1_700_000_004.0]


@pytest.mark.storage
@pytest.mark.django_db
def test_replaced_writer_stops_at_the_first_conflict(bucket: str) -> None:
    broadcast = begin()
    old = RecordingWriter(broadcast, RENDITIONS)
    old.write(RecordedSegment([live(0, is_discontinuous=True)]))
    Broadcast.objects.update(connection_id="newer")
    broadcast.refresh_from_db()
    RecordingWriter(broadcast, RENDITIONS).write(RecordedSegment([live(1)]))

    with pytest.raises(RecordingClosed):
        old.write(RecordedSegment([live(1), live(2)]))


@pytest.mark.storage
@pytest.mark.django_db
def test_replaced_writer_stores_only_segments_before_the_newer_publishers(bucket: str) -> None:
    broadcast = begin()
    old = RecordingWriter(broadcast, RENDITIONS)
    Broadcast.objects.update(connection_id="newer", first_msn=None)
    old.write(RecordedSegment([live(0, is_discontinuous=True)]))
    Broadcast.objects.update(first_msn=2)

    old.write(RecordedSegment([live(1)]))
    with pytest.raises(RecordingClosed):
        old.write(RecordedSegment([live(2)]))

    broadcast.refresh_from_db()
    assert broadcast.recorded_msn == 1


@pytest.mark.storage
@pytest.mark.django_db
def test_recording_of_deleted_video_is_closed(bucket: str) -> None:
    broadcast = begin()
    writer = RecordingWriter(broadcast, RENDITIONS)
    Video.objects.all().delete()

    with pytest.raises(RecordingClosed):
        writer.write(RecordedSegment([live(0)]))


class Writer:
    """Fake writer that keeps its segments and fails while ``fails`` is set."""

    def __init__(self) -> None:
        self.written: list[list[int]] = []
        self.fails = False
        self.bytes = b""
        self.tries = 0

    def write(self, joined: RecordedSegment) -> None:
        self.tries += 1
        if self.fails:
            raise EndpointConnectionError(endpoint_url="s3")
        self.bytes += joined.data("r0")
        self.written.append(msns(joined))


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def recorder_of(writer: Any, executor: Executor) -> Recorder:
    recorder = Recorder(lambda: writer, executor)
    recorder.start()
    return recorder


@pytest.mark.django_db(transaction=True)
async def test_segments_wait_during_a_storage_outage(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "RETRY_S", (0.01,))
    writer = Writer()
    writer.fails = True
    recorder = recorder_of(writer, executor)
    for msn in range(3):
        recorder.add(RecordedSegment([live(msn)]))
    async with asyncio.timeout(10):
        while writer.tries < 3:  # noqa: ASYNC110 (counted in a thread)
            await asyncio.sleep(0.01)

    writer.fails = False

    assert await recorder.drain(10)
    assert writer.written == [[0], [1], [2]]


@pytest.mark.django_db(transaction=True)
async def test_oldest_segments_are_dropped_beyond_the_bound(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MAX_WAITING_BYTES", 25)
    writer = Writer()
    recorder = Recorder(lambda: writer, executor)  # type: ignore[arg-type,return-value]
    for msn in range(5):
        recorder.add(RecordedSegment([live(msn)]))

    recorder.start()

    assert await recorder.drain(10)
    assert writer.written == [[3], [4]]


@pytest.mark.django_db(transaction=True)
async def test_unavailable_storage_does_not_block_draining(executor: Executor) -> None:
    writer = Writer()
    writer.fails = True
    recorder = recorder_of(writer, executor)
    recorder.add(RecordedSegment([live(0)]))

    assert not await recorder.drain(0.05)
    await recorder.stop()


@pytest.mark.django_db(transaction=True)
async def test_waiting_segments_are_spilled_to_disk_without_loss(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "RETRY_S", (0.01,))
    monkeypatch.setattr(recorder_module, "MEMORY_BYTES", 25)
    writer = Writer()
    writer.fails = True
    spool = Spool(10_000)
    recorder = Recorder(lambda: writer, executor, spool.folder("b1"))  # type: ignore[arg-type,return-value]
    recorder.start()
    for msn in range(20):
        recorder.add(RecordedSegment([live(msn)]))
    assert recorder._spilling
    await recorder._spilling
    held_bytes, waiting_bytes = spool.used_bytes, recorder._memory_bytes

    writer.fails = False

    assert await recorder.drain(10)
    await recorder.stop()
    assert held_bytes == sum(live(msn).size_bytes for msn in range(20)) - waiting_bytes
    assert (waiting_bytes <= 25, spool.used_bytes, left_behind()) == (True, 0, set())
    assert writer.written == [[msn] for msn in range(20)]
    assert writer.bytes == b"".join(live(msn).data["r0"] for msn in range(20))
    assert not recorder.has_lost


@pytest.mark.django_db(transaction=True)
async def test_segments_beyond_disk_and_memory_become_a_gap(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MEMORY_BYTES", 15)
    monkeypatch.setattr(recorder_module, "MAX_WAITING_BYTES", 25)
    writer = Writer()
    recorder = Recorder(lambda: writer, executor, Spool(22).folder("b4"))  # type: ignore[arg-type,return-value]
    for msn in range(8):
        recorder.add(RecordedSegment([live(msn)]))
        if recorder._spilling:
            await recorder._spilling

    recorder.start()

    assert await recorder.drain(10)
    await recorder.stop()
    assert recorder.has_lost
    assert writer.written == [[0], [1], [6], [7]]


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
async def test_spooled_segment_that_cannot_be_read_becomes_a_gap(executor: Executor) -> None:
    writer = Writer()
    folder = Spool(10_000).folder("b9")
    recorder = Recorder(lambda: writer, executor, folder)  # type: ignore[arg-type,return-value]
    segments = [live(msn) for msn in range(3)]
    segments[1].spill(folder)
    segments[1].data.path.unlink()  # type: ignore[attr-defined]
    for segment in segments:
        recorder.add(RecordedSegment([segment]))

    recorder.start()

    assert await recorder.drain(10)
    await recorder.stop()
    assert recorder.has_lost
    assert writer.written == [[0], [2]]
    forget("b9")


@pytest.mark.django_db(transaction=True)
async def test_recorder_stores_after_its_predecessors_segments(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "RETRY_S", (0.01,))
    writer = Writer()
    writer.fails = True
    old = recorder_of(writer, executor)
    old.add(RecordedSegment([live(0)]))
    new = Recorder(lambda: writer, executor, None, old)  # type: ignore[arg-type,return-value]
    new.start()
    new.add(RecordedSegment([live(1)]))
    draining = asyncio.create_task(new.drain(10))

    writer.fails = False

    assert await old.drain(10)
    assert await draining
    assert writer.written == [[0], [1]]


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
async def test_segments_given_up_by_a_recorder_stay_on_disk(executor: Executor) -> None:
    writer = Writer()
    writer.fails = True
    spool = Spool(10_000)
    recorder = Recorder(lambda: writer, executor, spool.folder("b1"))  # type: ignore[arg-type,return-value]
    recorder.start()
    for msn in range(3):
        recorder.add(RecordedSegment([live(msn)]))

    assert not await recorder.drain(0.05)
    await recorder.stop()

    assert (left_behind(), spool.used_bytes) == ({"b1"}, 0)
    with leftovers("b1") as found:
        segments = [LiveSegment.of_disk(left) for left in found]
        assert sorted(segment.msn for segment in segments) == [0, 1, 2]
        assert all(dict(segment.data) == live(segment.msn).data for segment in segments)
        assert all(segment.inits == live(segment.msn).inits for segment in segments)
    forget("b1")
    assert not is_spooled("b1")
