from __future__ import annotations

import asyncio
import gzip
from typing import Any

import httpx
import pytest
from django.conf import settings

from live import edge
from live.llhls.origin import Origin
from live.tests.edge_tools import serving, until_waiting, whole, written

pytestmark = pytest.mark.redis

NOTHING_PUBLISHED = "/live-media/nobody/open/r0.m3u8"


def listed(response: httpx.Response) -> list[str]:
    """The URIs of segments and parts."""
    lines = response.text.splitlines()
    return [
        line if not line.startswith("#") else line.split('URI="')[1].split('"')[0]
        for line in lines
        if line and (not line.startswith("#") or line.startswith("#EXT-X-PART:"))
    ]


# --- Playlists ------------------------------------------------------------------------


async def test_the_multivariant_playlist_lists_what_the_ingest_declared() -> None:
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


async def test_the_multivariant_playlist_waits_for_the_first_segment() -> None:
    origin = Origin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        request = asyncio.create_task(client.get(f"{broadcast.path}multivariant.m3u8"))
        await until_waiting(origin, 1)
        await broadcast.add_segments(0)

        assert (await request).status_code == 200


async def test_a_playlist_is_answered_with_what_players_and_caches_need() -> None:
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


async def test_playlists_are_compressed_for_those_who_accept_it() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)
        path = f"{broadcast.path}r0.m3u8"

        plain = await client.get(path, headers={"accept-encoding": "identity"})
        async with client.stream("GET", path, headers={"accept-encoding": "br, gzip;q=0.5"}) as response:
            compressed = b"".join([piece async for piece in response.aiter_raw()])

    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(compressed) == plain.content


async def test_a_request_is_held_until_the_part_exists() -> None:
    origin = Origin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        query = {"_HLS_msn": 1, "_HLS_part": 1}
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8", params=query))
        await until_waiting(origin, 1)
        await broadcast.add_part(1, 0)
        await until_waiting(origin, 1)
        still_waits = not request.done()
        await broadcast.add_part(1, 1)

        response = await request

    assert still_waits
    assert listed(response)[-2:] == ["r0/1.0.m4s", "r0/1.1.m4s"]


async def test_a_part_past_the_segments_end_means_the_first_of_the_next() -> None:
    origin = Origin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        query = {"_HLS_msn": 0, "_HLS_part": 5}
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8", params=query))
        await until_waiting(origin, 1)
        await broadcast.add_part(1, 0)

        assert listed(await request)[-1] == "r0/1.0.m4s"


async def test_a_request_without_a_part_is_held_until_the_segment_is_complete() -> None:
    origin = Origin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8", params={"_HLS_msn": 1}))
        await until_waiting(origin, 1)
        await broadcast.add_segments(1)

        assert listed(await request)[-1] == "r0/1.m4s"


async def test_a_delta_update_skips_what_is_far_from_the_edge() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(*range(10))

        response = await client.get(f"{broadcast.path}r0.m3u8", params={"_HLS_skip": "YES"})

    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n" in response.text
    assert [uri for uri in listed(response) if uri.count(".") == 1] == [f"r0/{n}.m4s" for n in range(4, 10)]


@pytest.mark.parametrize(
    "query",
    ["_HLS_part=0", "_HLS_msn=x", "_HLS_msn=-1", "_HLS_msn=1&_HLS_msn=1", "_HLS_skip=no", "_HLS_msn=4"],
)
async def test_directives_that_cannot_be_answered_are_refused_at_once(query: str) -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}r0.m3u8?{query}")

    assert response.status_code == 400


async def test_other_parameters_are_nobodys_business() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}r0.m3u8?token=%FF&_HLS_start_offset=x")

    assert response.status_code == 200


async def test_what_does_not_come_within_three_target_durations_is_unavailable() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0")

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.headers["access-control-allow-origin"] == "*"


async def test_when_a_broadcast_ends_those_who_wait_are_told() -> None:
    origin = Origin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"))
        await until_waiting(origin, 1)
        await asyncio.to_thread(edge.end, "b1")

        response = await request

    assert response.text.endswith("#EXT-X-ENDLIST\n")


async def test_after_the_end_directives_are_ignored() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)
        await asyncio.to_thread(edge.end, "b1")

        response = await client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=99&_HLS_part=0")

    assert response.status_code == 200


async def test_while_the_publisher_is_away_the_playlist_stays_open() -> None:
    async with written() as broadcast:
        await broadcast.add_segments(0)
        await broadcast.add_part(1, 0)
    async with serving() as client:
        response = await client.get(f"{broadcast.path}r0.m3u8")

    assert '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="r0/2.0.m4s"\n' in response.text
    assert "ENDLIST" not in response.text


# --- Media ----------------------------------------------------------------------------


async def test_the_hinted_part_is_held_until_it_is_complete() -> None:
    origin = Origin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0/1.0.m4s"))
        await until_waiting(origin, 1)
        await broadcast.add_part(1, 0)

        assert (await request).content == b"r0:1.0;"


async def test_a_hinted_part_that_never_comes_is_not_found() -> None:
    origin = Origin(settings.REDIS_URL)
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
async def test_what_is_unknown_and_not_hinted_is_not_found(name: str) -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)

        response = await client.get(f"{broadcast.path}{name}")

    assert response.status_code == 404
    assert response.headers["access-control-allow-origin"] == "*"


async def test_media_is_served_with_how_long_it_keeps() -> None:
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


async def test_many_requests_for_a_part_ask_redis_once(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = Origin(settings.REDIS_URL)
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


# --- Who may ask ------------------------------------------------------------------------


async def test_a_wrong_access_is_answered_like_an_unknown_broadcast() -> None:
    async with written(access="secret") as broadcast, serving() as client:
        await broadcast.add_segments(0)

        wrong = await client.get(broadcast.path.replace("secret", "open") + "r0.m3u8")
        unknown = await client.get(NOTHING_PUBLISHED)

    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content) == (404, b"")
    assert {**wrong.headers, "date": ""} == {**unknown.headers, "date": ""}


async def test_a_changed_access_turns_away_also_those_who_wait() -> None:
    origin = Origin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"))
        await until_waiting(origin, 1)
        await asyncio.to_thread(edge.set_access, "b1", "secret")

        answers = [
            (await request).status_code,
            (await client.get(f"{broadcast.path}r0/0.m4s")).status_code,
            (await client.get(broadcast.path.replace("open", "secret") + "r0/0.m4s")).status_code,
        ]

    assert answers == [404, 404, 200]


async def test_other_origins_may_ask() -> None:
    async with serving() as client:
        preflight = await client.options(NOTHING_PUBLISHED)

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"


async def test_a_head_is_a_get_without_a_body_and_the_rest_is_refused() -> None:
    async with written() as broadcast, serving() as client:
        await broadcast.add_segments(0)
        head = await client.head(f"{broadcast.path}r0/0.m4s")
        post = await client.post(f"{broadcast.path}r0/0.m4s")

    assert (head.status_code, head.headers["content-length"], head.content) == (200, "35", b"")
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


# --- What goes wrong ----------------------------------------------------------------------


async def test_a_player_that_leaves_frees_its_place() -> None:
    origin = Origin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"))
        await until_waiting(origin, 1)

        request.cancel()

        await until_waiting(origin, 0)


async def test_more_than_may_wait_are_told_to_come_again() -> None:
    origin = Origin(settings.REDIS_URL, max_waiting=1)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        path = f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"
        first = asyncio.create_task(client.get(path))
        await until_waiting(origin, 1)

        second = await client.get(path)
        await broadcast.add_part(1, 0)

        assert (second.status_code, (await first).status_code) == (503, 200)


async def test_without_redis_the_answer_is_to_come_again() -> None:
    async with serving(Origin("redis://127.0.0.1:1/0")) as client:
        response = await client.get(NOTHING_PUBLISHED)

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


async def test_two_origins_serve_the_same_broadcast() -> None:
    first, second = Origin(settings.REDIS_URL), Origin(settings.REDIS_URL)
    async with written() as broadcast, serving(first) as one, serving(second) as other:
        await broadcast.add_segments(0)
        path = f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"
        requests = [asyncio.create_task(client.get(path)) for client in (one, other)]
        await until_waiting(first, 1)
        await until_waiting(second, 1)
        await broadcast.add_part(1, 0)

        texts = [(await request).text for request in requests]

    assert texts[0] == texts[1]
    assert "r0/1.0.m4s" in texts[0]
