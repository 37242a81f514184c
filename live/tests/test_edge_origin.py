from __future__ import annotations

import asyncio
import gzip
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from django.conf import settings

from common.buckets import Rate
from common.rates import RATES
from live.edge import control
from live.edge.cache import SegmentCache
from live.edge.origin import EdgeOrigin
from live.edge.reader import EdgeReader, EdgeUnavailable
from live.edge.writer import EdgeWriter
from live.llhls.segments import Init, Part, SegmentEnd
from live.redis_connections import new_writer_client
from live.tests.edge_tools import Line, serving, until_waiting, whole, written
from live.tests.live_clips import Published, encode, packaged
from videos.transcoding.tools import ffmpeg_path

pytestmark = pytest.mark.redis

NOTHING_PUBLISHED = "/live-media/nobody/open/r0.m3u8"


def listed(response: httpx.Response) -> list[str]:
    """Return the URIs of segments and parts."""
    lines = response.text.splitlines()
    return [
        line if not line.startswith("#") else line.split('URI="')[1].split('"')[0]
        for line in lines
        if line and (not line.startswith("#") or line.startswith("#EXT-X-PART:"))
    ]


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
    origin = EdgeOrigin(settings.REDIS_URL)
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


async def test_part_past_the_end_means_the_first_of_the_next_segment() -> None:
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        query = {"_HLS_msn": 0, "_HLS_part": 5}
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8", params=query))
        await until_waiting(origin, 1)
        await broadcast.add_part(1, 0)

        assert listed(await request)[-1] == "r0/1.0.m4s"


async def test_request_without_a_part_is_held_until_the_segment_is_complete() -> None:
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8", params={"_HLS_msn": 1}))
        await until_waiting(origin, 1)
        await broadcast.add_segments(1)

        assert listed(await request)[-1] == "r0/1.m4s"


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

        response = await client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0")

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.headers["access-control-allow-origin"] == "*"


async def test_held_requests_are_answered_at_the_end_of_a_broadcast() -> None:
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"))
        await until_waiting(origin, 1)
        await asyncio.to_thread(control.end, "b1")

        response = await request

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
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0/1.0.m4s"))
        await until_waiting(origin, 1)
        await broadcast.add_part(1, 0)

        assert (await request).content == b"r0:1.0;"


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


async def test_wrong_access_is_answered_like_an_unknown_broadcast() -> None:
    async with written(access="secret") as broadcast, serving() as client:
        await broadcast.add_segments(0)

        wrong = await client.get(broadcast.path.replace("secret", "open") + "r0.m3u8")
        unknown = await client.get(NOTHING_PUBLISHED)

    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content) == (404, b"")
    assert {**wrong.headers, "date": ""} == {**unknown.headers, "date": ""}


async def test_changed_access_refuses_held_requests() -> None:
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"))
        await until_waiting(origin, 1)
        await asyncio.to_thread(control.set_access, "b1", "secret")

        answers = [
            (await request).status_code,
            (await client.get(f"{broadcast.path}r0/0.m4s")).status_code,
            (await client.get(broadcast.path.replace("open", "secret") + "r0/0.m4s")).status_code,
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
    origin = EdgeOrigin(settings.REDIS_URL)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"))
        await until_waiting(origin, 1)

        request.cancel()

        await until_waiting(origin, 0)


async def test_request_beyond_max_waiting_is_unavailable() -> None:
    origin = EdgeOrigin(settings.REDIS_URL, max_waiting=1)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        path = f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"
        first = asyncio.create_task(client.get(path))
        await until_waiting(origin, 1)

        second = await client.get(path)
        await broadcast.add_part(1, 0)

        assert (second.status_code, (await first).status_code) == (503, 200)


async def test_held_requests_of_one_address_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = EdgeOrigin(settings.REDIS_URL, max_waiting_per_address=1)
    monkeypatch.setattr(settings, "TRUSTED_PROXIES", 1)
    async with written() as broadcast, serving(origin) as client:
        await broadcast.add_segments(0)
        path = f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"
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
        path = f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"
        requests = [asyncio.create_task(client.get(path)) for client in (one, other)]
        await until_waiting(first, 1)
        await until_waiting(second, 1)
        await broadcast.add_part(1, 0)

        texts = [(await request).text for request in requests]

    assert texts[0] == texts[1]
    assert "r0/1.0.m4s" in texts[0]


async def test_held_requests_are_answered_after_a_reconnection() -> None:
    async with Line.laid() as line:
        origin = EdgeOrigin(line.url)
        async with written() as broadcast, serving(origin) as client:
            await broadcast.add_segments(0)
            request = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"))
            await until_waiting(origin, 1)
            line.cut()
            await broadcast.add_part(1, 0)
            line.mend()

            response = await request

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


async def test_cache_is_bounded_in_bytes() -> None:
    fetched = []

    async def fetch() -> bytes:
        fetched.append(1)
        return b"12345"

    cache = SegmentCache(max_bytes=10)
    for key in ("a", "b", "a", "c", "a", "b"):
        await cache.get(key, fetch)

    # c evicts b, the least recently used.
    assert len(fetched) == 4


@pytest.mark.ffmpeg
@pytest.mark.parametrize("published", [Published(), Published(b_frames=2)], ids=["", "B-frames"])
async def test_ffmpeg_plays_the_playlist_from_complete_segments(published: Published, tmp_path: Path) -> None:
    files = {f"r{number}": path for number, path in enumerate(encode(tmp_path, published)[:2])}
    async with new_writer_client() as connection, serving() as client:
        writer = await EdgeWriter.open(connection, "b1", published.shape, list(files), "open")
        await writer.begin_epoch(0, 1_700_000_000.0)
        for name, path in files.items():
            await write(writer, name, packaged(path, published.shape))
        await writer.close()
        await asyncio.to_thread(control.end, "b1")
        url = f"{client.base_url}/live-media/b1/open/multivariant.m3u8"

        played = [await asyncio.to_thread(decoded_pictures, url, variant) for variant in (0, 1)]

    # FFmpeg starts at the third segment before the end, as in the specification, or at the first.
    assert played in ([120, 120], [90, 90])


async def write(writer: EdgeWriter, name: str, made: list[Init | Part | SegmentEnd]) -> None:
    for thing in made:
        match thing:
            case Init():
                await writer.add_init(name, thing, bandwidth_bps=500_000, frame_rate=30.0)
            case Part():
                await writer.add_part(name, thing)
            case SegmentEnd():
                await writer.end_segment(name, thing)


def decoded_pictures(url: str, variant: int) -> int:
    done = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-i", url, "-map", f"0:v:{variant}", "-f", "framemd5", "-"],
        check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    return sum(not line.startswith("#") for line in done.stdout.splitlines())


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
async def test_application_serves_live_media_under_uvicorn_and_daphne(server: str) -> None:
    async with written() as broadcast, application(server) as client:
        await broadcast.add_segments(0)
        playlist = await client.get(f"{broadcast.path}r0.m3u8")
        held = asyncio.create_task(client.get(f"{broadcast.path}r0/1.0.m4s"))
        left = asyncio.create_task(client.get(f"{broadcast.path}r0.m3u8?_HLS_msn=1&_HLS_part=0"))
        head = await client.head(f"{broadcast.path}r0/0.m4s")
        left.cancel()
        await broadcast.add_part(1, 0)

        answers = [
            playlist,
            await held,
            head,
            await client.get(NOTHING_PUBLISHED),
            await client.get("/healthz"),
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 200]
    assert answers[1].content == b"r0:1.0;"
    assert head.headers["content-length"] == str(len(whole("r0", 0)))


@asynccontextmanager
async def application(server: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the ASGI application in its own process; requests queue until it listens."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        number = str(listener.fileno())
        options = ["--lifespan", "off", "--log-level", "warning"] if server == "uvicorn" else ["-v", "0"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", server, "--fd", number, *options, "videoplatform.asgi:application",
            pass_fds=[listener.fileno()],
        )  # fmt: skip
        host, port = listener.getsockname()
        try:
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=30) as client:
                yield client
        finally:
            process.kill()
            await process.wait()
