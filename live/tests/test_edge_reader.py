"""The reader of the live edge: bounds, shared queries, and unreadable notices that affect nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import redis
from django.conf import settings

from live.edge import keys
from live.edge import reader as module
from live.edge.keys import EdgeMeta, EdgeNotice
from live.edge.origin import EdgeOrigin
from live.edge.reader import EdgeReader, EdgeUnavailable
from live.llhls.playlist import Window
from live.llhls.segments import Shape
from live.redis_connections import new_writer_client
from live.tests.edge_tools import SHAPE, serving, until_waiting, written

pytestmark = pytest.mark.redis


def to_redis(command: str, *arguments: Any) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.execute_command(command, *arguments)


@pytest.mark.parametrize(
    "notice",
    [
        b"no JSON",
        b"\xff\xfe",
        b"[]",
        b'{"news": 1}',
        b'{"meta": 0, "windows": {"r0": {"of": "another version"}}}',
        b'{"meta": 0, "windows": {"r0": null}}',
        b'{"meta": 0, "windows": 7}',
    ],
)
async def test_unreadable_notice_does_not_end_playback(notice: bytes) -> None:
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"))
        await until_waiting(origin, 1)
        await asyncio.to_thread(to_redis, "PUBLISH", keys.channel("b1"), notice)
        await broadcast.add_part(1, 0)

        assert "r0/1.0.m4s" in (await request).text


async def test_unreadable_window_affects_only_its_rendition() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)
        await asyncio.to_thread(to_redis, "SET", keys.window_key("b1", "r1"), "of another version")

        response = await client.get(f"{broadcast.path}r0.m3u8")

    assert response.status_code == 200


async def test_unreadable_broadcast_is_unavailable_and_others_are_served() -> None:
    async with written("b2") as other:
        await other.add_segments(0)
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)
        await asyncio.to_thread(to_redis, "HSET", keys.meta_key("b2"), "shape", "of another version")

        answers = [await client.get(f"{path}r0.m3u8") for path in (broadcast.path, other.path)]

    assert [answer.status_code for answer in answers] == [200, 503]


async def test_failed_listener_listens_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.01,))
    failed = asyncio.Event()
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=1"))
        await until_waiting(origin, 1)

        def fail(*_args: object) -> None:
            failed.set()
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(EdgeReader, "_apply_notice", fail)
            await broadcast.add_part(1, 0)
            await failed.wait()
        await broadcast.add_part(1, 1)

        assert "r0/1.1.m4s" in (await request).text


def test_unknown_fields_of_a_newer_version_are_ignored() -> None:
    window = Window.empty(SHAPE).with_epoch(0, 1_700_000_000.0)
    data = json.loads(window.to_json())
    data["shape"].append("more")
    data["more"] = True
    meta = EdgeMeta("open", SHAPE, ("r0",)).fields()
    shape = json.dumps({**json.loads(meta["shape"]), "more": 1})
    info = {"codecs": "a", "width_px": 1, "height_px": 1, "bandwidth_bps": 1, "frame_rate": 1.0, "more": 1}

    assert Window.from_data(data) == window
    held: Any = {**meta, "shape": shape, "infos": json.dumps({"r0": info})}
    read = EdgeMeta.from_hash(held)
    assert read is not None
    assert (read.shape, read.infos["r0"].codecs) == (Shape(0.2, 1), "a")


class QuietConnection:
    """Connection to Redis that is silent until a PING; then ``answer`` arrives before the pong."""

    def __init__(self, answer: list[bytes]) -> None:
        self._answers: list[list[bytes] | None] = [None, answer, [b"pong", b""]]

    async def send_command(self, *_arguments: object) -> None: ...

    async def read_response(self, **_options: object) -> list[bytes] | None:
        return self._answers.pop(0)


async def test_notice_that_arrives_instead_of_a_pong_is_applied() -> None:
    window = Window.empty(SHAPE).with_epoch(0, 1_800_000_000.0)
    notice = EdgeNotice({"r0": window}).encode().encode()
    connection: Any = QuietConnection([b"message", keys.channel("b1").encode(), notice])
    async with written():
        reader = EdgeReader(new_writer_client())
        followed = await reader.get("b1")
        assert followed is not None

        await reader._process_message(connection)

        assert followed.windows["r0"] == window
        await reader.aclose()


async def test_unrequested_broadcast_is_unfollowed() -> None:
    async with written():
        reader = EdgeReader(new_writer_client(), idle_s=45)
        followed = await reader.get("b1")
        assert followed is not None
        followed.used_at -= 46

        await reader._leave_idle()

        assert len(reader) == 0
        await reader.aclose()


async def test_number_of_followed_broadcasts_is_bounded() -> None:
    async with written(), written("b2"):
        reader = EdgeReader(new_writer_client(), max_followed=1)
        assert await reader.get("b1")

        with pytest.raises(EdgeUnavailable):
            await reader.get("b2")
        await reader.aclose()


async def test_concurrent_requests_for_a_broadcast_query_redis_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)
        connection = new_writer_client()
        reader = EdgeReader(connection)
        asked = []
        hgetall = connection.hgetall

        def counting_hgetall(key: str) -> Any:
            asked.append(key)
            return hgetall(key)

        monkeypatch.setattr(connection, "hgetall", counting_hgetall)

        found = await asyncio.gather(*(reader.get("b1") for _ in range(500)))
        await reader.aclose()

    assert {id(followed) for followed in found} == {id(found[0])}
    # One query for the existence of the broadcast, one for its state.
    assert len(asked) == 2
