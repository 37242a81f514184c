"""The values that PeerTube and MediaCMS send, read, checked and cut."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from common.safe_http import FetchError
from videos.sites import asking, found, mediacms, peertube
from videos.tests.page_server import PageServer, serving


@pytest.fixture
def site() -> Iterator[PageServer]:
    yield from serving("127.0.0.1")


@pytest.mark.parametrize(
    ("address", "listed_at"),
    [
        ("https://v.example/c/walks", "https://v.example/api/v1/video-channels/walks/videos"),
        ("https://v.example/c/walks/videos?s=1", "https://v.example/api/v1/video-channels/walks/videos"),
        ("https://v.example:9000/a/ann", "https://v.example:9000/api/v1/accounts/ann/videos"),
        (
            "https://v.example/c/walks@other.example",
            "https://other.example/api/v1/video-channels/walks/videos",
        ),
        ("walks@v.example", "https://v.example/api/v1/video-channels/walks/videos"),
        ("https://v.example/w/9c9de5e8", ""),
        ("https://v.example/c/", ""),
        ("https://v.example/c/a%2Fb", ""),
    ],
)
def test_address_of_a_peertube_channel_names_its_list(address: str, listed_at: str) -> None:
    assert peertube.list_address(address) == listed_at


def test_files_with_tracks_apart_are_left_to_the_playlist() -> None:
    details = {
        "streamingPlaylists": [
            {
                "playlistUrl": "/hls/master.m3u8",
                "files": [
                    {"resolution": {"id": 720}, "size": 5, "fileUrl": "/v.mp4", "hasAudio": False},
                    {"resolution": {"id": 0}, "size": 2, "fileUrl": "/a.mp4", "hasVideo": False},
                ],
            }
        ]
    }

    assert peertube.best_file(details, "https://v.example/api/v1/videos/1") == (
        "https://v.example/hls/master.m3u8",
        7,
    )


def test_values_of_a_site_are_checked_and_cut() -> None:
    details = {
        "uuid": "9c9de5e8-0a1e-484a-b099-e80766180a61",
        "name": "A\x00 \u202eB\n" + "x" * 500,
        "duration": float("inf"),
        "publishedAt": "9999-01-01T00:00:00Z",
        "tags": ["a"] * 100 + [None, {}],
        "privacy": {"id": 99},
        "category": {"id": "x"},
        "files": [
            {"fileUrl": "file:///etc/passwd", "size": -1},
            {"fileUrl": "https://v.example/a.mp4", "size": 1e30},
        ],
    }

    video = peertube.video_of(details, "https://v.example/api/v1/videos/1")

    assert video is not None
    assert (video.title[:3], len(video.title), video.media_url) == ("A B", 150, "https://v.example/a.mp4")
    assert (video.duration_s, video.published_at, video.size_bytes) == (None, None, None)
    assert (video.visibility, video.category, len(video.tags)) == ("private", "other", 12)


def test_best_encoding_of_mediacms_stands_in_for_a_hidden_original() -> None:
    ready = {"status": "success"}
    details = {
        "original_media_url": None,
        "encodings_info": {
            "360": {"h264": ready | {"url": "/e/360.mp4"}},
            "720": {"h264": ready | {"url": "/e/720.mp4"}, "vp9": ready | {"url": "/e/720.webm"}},
            "1080": {
                "vp9": ready | {"url": "/e/1080.webm"},
                "h264": {"status": "running", "url": "/e/1080.mp4"},
            },
        },
    }

    assert mediacms.best_file(details, "https://m.example/api/v1/media/x") == "https://m.example/e/720.mp4"


@pytest.mark.parametrize(
    ("value", "moment"), [("2021-03-01T10:00:00Z", 2021), ("2021-03-01", 2021), ("x", None), (7, None)]
)
def test_moment_is_read_or_left_out(value: object, moment: int | None) -> None:
    read = found.moment(value)

    assert (read.year if read else None) == moment


def test_too_large_an_answer_is_refused(site: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages["/big"] = ("application/json", b'"' + b"x" * 2000 + b'"')
    monkeypatch.setattr(asking, "MAX_JSON_BYTES", 1000)

    with pytest.raises(FetchError, match="too large"):
        asking.asker([ip_network("127.0.0.1/32")])(site.url("/big"))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Video.Example:443/x", "video.example"),
        ("http://video.example./x", "video.example"),
        ("https://bücher.example/x", "xn--bcher-kva.example"),
        ("https://video.example:8443/x", "video.example:8443"),
        ("ftp://video.example/x", ""),
        (None, ""),
    ],
)
def test_host_has_one_spelling(url: object, host: str) -> None:
    assert found.host_of(url) == host
