"""Tests of the bounds of all buffers in the ingest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from common.media.fragments import NOT_SYNC, Sample, Track
from live.bounds import BURST_S, BitrateLimit, Budget
from live.edge import writer as writer_module
from live.edge.writer import EdgeWriter
from live.ingest import alignment as alignment_module
from live.ingest import poster as poster_module
from live.ingest import probe as probe_module
from live.ingest.alignment import Alignment, OutOfStep
from live.ingest.frames import Frame
from live.ingest.inbox import Inbox
from live.ingest.poster import PosterMaker
from live.ingest.probe import SignalProbe, UnusableSignal
from live.ingest.publisher_session import TOO_FAST, PublisherSession
from live.ingest.registry import SessionRegistry
from live.ingest.server import FULL, ServerLimits
from live.ingest.timeline import MAX_BYTES_A_SECOND, MAX_PICTURES_A_SECOND, Timeline, TimelineVerdict
from live.llhls import segments as segments_module
from live.llhls.segments import Packager, Part, Shape
from live.models import Broadcast, Stream
from live.recording import assembler as assembler_module
from live.recording.assembler import LiveSegment, RecordedSegment, SegmentAssembler
from live.redis_connections import new_writer_client
from live.rtmp.session import RtmpLimits
from live.tests import rtmp_client
from live.tests.doorkeeping import Doorkeeper, listening
from live.tests.edge_tools import RENDITIONS, SHAPE, written
from live.tests.ingesting import FakePublisher
from live.tests.rtmp_client import AAC_HEADER, AVC_HEADER, RtmpEncoder, media_tag

NAMES = ["r0"]


def picture(size: int, *, at_ms: int = 0, is_keyframe: bool = False) -> Frame:
    return Frame("video", at_ms, bytes(size), 0.0, is_keyframe=is_keyframe)


def test_inboxes_share_one_byte_budget() -> None:
    budget = Budget(1000)
    slow, other = Inbox(budget), Inbox(budget)
    for at_ms in range(8):
        slow.put(picture(100, at_ms=at_ms, is_keyframe=at_ms == 0))

    dropped = [other.put(picture(100, at_ms=at_ms, is_keyframe=at_ms == 0)) for at_ms in range(4)]
    slow.clear()
    again = [other.put(picture(100, at_ms=10, is_keyframe=True)), other.put(picture(100, at_ms=11))]

    assert (dropped, again) == ([0, 0, 1, 1], [0, 0])
    assert budget.used_bytes == 400


def test_inbox_without_room_drops_up_to_the_next_keyframe() -> None:
    budget = Budget(1000)
    assert budget.hold("others", 1000)
    inbox = Inbox(budget)

    dropped = [inbox.put(picture(100, is_keyframe=True)), inbox.put(picture(100, at_ms=40))]
    budget.release("others")
    after = [inbox.put(picture(100, at_ms=80)), inbox.put(picture(100, at_ms=120, is_keyframe=True))]

    assert (dropped, after, budget.used_bytes) == ([1, 1], [1, 0], 100)


def test_publisher_without_room_for_probing_is_refused() -> None:
    budget = Budget(1000)
    assert budget.hold("others", 950)
    probe = SignalProbe(budget)
    probe.add(replace(picture(10), is_header=True))

    with pytest.raises(UnusableSignal, match="cannot accept another broadcast"):
        probe.add(picture(100, is_keyframe=True))
    probe.take()

    assert budget.used_bytes == 950


def test_allowance_admits_a_burst_and_then_its_rate() -> None:
    allowance = BitrateLimit(8_000)

    burst = allowance.take(round(1000 * BURST_S), 10.0)
    at_once = allowance.take(1, 10.0)
    later = allowance.take(1000, 12.0)

    assert (burst, at_once, later) == (True, False, True)


async def test_publisher_above_the_highest_bitrate_is_closed_with_a_reason(settings: Any) -> None:
    """The frames have 4 MB each, all at time 0, sent as fast as possible."""
    settings.LIVE_MAX_BITRATE_BPS = 8_000_000
    registry = SessionRegistry()
    publisher = FakePublisher()
    session = PublisherSession(Stream(), publisher, registry)

    await session.on_tag(media_tag("video", 0, AVC_HEADER))
    for number in range(4):
        await session.on_tag(media_tag("video", 0, rtmp_client.picture(4_000_000, is_keyframe=number == 0)))

    assert publisher.closed_with[0] == TOO_FAST.format(limit=8)
    await registry.close(within_s=0)


def test_probing_of_large_frames_with_equal_times_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "MAX_BYTES", 10_000)
    probe = SignalProbe(Budget(2**30))
    probe.add(Frame("video", 0, AVC_HEADER, 0.0, is_header=True))
    probe.add(Frame("audio", 0, AAC_HEADER, 0.0, is_header=True))

    enough = [probe.add(picture(4000, is_keyframe=number == 0)) for number in range(3)]

    assert enough == [False, False, True]
    assert probe.source().frame_rate == 30.0


def test_probing_of_small_frames_with_equal_times_is_bounded() -> None:
    probe = SignalProbe(Budget(2**30))
    probe.add(Frame("video", 0, AVC_HEADER, 0.0, is_header=True))
    probe.add(picture(10, is_keyframe=True))

    assert not probe.add(picture(10))
    assert any(probe.add(picture(10)) for _ in range(probe_module.MAX_FRAMES))
    assert len(probe.frames) == probe_module.MAX_FRAMES


def test_only_used_metadata_is_kept() -> None:
    probe = SignalProbe(Budget(2**30))

    probe.set_metadata({"framerate": 30.0, "encoder": "x" * 1000, "more": ["x" * 1000] * 1000})

    assert probe.metadata == {"framerate": 30.0, "encoder": "x" * 80}


@pytest.mark.parametrize(
    ("count", "size"),
    [(MAX_PICTURES_A_SECOND + 2, 10), (18, MAX_BYTES_A_SECOND // 16)],
    ids=["many", "large"],
)
def test_clock_that_stands_still_is_detected(count: int, size: int) -> None:
    timeline = Timeline(30, None)

    verdicts = [timeline.judge(picture(size)) for _ in range(count)]

    assert TimelineVerdict.STANDS_STILL in verdicts
    assert set(verdicts[:-2]) == {TimelineVerdict.GOOD}


def test_moving_clock_with_the_same_bitrate_is_good() -> None:
    timeline = Timeline(30, None)
    size = MAX_BYTES_A_SECOND // 32

    verdicts = {timeline.judge(picture(size, at_ms=at_ms)) for at_ms in range(0, 10_000, 33)}

    assert verdicts == {TimelineVerdict.GOOD}


def test_budget_is_shared_and_released() -> None:
    budget = Budget(100)

    taken = [budget.hold("a", 60), budget.hold("b", 40), budget.hold("b", 41), budget.hold("a", 10)]
    budget.release("b")

    assert taken == [True, True, False, True]
    assert budget.used_bytes == 10
    assert budget.hold("c", 90)


async def test_unfinished_messages_are_bounded_over_all_connections() -> None:
    door = Doorkeeper()
    begun = bytes([4]) + bytes(3) + (300_000).to_bytes(3) + b"\x09" + (1).to_bytes(4, "little")
    # Chunks of OBS's size; those after the first repeat no header.
    begun += b"\xc4".join(bytes(4096) for _ in range(10))
    async with (
        listening(door, unfinished_bytes=60_000) as server,
        await RtmpEncoder.open(server.port) as one,
        await RtmpEncoder.open(server.port) as two,
    ):
        await one.publish("good")
        await two.publish("good")
        await one.send(begun)
        await two.send(begun)
        first, second = door.recorders
        closed = two if await second.ending() is False else one

        assert (await closed.status())["description"] == FULL
    assert first.endings == [False]


async def test_large_sequence_header_is_refused() -> None:
    door = Doorkeeper()
    limits = ServerLimits(protocol=RtmpLimits(max_config_bytes=1000))
    async with (
        listening(door, protocol=limits.protocol) as server,
        await RtmpEncoder.open(server.port) as obs,
    ):
        await obs.publish("good")
        await obs.send(obs.speech.media("video", 0, AVC_HEADER + bytes(1000)))

        assert "configuration" in (await obs.status())["description"]


async def test_large_metadata_is_ignored() -> None:
    door = Doorkeeper()
    async with listening(door) as server, await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.send(obs.speech.metadata({"encoder": "x" * 100_000}))
        await obs.send(obs.speech.metadata({"encoder": "small"}))
        await obs.goodbye("good")
        await door.recorder.ending()

    assert door.recorder.values == {"encoder": "small"}


def test_part_of_large_frames_ends_at_its_byte_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments_module, "MAX_PART_BYTES", 1000)
    packager = Packager(Shape(part_target_s=0.2, target_duration_s=1), first_msn=0)
    packager._video = Track(1, "vide", 1000, "avc1")
    still = Sample(1, 0, 0, 0, 0, bytes(400))

    made = [
        part
        for number in range(9)
        for part in packager._picture(replace(still, flags=NOT_SYNC if number else 0))
    ]

    assert len(made) == 3
    assert all(isinstance(part, Part) and len(part.data) < 2000 for part in made)


def test_rendition_far_ahead_of_another_is_out_of_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment_module, "MAX_WAITING_BYTES", 1000)
    alignment = Alignment(2, first_msn=0)
    alignment.add(0, [Part(1, 0, 0.2, is_independent=True, data=bytes(900))])

    with pytest.raises(OutOfStep):
        alignment.add(0, [Part(1, 1, 0.2, is_independent=False, data=bytes(900))])


def test_oversized_segment_becomes_a_gap_in_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembler_module, "MAX_INCOMPLETE_BYTES", 1000)
    assembler = SegmentAssembler(NAMES)
    assembler.begin_epoch(1_700_000_000.0)
    assembler.add_init("r0", b"init")

    for _ in range(4):
        assembler.add_part("r0", 0, bytes(400))
    lost = assembler.end_segment("r0", 0, 4.0)
    assembler.add_part("r0", 1, b"whole")
    kept = assembler.end_segment("r0", 1, 4.0)

    assert lost is None
    assert kept is not None
    assert [(segment.msn, segment.starts_at) for segment in kept.segments] == [(1, 1_700_000_004.0)]


def test_large_segments_are_stored_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembler_module, "MAX_RECORDED_SEGMENT_BYTES", 1000)
    assembler = SegmentAssembler(NAMES)
    assembler.begin_epoch(0.0)
    made = []
    for msn in range(2):
        assembler.add_part("r0", msn, bytes(600))
        made.append(assembler.end_segment("r0", msn, 1.0))

    assert [joined and joined.last_msn for joined in made] == [None, 1]


async def test_oversized_segment_gives_no_poster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poster_module, "MAX_SOURCE_BYTES", 10)
    poster = PosterMaker(Broadcast(), None)  # type: ignore[arg-type]
    huge = LiveSegment(
        0, 1.0, is_discontinuous=False, starts_at=0.0, inits={"r0": b""}, data={"r0": bytes(11)}
    )

    poster.offer(RecordedSegment([huge]), "r0")

    assert poster._drawing is None


@pytest.mark.redis
async def test_open_segment_beyond_the_bound_is_dropped_during_a_redis_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "MAX_KEPT_BYTES", 1000)
    async with new_writer_client() as redis:
        writer = await EdgeWriter.open(redis, "b1", SHAPE, RENDITIONS, "open")
        await writer.begin_epoch(0, 0.0)
        writer._is_away = True
        monkeypatch.setattr(writer, "_save", _never)

        for number in range(50):
            await writer.add_part("r0", Part(0, number, 0.0, is_independent=number == 0, data=bytes(100)))

        assert writer._kept_bytes <= 1000
        monkeypatch.undo()
        await writer.close()


async def _never() -> None:
    raise OSError("away")


@pytest.mark.redis
async def test_init_segments_of_unlisted_epochs_are_dropped() -> None:
    async with written() as broadcast:
        for epoch in range(60):
            if epoch:
                await broadcast.begin()
            await broadcast.add_segments(epoch)

        epochs = {epoch for _name, epoch in broadcast.writer._inits}

    assert len(epochs) < 40
    assert max(epochs) == 59


def test_nul_is_removed_from_the_encoder_name() -> None:
    probe = SignalProbe(Budget(2**30))
    probe.set_metadata({"encoder": "OBS\0 30"})
    assert probe.metadata["encoder"] == "OBS 30"
