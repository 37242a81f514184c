from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
from django.conf import settings
from redis.exceptions import OutOfMemoryError

from live.edge import control, keys
from live.edge import writer as writer_module
from live.edge.tail import TailSegment, read_tail
from live.edge.writer import EdgeWriter, Overtaken
from live.llhls.playlist import Window
from live.llhls.segments import Init, Part, Shape
from live.redis_connections import new_writer_client
from live.tests.edge_tools import PARTS, RENDITIONS, SHAPE, Line, whole, written

pytestmark = pytest.mark.redis


def client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


def held_window(name: str = "r0", broadcast: str = "b1") -> Window:
    with client() as connection:
        text = connection.get(keys.window_key(broadcast, name))
    assert isinstance(text, bytes)
    return Window.from_json(text)


def held_meta(broadcast: str = "b1") -> keys.EdgeMeta | None:
    with client() as connection:
        return keys.EdgeMeta.from_hash(connection.hgetall(keys.meta_key(broadcast)))


async def test_added_parts_are_in_redis_on_return() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)
        await broadcast.add_part(1, 0)

        window = held_window()

    assert [(segment.msn, len(segment.parts), segment.duration_s) for segment in window.segments] == [
        (0, PARTS, 1.0),
        (1, 1, None),
    ]


async def test_bandwidth_rises_with_measured_peaks_and_never_falls() -> None:
    async with written() as broadcast:
        await broadcast.writer.declare_peak("r0", 45_800_000)
        await broadcast.writer.declare_peak("r0", 107_000)
        await broadcast.writer.declare_peak("r1", 107_000)

        meta = held_meta()

    assert meta
    assert [info.bandwidth_bps for info in meta.known.values()] == [45_800_000, 1_000_000]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1280, 720), (1280, 720, 24.0, 45_800_000)),
        ((640, 360), (640, 360, 24.0, 1_000_000)),
    ],
    ids=["same size", "smaller"],
)
async def test_rendition_of_a_continued_broadcast_declares_the_newest_signal(
    size: tuple[int, int], expected: tuple[int, int, float, int]
) -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)
        await broadcast.writer.declare_peak("r0", 45_800_000)

    async with written(begins=False) as broadcast:
        await broadcast.writer.begin_epoch(broadcast.writer.next_epoch, 1_700_000_100.0)
        init = Init(b"init", "avc1.64001f,mp4a.40.2", *size)
        await broadcast.writer.add_init("r0", init, bandwidth_bps=1_000_000, frame_rate=24.0)
        meta = held_meta()

    assert meta
    info = meta.known["r0"]
    assert (info.width_px, info.height_px, info.frame_rate, info.bandwidth_bps) == expected


async def test_all_keys_expire() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)

    with client() as connection:
        lifetimes = [connection.ttl(key) for key in connection.keys("live:edge:*")]
    assert len(lifetimes) == 1 + 2 * 3
    assert all(0 < seconds <= keys.KEPT_S for seconds in lifetimes)


async def test_parts_are_kept_for_45_seconds() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)

        with client() as connection:
            assert 40 <= connection.ttl(keys.segment_key("b1", "r0", 0)) <= 45


async def test_notice_carries_the_changed_windows() -> None:
    async with written() as broadcast:
        with client() as connection, connection.pubsub(ignore_subscribe_messages=True) as listener:
            listener.subscribe(keys.channel("b1"))
            listener.get_message(timeout=1)
            await broadcast.add_part(0, 0, ["r1"])
            message = listener.get_message(timeout=1)
            window = held_window("r1")

    assert message is not None
    assert keys.EdgeNotice.decode(message["data"]).windows == {"r1": window}


async def test_continued_broadcast_keeps_its_window_and_shape() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)
        await broadcast.add_part(1, 0)
    other = Shape(part_target_s=0.5, target_duration_s=4)

    async with written(shape=other, begins=False) as broadcast:
        writer = broadcast.writer
        assert (writer.shape, writer.next_msn, writer.next_epoch) == (SHAPE, 2, 1)
        await broadcast.begin()
        await broadcast.add_segments(2)

    assert [(s.msn, s.epoch, s.is_discontinuous, s.duration_s) for s in held_window().segments] == [
        (0, 0, False, 1.0),
        (1, 0, False, 0.2),
        (2, 1, True, 1.0),
    ]


async def test_rendition_left_behind_is_filled_with_gaps() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)
        await broadcast.add_segments(1, 2, renditions=["r0"])

        await broadcast.begin()
        await broadcast.add_part(3, 0)

    assert [(s.msn, s.is_gap, s.discontinuity) for s in held_window("r1").segments] == [
        (0, False, 0),
        (1, True, 0),
        (2, True, 0),
        (3, False, 1),
    ]


async def test_numbers_continue_from_sql_after_redis_was_emptied() -> None:
    async with new_writer_client() as connection:
        writer = await EdgeWriter.open(
            connection, "b1", SHAPE, RENDITIONS, "open", first_msn=57, first_epoch=2
        )
        assert (writer.next_msn, writer.next_epoch) == (57, 2)
        await writer.begin_epoch(2, 1.0)
        await writer.add_part("r0", Part(57, 0, 0.2, is_independent=True, data=b"x"))
        await writer.close()

    (segment,) = held_window().segments
    assert (segment.msn, segment.discontinuity, segment.is_discontinuous) == (57, 2, True)


async def test_emptied_redis_is_refilled_by_the_writer() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(*range(8))
        with client() as connection:
            connection.flushdb()

        await broadcast.add_part(8, 0)  # this write detects the loss
        await broadcast.add_part(8, 1)

        window = held_window()
        assert [segment.msn for segment in window.segments] == [4, 5, 6, 7, 8]
        meta = held_meta()
        assert meta is not None
        assert (meta.access, meta.shape, list(meta.known)) == ("open", SHAPE, RENDITIONS)
        with client() as connection:
            assert keys.joined(connection.hgetall(keys.segment_key("b1", "r0", 5))) == whole("r0", 5).encode()
            assert connection.get(keys.init_key("b1", "r1", 0)) == b"init r1 0"


async def test_access_set_by_django_survives_an_emptied_redis() -> None:
    async with written() as broadcast:
        with client() as connection:
            connection.flushdb()
        control.set_access("b1", "secret")

        await broadcast.add_part(0, 0)
        await broadcast.add_part(0, 1)

    meta = held_meta()
    assert meta is not None
    assert meta.access == "secret"


async def test_writer_restores_the_changed_access() -> None:
    async with written() as broadcast:
        control.set_access("b1", "secret")
        await broadcast.add_part(0, 0)
        with client() as connection:
            connection.flushdb()
        await broadcast.add_part(0, 1)
        await broadcast.add_part(0, 2)

    meta = held_meta()
    assert meta is not None
    assert meta.access == "secret"


async def test_parts_added_during_a_redis_outage_follow_later() -> None:
    async with Line.laid() as line, written(redis_url=line.url) as broadcast:
        await broadcast.add_segments(0)
        line.cut()
        await broadcast.add_segments(1, 2)
        line.mend()
        await broadcast.writer.close()

    window = held_window()
    assert [(segment.msn, segment.is_gap) for segment in window.segments] == [
        (0, False),
        (1, False),
        (2, False),
    ]
    with client() as connection:
        held = connection.hgetall(keys.segment_key("b1", "r0", 1))
    assert keys.joined(held) == whole("r0", 1).encode()


async def test_parts_beyond_the_bound_during_a_redis_outage_become_gaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "MAX_KEPT_BYTES", 2 * 2 * len(whole("r0", 1)))
    async with Line.laid() as line, written(redis_url=line.url) as broadcast:
        await broadcast.add_segments(0)
        line.cut()
        await broadcast.add_segments(1, 2, 3, 4)
        line.mend()
        await broadcast.writer.close()

    window = held_window()
    assert [(segment.msn, segment.is_gap) for segment in window.segments] == [
        (0, False), (1, True), (2, True), (3, False), (4, False),
    ]  # fmt: skip


async def test_full_redis_gets_only_the_newest_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    real, refused = writer_module._run, asyncio.Event()

    async def refuse(*_arguments: Any) -> Any:
        refused.set()
        raise OutOfMemoryError("command not allowed when used memory > 'maxmemory'")

    async with written() as broadcast:
        await broadcast.add_segments(0)
        monkeypatch.setattr(writer_module, "_run", refuse)
        await broadcast.add_segments(1, 2, 3)
        refused.clear()
        async with asyncio.timeout(20):
            await refused.wait()
        monkeypatch.setattr(writer_module, "_run", real)
        await broadcast.writer.close()

    assert [(segment.msn, segment.is_gap) for segment in held_window().segments] == [
        (0, False), (1, True), (2, True), (3, False),
    ]  # fmt: skip


async def test_older_writer_changes_nothing_and_is_overtaken() -> None:
    async with written(generation=1) as old:
        await old.add_segments(0)
        async with written(generation=2) as new:
            await new.add_part(1, 0)
            with pytest.raises(Overtaken):
                await old.add_part(1, 0, ["r0"])
            with pytest.raises(Overtaken):
                await old.add_part(1, 1, ["r0"])
            await new.add_part(1, 1)
            await new.end_segment(1)

    assert [(segment.msn, len(segment.parts)) for segment in held_window().segments] == [(0, PARTS), (1, 2)]
    with client() as connection:
        held = connection.hgetall(keys.segment_key("b1", "r0", 1))
    assert keys.joined(held) == whole("r0", 1, 2).encode()


async def test_late_close_of_older_writer_leaves_the_newer_segment_open() -> None:
    async with written(generation=1) as old, written(generation=2) as new:
        await new.add_part(0, 0)

        await old.writer.close()

        assert held_window().open_segment is not None


async def test_older_writer_cannot_open_the_edge() -> None:
    async with written(generation=2):
        with pytest.raises(Overtaken):
            async with written(generation=1):
                pass


async def test_newer_writer_overwrites_an_older_one_in_an_emptied_redis() -> None:
    async with written(generation=2) as new:
        await new.add_segments(0, 1)
        with client() as connection:
            connection.flushdb()
        async with written(generation=1) as old:
            await old.add_part(0, 0)
            await new.add_part(2, 0)
            await new.add_part(2, 1)
            with pytest.raises(Overtaken):
                await old.add_part(0, 1)

        assert [segment.msn for segment in held_window().segments] == [0, 1, 2]
        with client() as connection:
            held = connection.hgetall(keys.segment_key("b1", "r0", 1))
        assert keys.joined(held) == whole("r0", 1).encode()


async def test_returning_publisher_reopens_an_ended_broadcast() -> None:
    async with written():
        pass
    control.end("b1")
    ended = held_meta()
    async with written():
        pass
    continued = held_meta()
    control.end("b1")
    control.reopen("b1")
    reopened = held_meta()

    assert [meta and meta.is_ended for meta in (ended, continued, reopened)] == [True, False, False]


async def test_tail_holds_closed_and_open_segments_after_an_msn() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0, 1)
        await broadcast.add_part(2, 0)

        tail = read_tail("b1", after_msn=0)

    assert tail == [
        TailSegment("r0", 1, 0, 1.0, False, 1_700_000_001.0, b"init r0 0", whole("r0", 1).encode()),
        TailSegment("r1", 1, 0, 1.0, False, 1_700_000_001.0, b"init r1 0", whole("r1", 1).encode()),
        TailSegment("r0", 2, 0, 0.2, False, 1_700_000_002.0, b"init r0 0", whole("r0", 2, 1).encode()),
        TailSegment("r1", 2, 0, 0.2, False, 1_700_000_002.0, b"init r1 0", whole("r1", 2, 1).encode()),
    ]


async def test_unknown_broadcast_has_no_tail() -> None:
    assert read_tail("nobody", after_msn=-1) == []
