"""The fan-out of parts and segments to the edge, the recording and the poster."""

from __future__ import annotations

from typing import Any

import pytest

from live.ingest.fan_out import SegmentFanOut
from live.llhls.segments import Init, Part, SegmentEnd
from live.recording.assembler import RecordedSegment
from live.tests.edge_tools import SHAPE

INIT = Init(b"init", "avc1.64001f", 1280, 720)


class RecordingEdge:
    """An edge that keeps its calls; two epochs and seven segments have passed."""

    shape = SHAPE
    next_epoch, next_msn, media_end_s = 2, 7, 14.5

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.peaks: list[tuple[str, int]] = []
        self.listed_at_peak: list[int] = []

    async def begin_epoch(self, epoch: int, arrived_at: float) -> float:
        self.calls.append(("begin", epoch, arrived_at))
        return arrived_at - 0.5

    async def add_init(self, name: str, init: Init, *, bandwidth_bps: int, frame_rate: float) -> None:
        self.calls.append(("init", name, init, bandwidth_bps, frame_rate))

    async def add_part(self, name: str, part: Part) -> None:
        self.calls.append(("part", name, part))

    async def end_segment(self, name: str, end: SegmentEnd) -> None:
        self.calls.append(("end", name, end))

    async def declare_peak(self, name: str, bandwidth_bps: int) -> None:
        self.peaks.append((name, bandwidth_bps))
        self.listed_at_peak.append(sum(call[0] == "end" for call in self.calls))


class Recording:
    """A recorder and a poster that keep the segments."""

    def __init__(self) -> None:
        self.added: list[RecordedSegment] = []
        self.offered: list[tuple[RecordedSegment, str]] = []

    def add(self, segment: RecordedSegment) -> None:
        self.added.append(segment)

    def offer(self, segment: RecordedSegment, rendition: str) -> None:
        self.offered.append((segment, rendition))


@pytest.fixture
def edge() -> RecordingEdge:
    return RecordingEdge()


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
def fan_out(edge: RecordingEdge, recording: Recording) -> SegmentFanOut:
    made: Any = SegmentFanOut
    result: SegmentFanOut = made(edge, ["r0", "r1"], poster=recording, recorder=recording)
    return result


def part(msn: int, data: bytes) -> Part:
    return Part(msn, 0, 0.2, True, data)


async def add_segment(fan_out: SegmentFanOut, msn: int, *, duration_s: float = 2.0) -> None:
    for name in ("r0", "r1"):
        await fan_out.add_part(name, part(msn, f"{name}:{msn};".encode()))
    for name in ("r0", "r1"):
        await fan_out.end_segment(name, SegmentEnd(msn, duration_s))


async def begin(fan_out: SegmentFanOut) -> None:
    await fan_out.begin_run(1000.0)
    for name in ("r0", "r1"):
        await fan_out.add_init(name, INIT, bandwidth_bps=5, frame_rate=30.0)


async def test_run_begins_behind_the_last_segment(fan_out: SegmentFanOut, edge: RecordingEdge) -> None:
    assert await fan_out.begin_run(1000.0) == (7, 14.5)
    assert edge.calls == [("begin", 2, 1000.0)]
    assert fan_out.shape == SHAPE


async def test_everything_goes_to_the_edge_in_order(fan_out: SegmentFanOut, edge: RecordingEdge) -> None:
    await fan_out.begin_run(1000.0)
    await fan_out.add_init("r0", INIT, bandwidth_bps=900_000, frame_rate=25.0)
    await fan_out.add_part("r0", part(7, b"data"))
    await fan_out.end_segment("r0", SegmentEnd(7, 2.0))

    assert edge.calls[1:] == [
        ("init", "r0", INIT, 900_000, 25.0),
        ("part", "r0", part(7, b"data")),
        ("end", "r0", SegmentEnd(7, 2.0)),
    ]


async def test_segment_of_four_seconds_is_recorded_with_all_renditions(
    fan_out: SegmentFanOut, recording: Recording
) -> None:
    await begin(fan_out)
    for msn in range(7, 11):
        await add_segment(fan_out, msn)

    first = recording.added[0].segments
    assert [live.msn for live in first] == [7, 8]
    assert first[0].inits == {"r0": b"init", "r1": b"init"}
    assert first[0].data == {"r0": b"r0:7;", "r1": b"r1:7;"}
    assert first[0].is_discontinuous
    assert not first[1].is_discontinuous


async def test_poster_is_offered_the_best_rendition(fan_out: SegmentFanOut, recording: Recording) -> None:
    await begin(fan_out)
    for msn in range(7, 11):
        await add_segment(fan_out, msn)

    assert recording.offered == [(segment, "r0") for segment in recording.added]


async def test_open_segment_is_recorded_at_the_end_of_the_run(
    fan_out: SegmentFanOut, recording: Recording
) -> None:
    await begin(fan_out)
    await add_segment(fan_out, 7)
    before = list(recording.added)

    fan_out.end_run()
    fan_out.end_run()

    assert before == []
    assert [[live.msn for live in segment.segments] for segment in recording.added] == [[7]]


async def test_broadcast_without_a_recording_has_posters(edge: RecordingEdge) -> None:
    poster = Recording()
    made: Any = SegmentFanOut
    fan_out: SegmentFanOut = made(edge, ["r0", "r1"], poster=poster)

    await begin(fan_out)
    await add_segment(fan_out, 7)
    fan_out.end_run()

    assert len(poster.offered) == 1


async def test_peak_is_declared_before_its_segment_is_listed(
    fan_out: SegmentFanOut, edge: RecordingEdge
) -> None:
    await begin(fan_out)
    for data in (bytes(1000), bytes(501)):
        await fan_out.add_part("r0", part(7, data))
    await fan_out.add_part("r1", part(7, bytes(100)))
    for name in ("r0", "r1"):
        await fan_out.end_segment(name, SegmentEnd(7, 1.6))

    assert edge.peaks == [("r0", 7505), ("r1", 500)]
    assert edge.listed_at_peak == [0, 1]


async def test_short_segments_are_measured_together(fan_out: SegmentFanOut, edge: RecordingEdge) -> None:
    await begin(fan_out)
    for msn, size in ((7, 25), (8, 100), (9, 25)):
        await fan_out.add_part("r0", part(msn, bytes(size)))
        await fan_out.end_segment("r0", SegmentEnd(msn, 0.4))

    # Each is shorter than half the target duration of 1 s; the peak is that of two.
    assert edge.peaks == [("r0", 1250), ("r0", 1250)]


async def test_bytes_of_an_unfinished_segment_do_not_count_in_the_next_run(
    fan_out: SegmentFanOut, edge: RecordingEdge
) -> None:
    await begin(fan_out)
    await fan_out.add_part("r0", part(7, bytes(1000)))
    await begin(fan_out)
    await fan_out.add_part("r0", part(7, bytes(10)))
    await fan_out.end_segment("r0", SegmentEnd(7, 1.0))

    assert edge.peaks == [("r0", 80)]
