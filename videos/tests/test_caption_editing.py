"""Edited captions: stored under the version that they began with, and then the owner's own."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from common import storage
from videos.models import CaptionTrack, Video
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nCorrected & <b>good</b>\n"


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    objects: dict[str, bytes] = {}

    def put_bytes(key: str, data: bytes) -> int:
        objects[key] = data
        return len(data)

    monkeypatch.setattr(storage, "put_bytes", put_bytes)
    return objects


def put(video: Video, language: str, **body: str) -> Any:
    client = APIClient()
    client.force_authenticate(video.channel.owner)
    return client.put(f"/api/v1/videos/{video.public_id}/captions/{language}/", body, format="json")


def test_corrected_automatic_captions_are_no_longer_automatic(stored: dict[str, bytes]) -> None:
    video = VideoFactory()
    automatic = CaptionTrack.objects.create(
        video=video,
        language="en",
        key=f"{video.prefix}captions/en-0123456789ab.vtt",
        cue_count=3,
        origin=CaptionTrack.Origin.AUTOMATIC,
    )
    assert automatic.version == "0123456789ab"

    answer = put(video, "en", webvtt=VTT, based_on="0123456789ab")

    assert answer.status_code == 200
    assert (answer.json()["label"], answer.json()["is_automatic"]) == ("English", False)
    track = video.captions.get()
    assert (track.pk, track.origin, track.cue_count) == (automatic.pk, "owner", 1)
    assert answer.json()["version"] == track.version != "0123456789ab"
    assert b"Corrected &amp; <b>good</b>" in stored[track.key]


def test_captions_that_changed_meanwhile_are_kept(stored: dict[str, bytes]) -> None:
    video = VideoFactory()
    assert put(video, "en", webvtt=VTT, based_on="").status_code == 200
    before = video.captions.get()

    for version in ("", "0123456789ab"):
        answer = put(video, "en", webvtt=VTT, based_on=version)
        assert answer.status_code == 409
        assert answer.json()["errors"][0]["code"] == "captions_changed"

    assert video.captions.get().key == before.key
    assert put(video, "en", webvtt=VTT, based_on=before.version).status_code == 200


@pytest.mark.parametrize(
    ("language", "webvtt", "code"),
    [("english!", VTT, "unknown_language"), ("en", "WEBVTT\n\n", "captions_unreadable")],
)
def test_unusable_captions_are_refused(
    language: str, webvtt: str, code: str, stored: dict[str, bytes]
) -> None:
    answer = put(VideoFactory(), language, webvtt=webvtt, based_on="")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == code
    assert stored == {}
