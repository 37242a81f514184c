"""Imports of channels from the APIs of other sites, spoken by a local server."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone
from PIL import Image
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from accounts.tests.factories import UserFactory
from common import storage
from videos import channel_listing, importing, page_imports, pipeline, queue, services
from videos.models import ChannelImport, ImportItem, Job, Video
from videos.services.errors import NothingChosen, NotListedYet, TooManyLists, UnknownSite
from videos.tests.clips import make_clip
from videos.tests.factories import VideoFactory
from videos.tests.page_server import PageServer, serving
from videos.transcoding import caption_conversion

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

UUID = "9c9de5e8-0a1e-484a-b099-e80766180a6{}"
SUBTITLES = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"


@pytest.fixture
def site(settings: Settings, bucket: str) -> Iterator[PageServer]:
    settings.IMPORT_NETWORKS = [ip_network("127.0.0.1/32")]
    settings.ENCODE_LEASE_S = 600  # no second connection beside the test's transaction
    yield from serving("127.0.0.1")


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 36), "navy").save(file, "PNG")
    return file.getvalue()


def answer(value: object) -> tuple[str, bytes]:
    return "application/json", json.dumps(value).encode()


def peertube_details(site: PageServer, number: int) -> dict[str, Any]:
    """Return ``VideoDetails`` as PeerTube 7 sends them, as far as they matter here."""
    return {
        "id": number,
        "uuid": UUID.format(number),
        "name": f"Walk {number}",
        "description": "By the sea",
        "tags": ["Sea", "Dog"],
        "category": {"id": 6, "label": "Travels"},
        "privacy": {"id": 1, "label": "Public"},
        "language": {"id": "en", "label": "English"},
        "duration": 2,
        "isLive": False,
        "publishedAt": f"2021-03-0{number}T10:00:00.000Z",
        "originallyPublishedAt": None,
        "previewPath": "/lazy-static/previews/walk.png",
        "files": [],
        "streamingPlaylists": [
            {
                "playlistUrl": site.url("/hls/master.m3u8"),
                "files": [
                    {
                        "resolution": {"id": 360},
                        "size": 5,
                        "fileUrl": site.url("/small.mp4"),
                        "hasAudio": True,
                    },
                    {
                        "resolution": {"id": 720},
                        "size": 7_000_000,
                        "fileUrl": site.url(f"/static/{number}.mp4"),
                        "hasAudio": True,
                        "hasVideo": True,
                    },
                    {"resolution": {"id": 1080}, "size": 9, "fileUrl": site.url("/v.mp4"), "hasAudio": False},
                ],
            }
        ],
    }


@pytest.fixture
def channel(site: PageServer) -> str:
    """Serve a PeerTube channel of two videos and a live one; return its address."""
    rows = [{"uuid": UUID.format(number), "isLive": number == 3} for number in (1, 2, 3)]
    listed = "/api/v1/video-channels/walks/videos?start={}&count=50&sort=-publishedAt&nsfw=both"
    site.pages[listed.format(0)] = answer({"total": 3, "data": rows})
    for number in (1, 2):
        url = f"/api/v1/videos/{UUID.format(number)}"
        caption = {"language": {"id": "en"}, "fileUrl": site.url("/en.vtt"), "automaticallyGenerated": False}
        heard = {"language": {"id": "fr"}, "fileUrl": site.url("/fr.vtt"), "automaticallyGenerated": True}
        chapters = [{"timecode": 30 * n, "title": f"Part {n}"} for n in range(3)]
        site.pages |= {
            url: answer(peertube_details(site, number)),
            f"{url}/captions": answer({"total": 2, "data": [caption, heard]}),
            f"{url}/chapters": answer({"chapters": chapters}),
        }
    site.pages |= {
        "/en.vtt": ("text/vtt", SUBTITLES),
        "/lazy-static/previews/walk.png": ("image/png", picture()),
    }
    return site.url("/c/walks/videos")


def listed(address: str, owner: User | None = None) -> ChannelImport:
    owner = owner or UserFactory()
    row = services.begin_channel_import(channel=owner.channel, address=address)
    assert channel_listing.work()
    row.refresh_from_db()
    return row


def test_channel_is_listed_with_sizes_and_without_live_videos(channel: str) -> None:
    row = listed(channel)

    items = list(row.items.all())
    assert (row.status, row.kind, row.found_count, row.total_count) == ("done", "peertube", 2, 3)
    assert [(item.title, item.size_bytes, item.duration_s) for item in items] == [
        ("Walk 1", 7_000_000, 2),
        ("Walk 2", 7_000_000, 2),
    ]
    assert items[0].published_at == datetime(2021, 3, 1, 10, tzinfo=UTC)
    assert not Video.objects.exists()


@pytest.mark.ffmpeg
@pytest.mark.slow
def test_chosen_video_comes_with_words_date_captions_chapters_and_picture(
    site: PageServer, channel: str, clips: Path
) -> None:
    film = make_clip("landscape", clips).read_bytes()
    site.pages["/static/2.mp4"] = ("video/mp4", film)
    row = listed(channel)

    services.choose_items(row, items=[row.items.get(title="Walk 2").pk], keeps_visibility=True)
    services.begin_chosen()
    while pipeline.work(Job.Lane.BULK):
        pass

    video = Video.objects.get()
    assert (video.title, video.status, video.visibility, video.category) == (
        "Walk 2",
        "ready",
        "public",
        "travel",
    )
    assert video.description == "By the sea\n\n0:00 Part 0\n0:30 Part 1\n1:00 Part 2"
    assert video.published_at == datetime(2021, 3, 2, 10, tzinfo=UTC)
    assert sorted(tag.name for tag in video.tags.all()) == ["dog", "sea"]
    assert [(track.language, track.origin) for track in video.captions.all()] == [("en", "imported")]
    assert video.has_own_poster
    assert storage.size_of(video.source_key) == len(film)


def test_chosen_videos_are_private_unless_the_visibility_is_kept(channel: str) -> None:
    row = listed(channel)

    services.choose_items(row)
    services.begin_chosen()

    assert {(video.visibility, video.import_url != "") for video in Video.objects.all()} == {
        ("private", True)
    }


def test_video_is_imported_once(channel: str) -> None:
    owner: User = UserFactory()
    services.choose_items(listed(channel, owner))
    services.begin_chosen()
    again = listed(channel, owner)

    with pytest.raises(NothingChosen):
        services.choose_items(again)

    assert Video.objects.count() == 2
    Video.objects.filter(title="Walk 1").delete()
    assert services.choose_items(again) == 1, "a deleted video may come again"


def test_imports_begin_as_far_as_the_limit_of_a_person_allows(
    channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_IMPORTS", 1)
    row = listed(channel)
    services.choose_items(row)

    services.begin_chosen()
    first = Video.objects.get()
    waiting = row.items.get(state="chosen")
    services.cancel_encode(first)
    services.begin_chosen()

    assert (first.title, waiting.title, waiting.waits_for) == ("Walk 1", "Walk 2", "too_many_imports")
    assert row.items.filter(state="begun").count() == 2


def test_later_choice_does_not_publish_videos_that_wait(
    channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_IMPORTS", 0)
    row = listed(channel)
    first, second = row.items.order_by("position")
    services.choose_items(row, items=[first.pk])
    services.choose_items(row, items=[second.pk], keeps_visibility=True)

    monkeypatch.setattr(importing, "MAX_IMPORTS", 9)
    services.begin_chosen()

    shown = dict(Video.objects.values_list("title", "visibility"))
    assert shown == {first.title: "private", second.title: second.visibility}
    assert second.visibility == "public"


def test_listing_of_a_killed_worker_begins_anew(channel: str) -> None:
    owner: User = UserFactory()
    row = services.begin_channel_import(channel=owner.channel, address=channel)
    with (
        mock.patch.object(channel_listing, "_store", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        channel_listing.work()
    assert not channel_listing.work(), "its lease holds"
    ChannelImport.objects.update(lease_until=timezone.now())

    assert channel_listing.work()

    row.refresh_from_db()
    assert (row.status, row.attempt, row.losses, row.items.count()) == ("done", 2, 1, 2)


def test_waiting_item_is_cancelled_and_a_failed_one_tried_again(site: PageServer, channel: str) -> None:
    owner: User = UserFactory()
    row = listed(channel, owner)
    client = Client()
    client.force_login(owner)
    services.choose_items(row)
    first, second = row.items.all()

    client.post(f"/studio/imports/{row.public_id}/items/{second.pk}/cancel/")
    services.begin_chosen()
    job = queue.claim([Job.Lane.BULK])
    assert job is not None
    pipeline.run(job)
    failed = Video.objects.get().status
    client.post(f"/studio/imports/{row.public_id}/items/{first.pk}/retry/")

    second.refresh_from_db()
    assert (second.state, failed, Video.objects.get().status) == ("canceled", "failed", "processing")


@pytest.mark.parametrize("status", ["", "nothing"])
def test_unknown_channel_is_named(site: PageServer, status: str) -> None:
    if status:
        page = "/api/v1/video-channels/nobody/videos?start=0&count=50&sort=-publishedAt&nsfw=both"
        site.pages[page] = answer({"total": 0, "data": []})

    row = listed(site.url("/c/nobody"))

    assert (row.status, row.error_code) == ("failed", "no_videos" if status else "site_refused")


def test_inner_site_is_not_asked(site: PageServer, channel: str, settings: Settings) -> None:
    settings.IMPORT_NETWORKS = []

    row = listed(channel)

    assert (row.status, site.asked) == ("failed", [])


@pytest.mark.parametrize(
    "body", [b"<html>", b"[" * 200_000, b"\xff\xfe{}", b'{"data": 7}', b'{"data": [[], null, 1]}']
)
def test_answer_of_another_shape_is_refused(site: PageServer, body: bytes) -> None:
    page = "/api/v1/video-channels/odd/videos?start=0&count=50&sort=-publishedAt&nsfw=both"
    site.pages[page] = ("application/json", body)

    row = listed(site.url("/c/odd"))

    assert row.status == "failed"


def test_list_before_its_end_cannot_be_chosen_from(channel: str) -> None:
    owner: User = UserFactory()
    row = services.begin_channel_import(channel=owner.channel, address=channel)

    with pytest.raises(NotListedYet):
        services.choose_items(row)


def test_lists_of_a_person_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.channel_imports, "MAX_CHANNEL_IMPORTS", 1)
    owner: User = UserFactory()
    services.begin_channel_import(channel=owner.channel, address="walks@video.example")

    with pytest.raises(TooManyLists):
        services.begin_channel_import(channel=owner.channel, address="walks@video.example")


def test_address_that_names_no_channel_is_refused() -> None:
    owner: User = UserFactory()
    for address in ("https://example.org/", "ftp://example.org/c/a", "https://example.org/watch/1", "a b"):
        with pytest.raises(UnknownSite):
            services.begin_channel_import(channel=owner.channel, address=address)


@pytest.mark.parametrize("count", [1, 3])
def test_page_of_a_list_takes_a_fixed_number_of_queries(
    client: Client, count: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    owner: User = UserFactory()
    row = services.begin_channel_import(channel=owner.channel, address="walks@video.example")
    for number in range(count):
        ImportItem.objects.create(
            channel_import=row,
            source_id=str(number),
            position=number,
            title="Walk",
            visibility="public",
            details={},
        )
    client.force_login(owner)

    with django_assert_max_num_queries(14):
        page = client.get(f"/studio/imports/{row.public_id}/")

    assert page.content.decode().count("Walk") == count


def test_owner_lists_chooses_and_deletes_on_the_pages(channel: str, client: Client) -> None:
    owner: User = UserFactory()
    client.force_login(owner)

    client.post("/studio/imports/", {"address": channel})
    channel_listing.work()
    address = f"/studio/imports/{ChannelImport.objects.get().public_id}/"
    page = client.get(address).content.decode()
    item = ImportItem.objects.get(title="Walk 1")
    chosen = client.post(f"{address}start/", {"items": [item.pk], "keeps_visibility": "on"})
    services.begin_chosen()
    fragment = client.get(f"{address}?list").content.decode()
    client.post(f"{address}delete/")

    assert "2 videos can be imported" in page
    assert (chosen.status_code, Video.objects.get().visibility) == (302, "public")
    assert "data-active" in fragment
    assert not ChannelImport.objects.exists()
    assert Video.objects.exists()


def mediacms_details(site: PageServer) -> dict[str, Any]:
    """Return ``SingleMedia`` as MediaCMS 8 sends it, as far as it matters here."""
    return {
        "title": "A talk",
        "description": "About boats",
        "state": "public",
        "media_type": "video",
        "add_date": "2022-05-01T08:00:00.123456Z",
        "duration": 61,
        "size": "12.5MB",
        "original_media_url": "/media/original/user/ann/talk.mp4",
        "poster_url": "/media/poster.jpg",
        "encodings_info": {},
        "tags_info": [{"title": "boats", "url": "/search?t=boats"}],
        "categories_info": [{"title": "Documentary", "url": "/search?c=Documentary"}],
        "subtitles_info": [{"src": "/media/subtitles/en.vtt", "srclang": "en", "label": "English"}],
        "chapter_data": [{"startTime": "00:01:05.500", "endTime": "00:02:00", "chapterTitle": "Sails"}],
    }


def test_user_of_mediacms_is_listed(site: PageServer) -> None:
    rows = [
        {"friendly_token": "k4d2", "media_type": "video"},
        {"friendly_token": "p1c7", "media_type": "image"},
        {"friendly_token": "gone", "media_type": "video"},
    ]
    site.pages = {
        "/api/v1/media?author=ann&page=1": answer({"count": 3, "next": None, "results": rows}),
        "/api/v1/media/k4d2": answer(mediacms_details(site)),
    }

    row = listed(site.url("/user/ann/"))

    item = row.items.get()
    assert (row.kind, item.title, item.size_bytes, item.duration_s) == ("mediacms", "A talk", 12_500_000, 61)
    assert (item.visibility, item.details["category"]) == ("public", "film")
    assert item.details["media_url"] == site.url("/media/original/user/ann/talk.mp4")
    assert item.details["captions"] == [["en", site.url("/media/subtitles/en.vtt")]]
    assert item.details["chapters"] == [[65.5, "Sails"]]


def test_slow_site_ends_its_list_after_its_time(
    site: PageServer, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site whose videos all fail to load yields none, and must still come to its end."""
    monkeypatch.setattr(channel_listing, "MAX_LISTING_S", 0.0)

    row = listed(channel)

    assert (row.status, row.error_code) == ("failed", "site_failed")
    assert site.asked == []


def test_one_list_of_a_person_is_read_at_a_time(channel: str) -> None:
    owner, other = UserFactory(), UserFactory()
    first = services.begin_channel_import(channel=owner.channel, address=channel)
    second = services.begin_channel_import(channel=owner.channel, address=channel)
    ChannelImport.objects.take(first, "another:1")

    assert not channel_listing.work()
    third = services.begin_channel_import(channel=other.channel, address=channel)
    assert channel_listing.work()
    third.refresh_from_db()
    assert third.status == "done"

    ChannelImport.objects.end(first, ChannelImport.Status.DONE)
    assert channel_listing.work()
    second.refresh_from_db()
    assert second.status == "done"


def test_captions_that_end_the_program_cost_only_themselves(
    monkeypatch: pytest.MonkeyPatch, bucket: str
) -> None:
    video = VideoFactory()
    monkeypatch.setattr(caption_conversion, "_PROGRAM", "import sys; sys.exit(9)")

    page_imports.store_captions(video, "en", SUBTITLES)

    assert not video.captions.exists()
