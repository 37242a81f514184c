"""Imports from pages, by the real yt-dlp from a real web server."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.tests.factories import UserFactory
from common import safe_http, storage
from common.safe_http import FetchError
from videos import importing, page_imports, pipeline, queue, services
from videos.models import CaptionTrack, Job, Video
from videos.pages import program, reading
from videos.pages.proxy import GuardedProxy
from videos.tests.clips import make_clip
from videos.tests.page_server import PageServer, serving
from videos.transcoding.errors import FetchRefused, LimitsExceeded
from videos.transcoding.layers import missing_layers
from videos.transcoding.probe import probe
from videos.transcoding.processes import open_process
from videos.transcoding.sniff import HEAD_BYTES
from videos.transcoding.tools import ffmpeg_path

needs_confinement = pytest.mark.skipif(bool(missing_layers()), reason=f"no confinement: {missing_layers()}")
pytestmark = [pytest.mark.django_db, pytest.mark.storage, pytest.mark.any_database, needs_confinement]

PAGE = """<!doctype html><html><head><title>A walk</title>
<meta property="og:title" content="A walk by the sea">
<meta property="og:description" content="With a dog.">
</head><body><video src="film.mp4"><track kind="subtitles" srclang="en" src="en.vtt"></video></body></html>"""
SUBTITLES = "WEBVTT\n\n00:00.000 --> 00:01.000\nHello, dog.\n"


@pytest.fixture
def site(settings: Settings, bucket: str) -> Iterator[PageServer]:
    settings.IMPORT_NETWORKS = [ip_network("127.0.0.1/32")]
    settings.ENCODE_LEASE_S = 600  # no second connection beside the test's transaction
    yield from serving("127.0.0.1")


@pytest.fixture
def inside() -> Iterator[PageServer]:
    """Return a server whose address no import may reach."""
    yield from serving("127.0.0.2")


def claimed(url: str) -> Job:
    owner: User = UserFactory()
    services.import_video(channel=owner.channel, url=url)
    job = queue.claim([Job.Lane.BULK])
    assert job is not None
    return job


@pytest.mark.ffmpeg
@pytest.mark.slow
def test_video_of_a_page_is_imported_with_its_words_and_subtitles(site: PageServer, clips: Path) -> None:
    film = make_clip("landscape", clips).read_bytes()
    site.pages = {
        "/walk.html": ("text/html", PAGE.encode()),
        "/film.mp4": ("video/mp4", film),
        "/en.vtt": ("text/vtt", SUBTITLES.encode()),
    }
    job = claimed(site.url("/walk.html"))

    importing.fetch_source(job)

    video = Video.objects.get(pk=job.video_id)
    assert (video.title, video.description, video.import_url) == ("A walk by the sea", "With a dog.", "")
    assert storage.size_of(video.source_key) == len(film) == video.source_size_bytes
    captions = CaptionTrack.objects.get(video=video)
    assert (captions.language, captions.origin, captions.cue_count) == ("en", "imported", 1)
    assert Job.objects.filter(video=video, kind=Job.Kind.PLAN).exists()


@pytest.mark.ffmpeg
@pytest.mark.slow
def test_hls_is_joined_into_a_file_that_need_not_be_encoded(
    site: PageServer, tmp_path: Path, clips: Path
) -> None:
    clip = make_clip("copiable", clips, seconds=9, size="640x480")
    subprocess.run(
        [
            ffmpeg_path(), "-v", "error", "-i", str(clip), "-c", "copy", "-f", "hls", "-hls_time", "2",
            "-hls_playlist_type", "vod", str(tmp_path / "film.m3u8"),
        ],
        check=True,
    )  # fmt: skip
    site.pages = {
        f"/{path.name}": ("application/vnd.apple.mpegurl" if path.suffix == ".m3u8" else "video/mp2t",
                          path.read_bytes())
        for path in tmp_path.iterdir()
    }  # fmt: skip
    job = claimed(site.url("/film.m3u8"))

    importing.fetch_source(job)

    video = Video.objects.get(pk=job.video_id)
    head = storage.read_range(video.source_key, 0, HEAD_BYTES)
    source = probe(storage.internal_url(video.source_key), head=head, size_bytes=video.source_size_bytes)
    assert (source.container, source.copy_refusal) == ("mov", "")
    assert source.duration_s == pytest.approx(9, abs=0.2)


@pytest.mark.ffmpeg
@pytest.mark.parametrize(("suffix", "container"), [(".mp4", "mov"), (".mkv", "matroska")])
def test_video_and_audio_file_become_one(tmp_path: Path, clips: Path, suffix: str, container: str) -> None:
    clip = make_clip("landscape", clips)
    sound = ["-c:a", "copy"] if suffix == ".mp4" else ["-c:a", "wmav2"]
    for name, options in {"v.mkv": ["-an", "-c", "copy"], "a.mkv": ["-vn", *sound]}.items():
        subprocess.run(
            [ffmpeg_path(), "-v", "error", "-i", str(clip), *options, str(tmp_path / name)], check=True
        )

    path = page_imports.joined((tmp_path / "v.mkv", tmp_path / "a.mkv"), tmp_path)

    source = probe(str(path), head=path.read_bytes()[:HEAD_BYTES], size_bytes=path.stat().st_size)
    assert (source.container, source.video is not None, len(source.audio)) == (container, True, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "target"),
    [
        ("redirect", "http://169.254.169.254/latest/meta-data/"),
        ("redirect", "inside"),
        ("embedded", "inside"),
        ("playlist", "inside"),
    ],
)
def test_page_that_leads_to_an_inner_address_is_refused(
    site: PageServer, inside: PageServer, target: str, way: str
) -> None:
    inside.pages = {"/film.mp4": ("video/mp4", b"secret")}
    url = inside.url("/film.mp4") if target == "inside" else target
    film = "/film.mp4" if way == "redirect" else url
    playlist = f"#EXTM3U\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n"
    site.pages = {
        "/page.html": ("text/html", f'<video src="{film}"></video>'.encode()),
        "/list.m3u8": ("application/vnd.apple.mpegurl", playlist.encode()),
    }
    site.redirects = {"/film.mp4": url}
    job = claimed(site.url("/list.m3u8" if way == "playlist" else "/page.html"))

    with pytest.raises(FetchRefused, match="the host is not public"):
        importing.fetch_source(job)

    assert inside.asked == []
    assert list(storage.keys_under(job.video.prefix)) == []


def test_program_reaches_nothing_past_the_proxy(inside: PageServer) -> None:
    code = (
        "import socket, sys; s = socket.create_connection(('127.0.0.2', int(sys.argv[1])));"
        "s.sendall(b'GET http://127.0.0.2:%d/ HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' % int(sys.argv[1]));"
        "print(s.recv(100))"
    )
    guarded = GuardedProxy(10_000)
    command = [sys.executable, "-c", code, str(inside.server_address[1])]

    with open_process(command, timeout_s=30, relay=guarded) as process:
        output = process.read(1000)

    assert b"403" in output
    assert (guarded.refusals, inside.asked) == (["the host is not public"], [])


def test_proxy_connects_to_the_address_that_it_checked(
    site: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = safe_http.checked_address
    names = iter(["127.0.0.1"])  # the name leads elsewhere at a second look
    monkeypatch.setattr(
        safe_http,
        "checked_address",
        lambda origin, allowed: checked(replace(origin, host=next(names)), allowed),
    )
    site.pages = {"/a": ("text/plain", b"here")}
    ours, theirs = socket.socketpair()
    url = b"http://rebound.example:%d/a" % site.server_address[1]
    theirs.sendall(b"GET %s HTTP/1.1\r\nHost: rebound.example\r\nProxy-Connection: close\r\n\r\n" % url)

    with theirs, GuardedProxy(10_000, [ip_network("127.0.0.1/32")]) as guarded:
        with ours:
            guarded.answer(ours)
        answer = theirs.makefile("rb").read()

    assert answer.endswith(b"\r\n\r\nhere")


@pytest.mark.slow
@pytest.mark.parametrize("overhead_bytes", [50_000, 10_000_000])
def test_page_with_too_large_a_video_is_refused_and_leaves_nothing(
    site: PageServer, settings: Settings, monkeypatch: pytest.MonkeyPatch, overhead_bytes: int
) -> None:
    settings.MAX_UPLOAD_BYTES = 100_000
    # The larger one leaves the refusal to the limit of the file.
    monkeypatch.setattr(reading, "OVERHEAD_BYTES", overhead_bytes)
    site.pages = {
        "/walk.html": ("text/html", PAGE.encode()),
        "/film.mp4": ("video/mp4", b"\0\0\0\x18ftypmp42" + b"x" * 1_000_000),
    }
    job = claimed(site.url("/walk.html"))

    with pytest.raises(LimitsExceeded):
        importing.fetch_source(job)

    assert list(storage.keys_under(job.video.prefix)) == []


@pytest.mark.parametrize(("can_read", "raised"), [(True, False), (False, True)])
def test_site_that_refuses_us_is_left_to_the_reader_of_pages(
    site: PageServer, monkeypatch: pytest.MonkeyPatch, can_read: bool, raised: bool
) -> None:
    refusal = FetchError("the server answers 403", is_final=True, status=403)
    read = mock.Mock(side_effect=FetchRefused("read"))
    monkeypatch.setattr(importing, "fetch", mock.Mock(side_effect=refusal))
    monkeypatch.setattr(page_imports, "is_possible", lambda: can_read)
    monkeypatch.setattr(page_imports, "store_page", read)

    with pytest.raises(FetchRefused, match="403" if raised else "read"):
        importing.fetch_source(claimed(site.url("/watch")))

    assert read.called is can_read


@pytest.mark.slow
def test_page_without_a_video_is_refused_with_a_sentence(site: PageServer) -> None:
    site.pages = {"/about.html": ("text/html", b"<title>About</title>Nothing to see")}
    job = claimed(site.url("/about.html"))

    pipeline.run(job)

    video = Video.objects.get(pk=job.video_id)
    assert (video.status, video.failure_code) == ("failed", "import_failed")
    assert video.failure_parameters == {"page": "no_video"}
    assert video.failure_sentence == "There is no video on this page, or its site is not supported."


def test_page_is_refused_without_the_package(site: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_imports, "is_installed", lambda: False)
    site.pages = {"/walk.html": ("text/html", PAGE.encode())}
    job = claimed(site.url("/walk.html"))

    with pytest.raises(FetchRefused) as refused:
        importing.fetch_source(job)

    assert refused.value.parameters == {"page": "not_installed"}


def test_import_page_says_what_to_install(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.force_login(UserFactory())
    with_pages = client.get("/upload/import/").content.decode()
    monkeypatch.setattr(page_imports, "is_installed", lambda: False)
    without = client.get("/upload/import/").content.decode()

    assert "requirements-imports.txt" not in with_pages
    assert "requirements-imports.txt" in without


def test_title_that_its_owner_gave_stays(site: PageServer) -> None:
    owner: User = UserFactory()
    video = services.import_video(channel=owner.channel, url=site.url("/walk.html"), title="Mine")
    page = reading.FetchedPage("Theirs", "Words", ("sea",), (), (), ())

    page_imports.describe(video, page, importing.title_of(video.source_filename))

    video.refresh_from_db()
    assert (video.title, video.description, [tag.name for tag in video.tags.all()]) == (
        "Mine",
        "Words",
        ["sea"],
    )


def test_chapters_of_a_page_become_lines_of_the_description() -> None:
    chapters = ((0.0, "Start"), (60.0, "Middle\nof it"), (3700.0, "End"))

    assert (
        page_imports.with_chapters("Words", chapters) == "Words\n\n0:00 Start\n1:00 Middle of it\n1:01:40 End"
    )
    assert page_imports.with_chapters("0:00 A\n0:20 B\n0:40 C", chapters) == "0:00 A\n0:20 B\n0:40 C"


H264 = {"protocol": "https", "vcodec": "avc1.640028", "acodec": "none", "width": 1920, "height": 1080}
VP9 = H264 | {"vcodec": "vp9", "width": 3840, "height": 2160}
AAC = {"protocol": "https", "vcodec": "none", "acodec": "mp4a.40.2", "abr": 128}
OPUS = AAC | {"acodec": "opus", "abr": 160}
SMALL = H264 | {"acodec": "mp4a.40.2", "width": 640, "height": 360}


@pytest.mark.parametrize(
    ("formats", "chosen"),
    [
        ([SMALL, VP9, H264, OPUS, AAC], [H264, AAC]),
        ([SMALL, VP9, OPUS], [VP9, OPUS]),
        ([SMALL], [SMALL]),
        ([OPUS, AAC], [AAC]),
        ([H264 | {"protocol": "rtmp"}, SMALL], [SMALL]),
        ([H264 | {"has_drm": True}], []),
    ],
)
def test_format_that_can_be_copied_is_preferred(
    formats: list[dict[str, Any]], chosen: list[dict[str, Any]]
) -> None:
    assert program.chosen_formats(formats) == chosen


def test_empty_file_is_no_page(site: PageServer) -> None:
    site.pages = {"/film.mp4": ("video/mp4", b"")}
    job = claimed(site.url("/film.mp4"))

    importing.fetch_source(job)

    assert Video.objects.get(pk=job.video_id).source_size_bytes == 0
