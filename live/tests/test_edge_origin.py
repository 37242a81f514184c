"""Playlists and media of the live edge, and requests that are held until they can be answered."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from django.conf import settings

from live.edge import control
from live.edge.origin import EdgeOrigin
from live.tests.edge_tools import (
    NEXT_PART,
    holding,
    listed,
    serving,
    until_waiting,
    whole,
    written,
)

pytestmark = pytest.mark.redis


async def test_multivariant_playlist_lists_the_declared_renditions() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}multivariant.m3u8")

    assert response.text == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS="avc1.64001f,mp4a.40.2",'
        "RESOLUTION=1280x720,FRAME-RATE=30.000\n"
        "r0.m3u8\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS="avc1.64001f,mp4a.40.2",'
        "RESOLUTION=1280x720,FRAME-RATE=30.000\n"
        "r1.m3u8\n"
    )


async def test_multivariant_playlist_waits_for_the_first_segment() -> None:
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        request = asyncio.create_task(client.get(f"{broadcast.path}multivariant.m3u8"))
        await until_waiting(origin, 1)
        await broadcast.add_segments(0)

        assert (await request).status_code == 200


async def test_playlist_has_headers_for_players_and_caches() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}r0.m3u8", headers={"accept-encoding": "identity"})

    headers = {name: value for name, value in response.headers.items() if name not in {"date", "server"}}
    assert headers == {
        "content-type": "application/vnd.apple.mpegurl",
        "content-length": str(len(response.content)),
        "cache-control": "no-cache",
        "vary": "accept-encoding",
        "age": "0",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "Age, Date",
    }


async def test_playlist_is_compressed_on_request() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)
        path = f"{broadcast.path}r0.m3u8"

        plain = await client.get(path, headers={"accept-encoding": "identity"})
        async with client.stream("GET", path, headers={"accept-encoding": "br, gzip;q=0.5"}) as response:
            compressed = b"".join([piece async for piece in response.aiter_raw()])

    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(compressed) == plain.content


async def test_request_is_held_until_the_part_exists() -> None:
    async with holding("r0.m3u8?_HLS_msn=1&_HLS_part=1") as held:
        await held.broadcast.add_part(1, 0)
        await until_waiting(held.origin, 1)
        still_waits = not held.request.done()
        await held.broadcast.add_part(1, 1)

        response = await held.request

    assert still_waits
    assert listed(response)[-2:] == ["r0/1.0.m4s", "r0/1.1.m4s"]


async def test_part_past_the_end_means_the_first_of_the_next_segment() -> None:
    async with holding("r0.m3u8?_HLS_msn=0&_HLS_part=5") as held:
        await held.broadcast.add_part(1, 0)

        assert listed(await held.request)[-1] == "r0/1.0.m4s"


async def test_request_without_a_part_is_held_until_the_segment_is_complete() -> None:
    async with holding("r0.m3u8?_HLS_msn=1") as held:
        await held.broadcast.add_segments(1)

        assert listed(await held.request)[-1] == "r0/1.m4s"


async def test_delta_update_skips_old_segments() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(*range(10))

        response = await client.get(f"{broadcast.path}r0.m3u8", params={"_HLS_skip": "YES"})

    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n" in response.text
    assert [uri for uri in listed(response) if uri.count(".") == 1] == [f"r0/{n}.m4s" for n in range(4, 10)]


@pytest.mark.parametrize(
    "query",
    ["_HLS_part=0", "_HLS_msn=x", "_HLS_msn=-1", "_HLS_msn=1&_HLS_msn=1", "_HLS_skip=no", "_HLS_msn=4"],
)
async def test_unanswerable_directives_are_refused_at_once(query: str) -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}r0.m3u8?{query}")

    assert response.status_code == 400


async def test_other_query_parameters_are_ignored() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}r0.m3u8?token=%FF&_HLS_start_offset=x")

    assert response.status_code == 200


async def test_held_request_is_unavailable_after_three_target_durations() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}{NEXT_PART}")

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.headers["access-control-allow-origin"] == "*"


async def test_held_requests_are_answered_at_the_end_of_a_broadcast() -> None:
    async with holding() as held:
        await asyncio.to_thread(control.end, "b1")

        response = await held.request

    assert response.text.endswith("#EXT-X-ENDLIST\n")


async def test_directives_are_ignored_after_the_end() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)
        await asyncio.to_thread(control.end, "b1")

        response = await client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=99&_HLS_part=0")

    assert response.status_code == 200


async def test_playlist_stays_open_while_the_publisher_is_away() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)
        await broadcast.add_part(1, 0)
    async with serving() as client:
        response = await client.get(f"{broadcast.path}r0.m3u8")

    assert '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="r0/2.0.m4s"\n' in response.text
    assert "ENDLIST" not in response.text


async def test_request_for_the_hinted_part_is_held_until_it_is_complete() -> None:
    async with holding("r0/1.0.m4s") as held:
        await held.broadcast.add_part(1, 0)

        assert (await held.request).content == b"r0:1.0;"


async def test_hinted_part_that_is_never_written_is_not_found() -> None:
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_part(0, 0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0/0.1.m4s"))
        await until_waiting(origin, 1)
        await broadcast.end_segment(0)

        assert (await request).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "r0/1.1.m4s",
        "r0/0.5.m4s",
        "r0/1.m4s",
        "r0/9.0.m4s",
        "r0/init-1.mp4",
        "r2/0.m4s",
        "r2.m3u8",
        "r0/0.mp4",
        "",
        "x",
    ],
)
async def test_unknown_file_that_is_not_hinted_is_not_found(name: str) -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}{name}")

    assert response.status_code == 404
    assert response.headers["access-control-allow-origin"] == "*"


async def test_media_has_a_cache_lifetime() -> None:
    async with written() as broadcast, written("b2", access="secret") as private, serving() as client:
        await broadcast.add_segments(0)
        await private.add_segments(0)

        answers = [
            await client.get(path)
            for path in (
                f"{broadcast.path}r1/init-0.mp4",
                f"{broadcast.path}r1/0.3.m4s",
                f"{broadcast.path}r1/0.m4s",
                f"{private.path}r1/0.m4s",
            )
        ]

    facts = [
        (answer.text, answer.headers["content-type"], answer.headers["cache-control"]) for answer in answers
    ]
    assert facts == [
        ("init r1 0", "video/mp4", "public, max-age=3600"),
        ("r1:0.3;", "video/mp4", "public, max-age=3600"),
        (whole("r1", 0), "video/mp4", "public, max-age=3600"),
        (whole("r1", 0), "video/mp4", "private, max-age=3600"),
    ]


async def test_many_requests_for_a_part_query_redis_once(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = EdgeOrigin(settings.REDIS_URL)
    asked = []
    hget = origin._redis.hget

    def counting_hget(key: str, number: str) -> Any:
        asked.append(number)
        return hget(key, number)

    monkeypatch.setattr(origin._redis, "hget", counting_hget)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_part(0, 0)

        answers = await asyncio.gather(*(client.get(f"{broadcast.path}r0/0.0.m4s") for _ in range(50)))

    assert {answer.text for answer in answers} == {"r0:0.0;"}
    assert asked == ["0"]
