"""Requests that are held until their segment exists."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler

from videos import arrivals, ends, held_segments
from videos.held_segments import HeldSegments
from videos.models import SegmentRun, Video
from videos.services import delete_video, edit_video
from videos.tests.plans import planned_video
from videos.transcoding.errors import EncodeFailed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


@pytest.fixture
async def site() -> AsyncIterator[HeldSegments]:
    """Yield Django behind the middleware, which nobody but a message wakes."""
    with mock.patch.object(arrivals, "TICK_S", 60.0):
        site = HeldSegments(ASGIHandler(), settings.REDIS_URL)
        yield site
        await site.aclose()


@pytest.fixture
async def video() -> Video:
    video: Video = await sync_to_async(planned_video)()
    return video


def ask(
    site: HeldSegments, video: Video, name: str, gone: asyncio.Event | None = None
) -> asyncio.Task[tuple[int, dict[str, str]]]:
    """Start a request; its result is the status and the headers of the answer."""
    path = f"/videos/{video.public_id}/hls/{video.encode_key}/{name}"
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(),
        "query_string": b"", "scheme": "http", "root_path": "", "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 1), "server": ("testserver", 80),
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def request() -> tuple[int, dict[str, str]]:
        await site(scope, receive, send)
        if not sent:
            return 0, {}
        return sent[0]["status"], {
            name.decode().lower(): value.decode() for name, value in sent[0]["headers"]
        }

    return asyncio.create_task(request())


async def held(site: HeldSegments, count: int) -> None:
    """Wait until ``count`` requests wait and the process listens."""
    async with asyncio.timeout(10):
        while site.waiting != count:  # noqa: ASYNC110  (nothing tells a test)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)


def store(video: Video, segments: list[float]) -> None:
    run = SegmentRun.objects.filter(video=video, kind="audio")
    run.update(segments=segments)
    arrivals.publish(video.encode_key)


async def test_held_request_is_redirected_when_its_segment_arrives(site: HeldSegments, video: Video) -> None:
    request = ask(site, video, "audio-0/1.m4s")
    await held(site, 1)

    await sync_to_async(store)(video, [4.010667, 3.989333])
    status, headers = await asyncio.wait_for(request, 5)

    assert status == 302
    assert "/audio-0/0-1/1.m4s?X-Amz-" in headers["location"]
    assert "x-awaits" not in headers
    assert site.waiting == 0


async def test_stored_segment_is_not_held(site: HeldSegments, video: Video) -> None:
    status, _headers = await asyncio.wait_for(ask(site, video, "360p/0.m4s"), 10)

    assert status == 302


async def test_arrival_is_read_once_for_all_requests(site: HeldSegments, video: Video) -> None:
    requests = [ask(site, video, f"audio-0/{number}.m4s") for number in (1, 2) for _ in range(10)]
    await held(site, 20)
    reads: list[int] = []
    read = held_segments._still_awaited

    def count(key: str, asked: set[arrivals.Wanted]) -> set[arrivals.Wanted]:
        reads.append(len(asked))
        return read(key, asked)

    with mock.patch.object(held_segments, "_still_awaited", side_effect=count):
        await sync_to_async(store)(video, [4.0, 4.0, 4.0])
        answers = await asyncio.wait_for(asyncio.gather(*requests), 20)

    assert {status for status, _ in answers} == {302}
    assert reads == [2]


async def test_waiting_requests_hold_no_thread(site: HeldSegments, video: Video) -> None:
    await asyncio.wait_for(ask(site, video, "360p/0.m4s"), 10)
    before = threading.active_count()
    requests = [ask(site, video, "audio-0/1.m4s") for _ in range(30)]
    await held(site, 30)

    # Those of the loop's own pool and of the readers.
    assert threading.active_count() < before + 15
    await sync_to_async(store)(video, [4.0, 4.0])
    await asyncio.wait_for(asyncio.gather(*requests), 20)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda video: ends.fail_video(video, EncodeFailed("no")), 404),
        (delete_video, 404),
        (lambda video: edit_video(video, visibility="private"), 404),
        (lambda video: edit_video(video, visibility="unlisted"), 503),
    ],
    ids=["failed", "deleted", "private", "unlisted"],
)
async def test_change_of_the_video_is_answered_at_once(
    change: Callable[[Video], object], status: int, site: HeldSegments, video: Video
) -> None:
    request = ask(site, video, "audio-0/1.m4s")
    await held(site, 1)

    with mock.patch.object(held_segments, "HELD_FOR_S", 0.5):
        await sync_to_async(change)(video)
        if status == 503:
            await asyncio.sleep(0.5)
            assert not request.done()
            request.cancel()
            return
        answer, _headers = await asyncio.wait_for(request, 5)

    assert answer == status


async def test_request_is_answered_503_after_its_time(site: HeldSegments, video: Video) -> None:
    with mock.patch.object(held_segments, "HELD_FOR_S", 0.3):
        status, headers = await asyncio.wait_for(ask(site, video, "audio-0/1.m4s"), 10)

    assert (status, headers["retry-after"]) == (503, "2")
    assert "x-awaits" not in headers
    assert site.waiting == 0


async def test_one_address_waits_a_bounded_number_of_times(video: Video) -> None:
    with mock.patch.object(held_segments, "MAX_WAITING_PER_ADDRESS", 3):
        site = HeldSegments(ASGIHandler(), settings.REDIS_URL)
    requests = [ask(site, video, "audio-0/1.m4s") for _ in range(5)]
    refused = [(await request)[0] for request in islice(asyncio.as_completed(requests, timeout=10), 2)]
    await held(site, 3)
    waiting = [task for task in requests if not task.done()]

    assert refused == [503, 503]
    assert (len(waiting), site.waiting) == (3, 3)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert site.waiting == 0
    await site.aclose()


async def test_request_of_a_client_that_left_is_dropped(site: HeldSegments, video: Video) -> None:
    gone = asyncio.Event()
    request = ask(site, video, "audio-0/1.m4s", gone)
    await held(site, 1)

    gone.set()

    assert await asyncio.wait_for(request, 5) == (0, {})
    assert site.waiting == 0


async def test_arrival_is_found_without_redis(video: Video) -> None:
    with mock.patch.object(arrivals, "TICK_S", 0.2):
        site = HeldSegments(ASGIHandler(), "redis://127.0.0.1:1/0")
        request = ask(site, video, "audio-0/1.m4s")
        await held(site, 1)
        await sync_to_async(SegmentRun.objects.filter(video=video, kind="audio").update)(segments=[4.0, 4.0])
        status, _ = await asyncio.wait_for(request, 5)
        await site.aclose()

    assert status == 302
