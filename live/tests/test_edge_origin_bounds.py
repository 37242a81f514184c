"""Access to the live edge, the bounds of its origin, and its service through outages of Redis."""

from __future__ import annotations

import asyncio

import pytest
import redis
from django.conf import settings

from common.buckets import Rate
from common.rates import RATES
from live.edge import control
from live.edge.origin import EdgeOrigin
from live.tests.edge_tools import (
    NEXT_PART,
    NOTHING_PUBLISHED,
    Line,
    holding,
    listed,
    serving,
    until_waiting,
    written,
)

pytestmark = pytest.mark.redis


async def test_wrong_access_is_answered_like_an_unknown_broadcast() -> None:
    async with written(access="secret") as broadcast, serving() as client:
        await broadcast.add_segments(0)

        wrong = await client.get(broadcast.path.replace("secret", "open") + "r0.m3u8")
        unknown = await client.get(NOTHING_PUBLISHED)

    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content) == (404, b"")
    assert {**wrong.headers, "date": ""} == {**unknown.headers, "date": ""}


async def test_changed_access_refuses_held_requests() -> None:
    async with holding() as held:
        await asyncio.to_thread(control.set_access, "b1", "secret")
        path = f"{held.broadcast.path}r0/0.m4s"

        answers = [
            (await held.request).status_code,
            (await held.client.get(path)).status_code,
            (await held.client.get(path.replace("open", "secret"))).status_code,
        ]

    assert answers == [404, 404, 200]


async def test_cross_origin_requests_are_allowed() -> None:
    async with serving() as client:
        preflight = await client.options(NOTHING_PUBLISHED)

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"


async def test_head_has_no_body_and_other_methods_are_refused() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)
        head = await client.head(f"{broadcast.path}r0/0.m4s")
        post = await client.post(f"{broadcast.path}r0/0.m4s")

    assert (head.status_code, head.headers["content-length"], head.content) == (200, "35", b"")
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_disconnected_player_frees_its_place() -> None:
    async with holding() as held:
        held.request.cancel()

        await until_waiting(held.origin, 0)


async def test_request_beyond_max_waiting_is_unavailable() -> None:
    async with holding(origin=EdgeOrigin(settings.REDIS_URL, max_waiting=1)) as held:
        second = await held.client.get(f"{held.broadcast.path}{NEXT_PART}")
        await held.broadcast.add_part(1, 0)

        assert (second.status_code, (await held.request).status_code) == (503, 200)


async def test_held_requests_of_one_address_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = EdgeOrigin(settings.REDIS_URL, max_waiting_per_address=1)
    monkeypatch.setattr(settings, "TRUSTED_PROXIES", 1)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        path = f"{broadcast.path}{NEXT_PART}"
        first, other = {"x-forwarded-for": "2001:db8::1"}, {"x-forwarded-for": "2001:db8:0:1::1"}
        waits = [asyncio.create_task(client.get(path, headers=first))]
        await until_waiting(origin, 1)

        refused = await client.get(path, headers={"x-forwarded-for": "2001:db8::2"})
        waits.append(asyncio.create_task(client.get(path, headers=other)))
        await until_waiting(origin, 2)
        await broadcast.add_part(1, 0)

        assert (refused.status_code, [(await wait).status_code for wait in waits]) == (503, [200, 200])


async def test_media_requests_above_the_rate_limit_get_429(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, "live_media", Rate(2, 3600))
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)
        answers = [await client.get(f"{broadcast.path}r0/0.m4s") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_request_without_redis_is_unavailable() -> None:
    async with serving(EdgeOrigin("redis://127.0.0.1:1/0")) as client:
        response = await client.get(NOTHING_PUBLISHED)

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


async def test_two_origins_serve_the_same_broadcast() -> None:
    first, second = EdgeOrigin(settings.REDIS_URL), EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(first) as one, serving(second) as other:
        await broadcast.add_segments(0)
        path = f"{broadcast.path}{NEXT_PART}"
        requests = [asyncio.create_task(client.get(path)) for client in (one, other)]
        await until_waiting(first, 1)
        await until_waiting(second, 1)
        await broadcast.add_part(1, 0)

        texts = [(await request).text for request in requests]

    assert texts[0] == texts[1]
    assert "r0/1.0.m4s" in texts[0]


async def test_held_requests_are_answered_after_a_reconnection() -> None:
    async with Line.laid() as line, holding(origin=EdgeOrigin(line.url)) as held:
        line.cut()
        await held.broadcast.add_part(1, 0)
        line.mend()

        response = await held.request

    assert listed(response)[-1] == "r0/1.0.m4s"


async def test_broadcast_is_served_while_redis_is_refilled() -> None:
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0, 1)
        before = await client.get(f"{broadcast.path}r0.m3u8")
        await asyncio.to_thread(forget_everything)
        during = await client.get(f"{broadcast.path}r0.m3u8")
        await broadcast.add_part(2, 0)
        await broadcast.add_part(2, 1)
        after = await client.get(f"{broadcast.path}r0.m3u8")

    assert [answer.status_code for answer in (before, during, after)] == [200, 200, 200]
    assert listed(after)[-1] == "r0/2.1.m4s"


def forget_everything() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
