"""The delivery of playlists: rendered once, compressed on request, cached until they change."""

from __future__ import annotations

import gzip
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.tests.factories import UserFactory
from common import storage
from videos.models import SegmentRun, Video
from videos.rendered import Rendered, RenderedPlaylists
from videos.services import recordings
from videos.services.recordings import RecordedRendition
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

BEGAN_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of signed keys, in order."""
    keys: list[str] = []
    sign = storage.sign_get

    def sign_and_record(key: str, **about: Any) -> str:
        keys.append(key)
        return sign(key, **about)

    monkeypatch.setattr(storage, "sign_get", sign_and_record)
    return keys


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, datetime]:
    held = {"now": BEGAN_AT}
    monkeypatch.setattr(timezone, "now", lambda: held["now"])
    return held


def address(video: Video, name: str = "720p") -> str:
    return f"/videos/{video.public_id}/hls/{video.encode_key}/{name}.m3u8"


def recording(*, segments: int) -> tuple[Video, SegmentRun]:
    video = recordings.start_recording(
        channel=UserFactory().channel, title="Live", category="gaming", visibility="public"
    )
    recordings.record_renditions(video, [RecordedRendition("r0", 640, 360, 30.0, 800_000, "avc1.64001e")])
    run = recordings.open_run(video, is_continuous=False, began_at=BEGAN_AT)
    for _ in range(segments):
        recordings.append_segment(run, duration_s=4.0, size_bytes=1)
    Video.objects.filter(pk=video.pk).update(is_playable=True)
    return Video.objects.get(pk=video.pk), run


def urls(text: str) -> list[str]:
    return re.findall(r"^http\S+", text, re.MULTILINE)


def test_playlist_is_rendered_once_for_all_requests(
    client: Client, signed: list[str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    video = VideoFactory()
    first = client.get(address(video))
    count = len(signed)
    with django_assert_num_queries(1):  # access is checked at every request
        second = client.get(address(video))

    assert (first.content, count) == (second.content, len(signed))


def test_playlist_is_compressed_only_if_the_client_accepts_gzip(client: Client) -> None:
    video = VideoFactory()
    plain = client.get(address(video))
    compressed = client.get(address(video), headers={"Accept-Encoding": "br, gzip;q=0.5"})
    refused = client.get(address(video), headers={"Accept-Encoding": "gzip;q=0"})

    assert gzip.decompress(compressed.content) == plain.content == refused.content
    assert compressed["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain
    assert compressed["ETag"] != plain["ETag"]
    assert "Accept-Encoding" in plain["Vary"]


@pytest.mark.parametrize("name", ["720p", "multivariant"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_playlist_with_a_known_etag_is_answered_304(client: Client, name: str, coding: str) -> None:
    video = VideoFactory()
    headers = {"Accept-Encoding": coding}
    etag = client.get(address(video, name), headers=headers)["ETag"]
    answers = [
        client.get(address(video, name), headers={**headers, "If-None-Match": asked})
        for asked in (etag, f'"other", W/{etag}', '"other"')
    ]

    assert [answer.status_code for answer in answers] == [304, 304, 200]
    assert (answers[0].content, answers[0]["ETag"]) == (b"", etag)


def test_urls_change_with_the_signing_window(client: Client, clock: dict[str, datetime]) -> None:
    video = VideoFactory()
    first = client.get(address(video)).content
    clock["now"] += timedelta(minutes=59)
    second = client.get(address(video)).content
    clock["now"] += timedelta(minutes=1)
    third = client.get(address(video)).content

    assert first == second != third


def test_growing_recording_keeps_its_urls_and_signs_new_segments_only(
    client: Client, clock: dict[str, datetime], signed: list[str]
) -> None:
    video, run = recording(segments=3600)  # four hours
    clock["now"] += timedelta(hours=4)
    first = client.get(address(video, "r0")).content.decode()
    signed.clear()
    clock["now"] += timedelta(seconds=4)
    recordings.append_segment(run, duration_s=4.0, size_bytes=1)
    second = client.get(address(video, "r0")).content.decode()

    assert urls(second)[:-1] == urls(first)
    assert len(signed) == 1


def test_urls_of_a_recording_outlive_the_longest_broadcast(
    client: Client, clock: dict[str, datetime]
) -> None:
    video, _run = recording(segments=2)
    windows = set()
    for hours in range(13):
        clock["now"] = video.created_at + timedelta(hours=hours)
        (url, *_) = urls(client.get(address(video, "r0")).content.decode())
        windows.add(re.findall(r"X-Amz-Date=(\w+)&X-Amz-Expires=(\d+)", url)[0])

    assert {expires for _, expires in windows} == {str(30 * 3600)}
    assert len(windows) == 3


def test_growing_recording_is_answered_with_a_delta_on_request(client: Client) -> None:
    video, _run = recording(segments=100)
    whole = client.get(address(video, "r0")).content.decode()
    delta = client.get(address(video, "r0"), {"_HLS_skip": "YES"}).content.decode()

    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=88\n" in delta
    assert urls(delta) == urls(whole)[-12:]


def test_stored_segment_is_listed_at_once(client: Client) -> None:
    video, run = recording(segments=1)
    counts = []
    for _ in range(3):
        counts.append(len(urls(client.get(address(video, "r0")).content.decode())))
        recordings.append_segment(run, duration_s=4.0, size_bytes=1)

    assert counts == [1, 2, 3]


@pytest.mark.storage
def test_recording_reopened_and_finished_between_requests_is_listed_whole(
    client: Client, bucket: str, clock: dict[str, datetime], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    video, _run = recording(segments=1)
    recordings.finish_recording(video)
    first = client.get(address(video, "r0")).content.decode()
    recordings.reopen_recording(Video.objects.get(pk=video.pk))
    run = recordings.open_run(video, is_continuous=False, began_at=BEGAN_AT)
    recordings.append_segment(run, duration_s=4.0, size_bytes=1)
    recordings.finish_recording(video)

    second = client.get(address(video, "r0")).content.decode()

    assert (len(urls(first)), len(urls(second))) == (1, 2)
    with django_assert_num_queries(1):
        client.get(address(video, "r0"))


def test_playlist_of_a_video_made_private_is_not_served_from_cache(client: Client) -> None:
    video = VideoFactory()
    assert client.get(address(video)).status_code == 200
    Video.objects.filter(pk=video.pk).update(visibility="private")

    assert client.get(address(video)).status_code == 404


def test_cache_evicts_the_least_recently_used_playlist() -> None:
    kept = RenderedPlaylists(max_bytes=2500)
    made: list[str] = []

    def ask(name: str) -> None:
        def render(_before: Rendered | None) -> Rendered:
            made.append(name)
            return Rendered("state", "x" * 1000)

        kept.get((name,), "state", render, is_delta=False, is_compressed=False)

    for name in ("a", "b", "a", "c", "a", "b"):
        ask(name)

    # b was the least recently used when c came.
    assert made == ["a", "b", "c", "b"]
    assert kept.size_bytes <= 2500


def test_playlist_larger_than_the_cache_is_sent_and_not_cached() -> None:
    kept = RenderedPlaylists(max_bytes=10)
    body = kept.get(("a",), 1, lambda _before: Rendered(1, "x" * 1000), is_delta=False, is_compressed=False)

    assert (len(body.content), kept.size_bytes) == (1000, 0)


def test_concurrent_requests_wait_for_one_rendering() -> None:
    kept = RenderedPlaylists()
    made: list[int] = []
    all_here = threading.Barrier(8)

    def render(_before: Rendered | None) -> Rendered:
        made.append(1)
        return Rendered(1, "text")

    def ask(_number: int) -> bytes:
        all_here.wait(10)
        return kept.get(("a",), 1, render, is_delta=False, is_compressed=True).content

    with ThreadPoolExecutor(8) as crowd:
        answers = set(crowd.map(ask, range(8)))

    assert (len(made), len(answers)) == (1, 1)
