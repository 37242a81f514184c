from __future__ import annotations

import pytest
import redis
from django.conf import settings

from live import edge
from live.edge import EdgeWriter, TailSegment
from live.llhls import shelf
from live.llhls.playlist import Window
from live.llhls.segments import Part, Shape
from live.tests.edge_tools import PARTS, RENDITIONS, SHAPE, Line, whole, written

pytestmark = pytest.mark.redis


def client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


def held_window(name: str = "r0", broadcast: str = "b1") -> Window:
    with client() as connection:
        text = connection.get(shelf.window_key(broadcast, name))
    assert isinstance(text, bytes)
    return Window.from_json(text)


def held_meta(broadcast: str = "b1") -> shelf.Meta | None:
    with client() as connection:
        return shelf.Meta.from_hash(connection.hgetall(shelf.meta_key(broadcast)))


async def test_what_is_added_is_in_redis_when_the_call_returns() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)
        await broadcast.add_part(1, 0)

        window = held_window()

    assert [(segment.msn, len(segment.parts), segment.duration_s) for segment in window.segments] == [
        (0, PARTS, 1.0),
        (1, 1, None),
    ]


async def test_everything_expires_by_itself() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)

    with client() as connection:
        lifetimes = [connection.ttl(key) for key in connection.keys("live:edge:*")]
    assert len(lifetimes) == 1 + 2 * 3
    assert all(0 < seconds <= shelf.KEPT_S for seconds in lifetimes)


async def test_parts_stay_for_three_quarters_of_a_minute() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)

        with client() as connection:
            assert 40 <= connection.ttl(shelf.segment_key("b1", "r0", 0)) <= 45


async def test_a_notice_carries_the_windows_that_moved() -> None:
    async with written() as broadcast:
        with client() as connection, connection.pubsub(ignore_subscribe_messages=True) as listener:
            listener.subscribe(shelf.channel("b1"))
            listener.get_message(timeout=1)
            await broadcast.add_part(0, 0, ["r1"])
            message = listener.get_message(timeout=1)
            window = held_window("r1")

    assert message is not None
    assert shelf.Notice.decode(message["data"]).windows == {"r1": window}


async def test_a_broadcast_that_goes_on_keeps_its_window_and_its_shape() -> None:
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


async def test_a_rendition_that_fell_behind_gets_gaps_and_all_go_on_alike() -> None:
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


async def test_numbers_go_on_where_sql_says_if_redis_lost_its_memory() -> None:
    async with edge.connect() as connection:
        writer = await EdgeWriter.open(
            connection, "b1", SHAPE, RENDITIONS, "open", first_msn=57, first_epoch=2
        )
        assert (writer.next_msn, writer.next_epoch) == (57, 2)
        await writer.begin_epoch(2, 1.0)
        await writer.add_part("r0", Part(57, 0, 0.2, is_independent=True, data=b"x"))
        await writer.close()

    (segment,) = held_window().segments
    assert (segment.msn, segment.discontinuity, segment.is_discontinuous) == (57, 2, True)


async def test_a_redis_that_lost_everything_is_given_it_back() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(*range(8))
        with client() as connection:
            connection.flushdb()

        await broadcast.add_part(8, 0)  # this write finds out
        await broadcast.add_part(8, 1)

        window = held_window()
        assert [segment.msn for segment in window.segments] == [4, 5, 6, 7, 8]
        meta = held_meta()
        assert meta is not None
        assert (meta.access, meta.shape, list(meta.known)) == ("open", SHAPE, RENDITIONS)
        with client() as connection:
            assert (
                shelf.joined(connection.hgetall(shelf.segment_key("b1", "r0", 5))) == whole("r0", 5).encode()
            )
            assert connection.get(shelf.init_key("b1", "r1", 0)) == b"init r1 0"


async def test_who_may_watch_is_djangos_word_also_after_redis_lost_it() -> None:
    async with written() as broadcast:
        with client() as connection:
            connection.flushdb()
        edge.set_access("b1", "secret")

        await broadcast.add_part(0, 0)
        await broadcast.add_part(0, 1)

    meta = held_meta()
    assert meta is not None
    assert meta.access == "secret"


async def test_an_access_that_was_changed_is_what_the_writer_puts_back() -> None:
    async with written() as broadcast:
        edge.set_access("b1", "secret")
        await broadcast.add_part(0, 0)
        with client() as connection:
            connection.flushdb()
        await broadcast.add_part(0, 1)
        await broadcast.add_part(0, 2)

    meta = held_meta()
    assert meta is not None
    assert meta.access == "secret"


async def test_while_redis_is_away_nothing_waits_and_all_of_it_follows() -> None:
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
        held = connection.hgetall(shelf.segment_key("b1", "r0", 1))
    assert shelf.joined(held) == whole("r0", 1).encode()


async def test_what_piled_up_beyond_the_bound_while_redis_was_away_is_a_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edge, "MAX_KEPT_BYTES", 2 * 2 * len(whole("r0", 1)))
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


async def test_an_end_is_taken_back_when_a_publisher_returns() -> None:
    async with written():
        pass
    edge.end("b1")
    ended = held_meta()
    async with written():
        pass
    continued = held_meta()
    edge.end("b1")
    edge.reopen("b1")
    reopened = held_meta()

    assert [meta and meta.is_ended for meta in (ended, continued, reopened)] == [True, False, False]


async def test_the_tail_is_what_redis_holds_beyond_a_segment_closed_or_not() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0, 1)
        await broadcast.add_part(2, 0)

        tail = edge.tail("b1", after_msn=0)

    assert tail == [
        TailSegment("r0", 1, 0, 1.0, False, 1_700_000_001.0, b"init r0 0", whole("r0", 1).encode()),
        TailSegment("r1", 1, 0, 1.0, False, 1_700_000_001.0, b"init r1 0", whole("r1", 1).encode()),
        TailSegment("r0", 2, 0, 0.2, False, 1_700_000_002.0, b"init r0 0", whole("r0", 2, 1).encode()),
        TailSegment("r1", 2, 0, 0.2, False, 1_700_000_002.0, b"init r1 0", whole("r1", 2, 1).encode()),
    ]


async def test_a_broadcast_that_nobody_wrote_has_no_tail() -> None:
    assert edge.tail("nobody", after_msn=-1) == []
