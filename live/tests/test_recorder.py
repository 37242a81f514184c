"""Tests of the queue of recorded segments: outages, its bounds, spilling to disk and its end."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import EndpointConnectionError

from live.recording import recorder as recorder_module
from live.recording.assembler import LiveSegment, RecordedSegment
from live.recording.recorder import Recorder
from live.recording.spool import Spool, forget, is_spooled, left_behind, leftovers
from live.recording.writer import StorageLimitReached
from live.tests.recording import live, msns


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


def recorder_of(writer: Any, executor: Executor) -> Recorder:
    recorder = Recorder(lambda: writer, executor)
    recorder.start()
    return recorder


@pytest.mark.django_db(transaction=True)
async def test_recorder_reports_that_it_stopped_at_the_storage_limit(executor: Executor) -> None:
    writer = mock.Mock()
    writer.write.side_effect = StorageLimitReached
    recorder = recorder_of(writer, executor)
    recorder.add(RecordedSegment([live(0)]))

    assert await recorder.drain(10)
    assert (recorder.is_full, recorder.has_lost) == (True, False)


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
