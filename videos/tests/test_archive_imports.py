"""Imports from archives that PeerTube exports, good and hostile ones."""

from __future__ import annotations

import io
import json
import random
import stat
import zipfile
from collections.abc import Callable, Iterator
from copy import copy
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.tests.factories import UserFactory
from common import deletion, storage
from common.models import PendingDeletion
from common.safe_http import FetchError
from videos import archives, channel_listing, import_extras, importing, queue, services
from videos.models import ChannelImport, Job, UploadCharge, Video
from videos.services.errors import ArchiveExpired, BadUrl
from videos.sites import peertube_export
from videos.tests.page_server import PageServer, serving
from videos.tests.test_channel_imports import SUBTITLES, UUID, picture
from videos.transcoding.errors import FetchRefused

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

FILM = b"\0\0\0\x18ftypmp42" + b"film" * 1000


@pytest.fixture
def site(settings: Settings, bucket: str) -> Iterator[PageServer]:
    settings.IMPORT_NETWORKS = [ip_network("127.0.0.1/32")]
    settings.ENCODE_LEASE_S = 600  # no second connection beside the test's transaction
    yield from serving("127.0.0.1")


def exported(number: int, **fields: Any) -> dict[str, Any]:
    """Return one video of ``videos.json`` as PeerTube 7 writes it, as far as it matters here."""
    uuid = UUID.format(number)
    return {
        "uuid": uuid,
        "url": f"https://video.example/videos/watch/{uuid}",
        "name": f"Walk {number}",
        "description": "By the sea",
        "privacy": 2,
        "category": 6,
        "tags": ["sea"],
        "duration": 61,
        "publishedAt": "2021-03-01T10:00:00.000Z",
        "isLive": False,
        "captions": [{"language": "en", "automaticallyGenerated": False}],
        "chapters": [{"timecode": 20 * n, "title": f"Part {n}"} for n in range(3)],
        "archiveFiles": {
            "videoFile": f"../files/videos/video-files/{uuid}.mp4",
            "thumbnail": f"../files/videos/thumbnails/{uuid}.png",
            "captions": {"en": f"../files/videos/captions/{uuid}-en.vtt"},
        },
    } | fields


def zipped(
    videos: list[Any], change: Callable[[zipfile.ZipFile], None] | None = None, *, text: bytes = b""
) -> bytes:
    """Return an archive with these videos and the files of the first one."""
    uuid = UUID.format(1)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(peertube_export.LIST_NAME, text or json.dumps({"videos": videos}))
        archive.writestr(f"files/videos/video-files/{uuid}.mp4", FILM)
        archive.writestr(f"files/videos/thumbnails/{uuid}.png", picture())
        archive.writestr(f"files/videos/captions/{uuid}-en.vtt", SUBTITLES)
        archive.writestr("peertube/account.json", "{}")
        if change:
            change(archive)
    return file.getvalue()


def listed(site: PageServer, data: bytes) -> ChannelImport:
    site.pages["/export.zip"] = ("application/zip", data)
    owner: User = UserFactory()
    row = services.begin_channel_import(channel=owner.channel, address=site.url("/export.zip?jwt=1"))
    site.pages["/export.zip?jwt=1"] = site.pages["/export.zip"]
    channel_listing.work()
    row.refresh_from_db()
    return row


def claimed(row: ChannelImport, *, keeps_visibility: bool = False) -> Job:
    """Choose all videos of an archive and claim the import of the first one."""
    services.choose_items(row, keeps_visibility=keeps_visibility)
    services.begin_chosen()
    job = queue.claim([Job.Lane.BULK])
    assert job is not None
    return job


def test_video_of_an_export_comes_with_all_that_belongs_to_it(site: PageServer) -> None:
    row = listed(site, zipped([exported(1), exported(2)]))
    job = claimed(row, keeps_visibility=True)
    importing.fetch_source(job)

    video = Video.objects.get()
    assert (row.status, row.kind, [item.size_bytes for item in row.items.all()]) == (
        "done",
        "archive",
        [len(FILM)],
    )
    assert (video.title, video.visibility, video.import_source) == (
        "Walk 1",
        "unlisted",
        f"peertube:video.example/{UUID.format(1)}",
    )
    assert video.description == "By the sea\n\n0:00 Part 0\n0:20 Part 1\n0:40 Part 2"
    assert storage.read_range(video.source_key, 0, 100_000) == FILM
    assert [track.language for track in video.captions.all()] == ["en"]
    assert video.has_own_poster
    assert PendingDeletion.objects.filter(path=row.archive_key).exists()


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd", "/etc/passwd", "../files/videos/../../peertube/account.json",
        "../files/account/a.mp4",
        "..\\files\\videos\\a.mp4", "", None, 7, "../files/videos/\0", "x" * 600,
    ],
)  # fmt: skip
def test_path_outside_the_files_of_an_export_names_nothing(path: object) -> None:
    assert peertube_export.part_name(path) == ""


def link(archive: zipfile.ZipFile) -> None:
    part = zipfile.ZipInfo(f"files/videos/video-files/{UUID.format(2)}.mp4")
    part.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(part, "/etc/passwd")


def test_link_in_an_archive_is_no_file(site: PageServer) -> None:
    row = listed(site, zipped([exported(1), exported(2)], link))

    assert [item.title for item in row.items.all()] == ["Walk 1"]


def encrypted(data: bytes) -> bytes:
    """Return an archive whose parts all claim to be encrypted."""
    changed = bytearray(data)
    at = -1
    while (at := changed.find(b"PK\x01\x02", at + 1)) >= 0:
        changed[at + 8] |= 1
    return bytes(changed)


@pytest.mark.parametrize(
    "data",
    [
        b"no archive", b"PK\x05\x06" + b"\0" * 18, zipped([])[:-30],
        zipped([], text=b" " * 3_000_000), zipped([], text=b"\xff\xfe"),
        encrypted(zipped([exported(1)])), zipped([1, None, []]), zipped([exported(9)]),
    ],
    ids=["text", "empty", "cut", "large text", "other encoding", "encrypted", "odd values", "no files"],
)  # fmt: skip
def test_damaged_or_hostile_archive_is_refused(
    site: PageServer, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_TEXT_BYTES", 1_000_000)

    row = listed(site, data)

    assert (row.status, row.error_code) in {("failed", "bad_archive"), ("failed", "no_videos")}
    assert not row.items.exists()


def test_list_of_too_many_parts_is_not_read(site: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def many(archive: zipfile.ZipFile) -> None:
        for number in range(2000):
            archive.writestr(f"files/{number:0100}", "")

    monkeypatch.setattr(archives, "MAX_LIST_BYTES", 200_000)

    row = listed(site, zipped([exported(1)], many))

    assert (row.status, row.error_code) == ("failed", "bad_archive")


def test_part_that_unpacks_to_more_than_it_says_is_refused(site: PageServer) -> None:
    """A list that declares 10 bytes for a part of 4,012 must not yield more, nor count as that part."""
    data = bytearray(zipped([exported(1)]))
    name = f"files/videos/video-files/{UUID.format(1)}.mp4".encode()
    at = data.rfind(name) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    row = listed(site, bytes(data))
    job = claimed(row)

    with pytest.raises(FetchRefused):
        importing.fetch_source(job)

    assert list(storage.keys_under(job.video.prefix)) == []


def test_archive_above_the_limit_of_an_upload_is_refused(site: PageServer, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 1000

    row = listed(site, zipped([exported(1)]))

    assert (row.status, row.error_code) == ("failed", "no_room")
    assert list(storage.keys_under(row.archive_prefix)) == []


def test_expired_archive_is_named_and_fetched_again(site: PageServer) -> None:
    row = listed(site, zipped([exported(1)]))
    first = row.archive_key
    ChannelImport.objects.update(archive_expires_at=timezone.now() - timedelta(hours=1))
    row.refresh_from_db()

    with pytest.raises(ArchiveExpired):
        services.choose_items(row)

    services.retry_listing(row)
    channel_listing.work()
    row.refresh_from_db()
    assert row.archive_key != first
    assert services.choose_items(row) == 1


def test_deletion_of_an_expired_archive_spares_the_one_fetched_later(site: PageServer) -> None:
    row = listed(site, zipped([exported(1)]))
    first = row.archive_key
    ChannelImport.objects.update(archive_expires_at=timezone.now() - timedelta(hours=1))
    services.retry_listing(row)
    channel_listing.work()
    row.refresh_from_db()

    PendingDeletion.objects.filter(path=first).update(next_try_at=timezone.now())
    deletion.delete_pending()

    assert list(storage.keys_under(row.archive_prefix)) == [row.archive_key]


def test_archive_that_is_missing_or_damaged_is_fetched_again(site: PageServer, bucket: str) -> None:
    row = listed(site, zipped([exported(1)]))
    storage.delete_keys([row.archive_key])
    services.retry_listing(row)
    channel_listing.work()
    row.refresh_from_db()
    assert (row.status, row.attempt) == ("done", 2)

    storage.client().put_object(Bucket=bucket, Key=row.archive_key, Body=b"no archive")
    statuses = []
    for _ in range(2):
        services.retry_listing(row)
        channel_listing.work()
        row.refresh_from_db()
        statuses.append(row.error_code)

    assert statuses == ["bad_archive", ""]


def test_unpacked_bytes_of_a_part_are_charged(site: PageServer) -> None:
    row = listed(site, zipped([exported(1)]))
    job = claimed(row)

    importing.fetch_source(job)

    archive, growth = UploadCharge.objects.order_by("pk")
    assert archive.size_bytes == storage.size_of(row.archive_key)
    with archives.opened(row.archive_key) as opened:
        packed = opened.getinfo(f"files/videos/video-files/{UUID.format(1)}.mp4").compress_size
    assert growth.size_bytes == len(FILM) - packed > 3000


def test_part_of_an_archive_that_expires_meanwhile_is_charged_whole(site: PageServer) -> None:
    row = listed(site, zipped([exported(1)]))
    job = claimed(row)

    def expire(_video: Video) -> None:
        storage.delete_keys([row.archive_key])

    with mock.patch.object(import_extras, "bring", side_effect=expire):
        importing.fetch_source(job)

    assert UploadCharge.objects.latest("pk").size_bytes == len(FILM)


def test_file_of_two_rows_is_listed_once(site: PageServer) -> None:
    first = exported(1)
    second = exported(2, archiveFiles=first["archiveFiles"])

    row = listed(site, zipped([first, second]))

    assert [item.title for item in row.items.all()] == ["Walk 1"]


def test_parts_that_overlap_make_a_damaged_archive(site: PageServer) -> None:
    def name_again(archive: zipfile.ZipFile) -> None:
        archive.writestr("files/videos/noise.mp4", random.Random(1).randbytes(20_000))
        for number in range(9):
            part = copy(archive.getinfo("files/videos/noise.mp4"))
            part.filename = f"files/videos/noise-{number}.mp4"
            archive.filelist.append(part)

    row = listed(site, zipped([exported(1)], name_again))

    assert (row.status, row.error_code) == ("failed", "bad_archive")


def test_address_of_a_part_is_none_that_a_person_may_enter() -> None:
    owner: User = UserFactory()

    with pytest.raises(FetchError):
        archives.read_part(archives.address_of("imports/none/1.zip", "a"), 10)
    with pytest.raises(BadUrl):
        services.import_video(channel=owner.channel, url="archive:imports/x/1.zip#a")


def test_key_in_the_link_of_an_archive_is_not_shown(site: PageServer, client: Client) -> None:
    row = listed(site, zipped([exported(1)]))
    client.force_login(row.channel.owner)

    answers = [
        client.get(path).content.decode()
        for path in (
            "/studio/imports/",
            f"/studio/imports/{row.public_id}/",
            f"/api/v1/channel-imports/{row.public_id}/",
        )
    ]

    assert ["jwt" in answer for answer in answers] == [False, False, False]
    assert all("export.zip" in answer for answer in answers)
