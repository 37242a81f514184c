"""Tests of joining live segments, and of storing and listing them in a recording."""

from __future__ import annotations

import re
import time
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from live.models import Broadcast
from live.recording import writer as writer_module
from live.recording.assembler import RecordedSegment, SegmentAssembler, join
from live.recording.spool import Unreadable
from live.recording.writer import RecordingWriter, StorageLimitReached
from live.tests.recording import NAMES, RENDITIONS, begin, listed, live, msns, stored
from videos.models import SegmentRun, Video
from videos.publishing import Encode, multivariant_playlist
from videos.services import recordings
from videos.services.recordings import RecordingClosed


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
