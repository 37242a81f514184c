"""Content of a source that its video lacks: found by the probe, shown to the owner only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from rest_framework.test import APIClient

from accounts.tests.factories import UserFactory
from videos.leftovers import sentence_of
from videos.models import Video
from videos.tests.factories import VideoFactory
from videos.transcoding.leftovers import CODES, LeftOut, left_out_of, missing_end
from videos.transcoding.source import SourceInfo

SOURCE = SourceInfo(container="matroska", duration_s=60, size_bytes=1)


def stream(index: int, kind: str, codec: str = "", **disposition: int) -> dict[str, Any]:
    return {"index": index, "codec_type": kind, "codec_name": codec, "disposition": disposition}


STREAMS = [
    stream(0, "video", "h264"),
    stream(1, "audio", "aac"),
    stream(2, "audio", "ac4"),
    stream(3, "audio", "dolby_e"),
    stream(4, "video", "h264"),
    stream(5, "video", "mjpeg", attached_pic=1),
    stream(6, "subtitle", "ass"),
    stream(7, "attachment", "ttf"),
    stream(8, "data", "bin_data"),
]


def test_tracks_that_are_not_encoded_are_counted_by_kind() -> None:
    assert left_out_of(STREAMS, used=[0, 1], own=[]) == (
        LeftOut("audio_tracks", 2, ("ac4", "dolby_e")),
        LeftOut("video_tracks", 1, ("h264",)),
        LeftOut("subtitles", 1, ("ass",)),
        LeftOut("attachments", 1, ("ttf",)),
    )


def test_tracks_of_another_programme_have_their_own_code() -> None:
    assert left_out_of(STREAMS[:5], used=[0, 1], own=[0, 1, 2]) == (
        LeftOut("audio_tracks", 1, ("ac4",)),
        LeftOut("programmes", 2, ("dolby_e", "h264")),
    )


@pytest.mark.parametrize(
    ("container", "declared_s", "found_s", "expected"),
    [
        ("matroska", 600.0, 400.4, (LeftOut("missing_end", 200),)),
        ("matroska", 600.0, 595.0, ()),
        ("mov", 5.0, 1.5, (LeftOut("missing_end", 4),)),
        ("flv", 0.0, 30.0, ()),
        ("mpegts", 600.0, 400.0, ()),
    ],
)
def test_declared_end_that_is_not_there_is_missing(
    container: str, declared_s: float, found_s: float, expected: tuple[LeftOut, ...]
) -> None:
    assert missing_end(container, declared_s=declared_s, found_s=found_s) == expected


def test_source_stored_by_a_newer_version_is_readable() -> None:
    newer = SOURCE.to_json() | {"mood": "blue"}
    for part in (newer["video"], *newer["audio"]):
        if part:
            part["mood"] = "blue"

    assert SourceInfo.from_json(newer) == SOURCE


def test_source_stored_without_left_out_is_readable() -> None:
    known = SOURCE.to_json()
    del known["left_out"]

    assert SourceInfo.from_json(known) == SOURCE


@pytest.mark.parametrize("count", [1, 75])
@pytest.mark.parametrize("code", CODES)
def test_each_code_has_a_sentence_in_both_languages(code: str, count: int) -> None:
    left_out = LeftOut(code, count, ("ac4",))

    english = sentence_of(left_out)
    with translation.override("zh-hans"):
        chinese = sentence_of(left_out)

    assert (str(count) if code != "missing_end" else f"{count // 60}:{count % 60:02}") in english
    assert "%" not in english + chinese
    assert not chinese.isascii()


@pytest.fixture
def video(db: None) -> Video:
    found = replace(SOURCE, left_out=(LeftOut("subtitles", 2, ("ass",)),))
    video: Video = VideoFactory(source_json=found.to_json())
    return video


@pytest.mark.redis
def test_studio_page_lists_left_out_tracks_in_the_owners_language(video: Video) -> None:
    client = Client(headers={"accept-language": "zh-CN"})
    client.force_login(video.channel.owner)

    html = client.get(f"/studio/{video.public_id}/").content.decode()

    assert "有 2 条内嵌字幕未收录，请单独上传字幕文件。" in html


@pytest.mark.redis
def test_api_lists_left_out_tracks_for_the_owner_only(video: Video) -> None:
    client = APIClient()
    address = f"/api/v1/videos/{video.public_id}/"

    assert client.get(address).json()["left_out"] == []
    client.force_authenticate(UserFactory())
    assert client.get(address).json()["left_out"] == []
    client.force_authenticate(video.channel.owner)
    assert client.get(address).json()["left_out"] == [
        {
            "code": "subtitles",
            "detail": "2 subtitle tracks were left out. Upload them as captions.",
        }
    ]
