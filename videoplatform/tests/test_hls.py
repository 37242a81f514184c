"""Tests of whole presentations, read by a strict HLS checker, and of the checker itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from common import storage
from live.tests.hls_checker import faults
from videos import demand, pipeline
from videos.models import Job, Rendition, Video
from videos.publishing import Encode
from videos.tests.clips import make_clip
from videos.tests.test_pipeline import uploaded, work_until_idle

__all__ = ["uploaded"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg, pytest.mark.storage, pytest.mark.slow]

Uploaded = Callable[..., Video]


def stored(video: Video) -> dict[str, bytes]:
    """Return the files of the finished encode by their names in the playlists."""
    found = {}
    for key in storage.keys_under(video.encode_prefix):
        body = storage.client().get_object(Bucket=settings.S3_BUCKET, Key=key)["Body"]
        found[key.removeprefix(video.encode_prefix)] = body.read()
    return found


@pytest.fixture
def encoded(uploaded: Uploaded, tmp_path: Path) -> Callable[..., dict[str, bytes]]:
    """Return a function that encodes a clip and returns the stored files."""

    def encode(kind: str, **shape: Any) -> dict[str, bytes]:
        video = uploaded(make_clip(kind, tmp_path, **shape))
        work_until_idle()
        video.refresh_from_db()
        assert video.status == Video.Status.READY
        return stored(video)

    return encode


@pytest.mark.parametrize("rate", ["24000/1001", "24", "25", "30000/1001", "50", "60"])
def test_video_of_a_common_frame_rate_has_no_faults(
    rate: str, encoded: Callable[..., dict[str, bytes]]
) -> None:
    assert faults(encoded("landscape", seconds=9, rate=rate).__getitem__, have_same_frames=True) == []


@pytest.mark.parametrize("rate", ["24000/1001", "25", "30000/1001", "50", "60000/1001"])
def test_copied_video_of_a_common_frame_rate_has_no_faults(
    rate: str, encoded: Callable[..., dict[str, bytes]]
) -> None:
    files = encoded("copiable", seconds=13, rate=rate, size="640x480")

    assert {"source.m3u8", "360p.m3u8"} <= files.keys()
    assert faults(files.__getitem__, have_same_frames=True) == []


@pytest.mark.parametrize(
    "kind",
    [
        "copiable_vfr",
        "copiable_silent",
        "copiable_mono",
        "copiable_opus",
        "copiable_vfr_mkv",
        "copiable_flv",
        "copiable_fragmented",
    ],
)
def test_copied_video_of_an_unusual_kind_has_no_faults(
    kind: str, encoded: Callable[..., dict[str, bytes]]
) -> None:
    files = encoded(kind, seconds=13, size="640x480", rate="25")

    assert "source.m3u8" in files
    assert faults(files.__getitem__, have_same_frames=True) == []


@pytest.mark.parametrize("rate", ["24000/1001", "30", "60000/1001"])
def test_copied_matroska_has_no_faults_although_it_rounds_times(
    rate: str, encoded: Callable[..., dict[str, bytes]]
) -> None:
    files = encoded("copiable_mkv", seconds=13, rate=rate, size="640x480")

    assert {"source.m3u8", "360p.m3u8"} <= files.keys()
    assert faults(files.__getitem__, have_same_frames=True) == []


@pytest.mark.parametrize("kind", ["vfr", "two_audio", "audio_only"])
def test_video_of_an_unusual_kind_has_no_faults(kind: str, encoded: Callable[..., dict[str, bytes]]) -> None:
    assert faults(encoded(kind, seconds=9).__getitem__) == []


def test_video_divided_by_its_viewers_has_no_faults(uploaded: Uploaded, tmp_path: Path) -> None:
    video = uploaded(make_clip("landscape", tmp_path, seconds=26, rate="30000/1001", size="854x480"))
    while pipeline.work(Job.Lane.FIRST):
        pass
    for number in (3, 6, 1):
        encode = Encode.of(Video.objects.get(pk=video.pk))
        planned = {each.name: listed_s(encode, each) for each in encode.renditions}
        assert demand.bring_forward(encode, encode.rungs[number % 2], number)

    work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.jobs.filter(kind="video").count()) == ("ready", 2 + 8)
    assert faults(stored(video).__getitem__) == []
    # The plan was right before anything was encoded.
    encode = Encode.of(video)
    found = {each.name: listed_s(encode, each) for each in encode.renditions}
    assert found == {name: pytest.approx(durations_s, abs=0.04) for name, durations_s in planned.items()}


def listed_s(encode: Encode, rendition: Rendition) -> list[float]:
    return [placed.duration_s for placed in encode.listed(rendition)]


# The checker itself, on playlists with one fault each.

MASTER, MEDIA = "multivariant.m3u8", "180p.m3u8"
CHANGES = [
    (MASTER, "#EXTM3U", "#EXTM3", "4.4.1.1"),
    (MASTER, 'CODECS="avc1', 'CODECS="hvc1', "CODECS are"),
    (MASTER, "RESOLUTION=320x180", "RESOLUTION=640x360", "RESOLUTION is"),
    (MASTER, "FRAME-RATE=25.000", "FRAME-RATE=30.000", "FRAME-RATE is"),
    (MASTER, "INF:BANDWIDTH=", "INF:BANDWIDTH=1000,X-OLD=", " BANDWIDTH is"),
    (MASTER, "AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=9", "AVERAGE-BANDWIDTH is"),
    (MASTER, "AUTOSELECT=YES", "AUTOSELECT=NO", "is DEFAULT and not AUTOSELECT"),
    (MASTER, 'AUDIO="audio"', 'AUDIO="other"', "a group that does not exist"),
    (MASTER, "DEFAULT=NO", "DEFAULT=YES", "are DEFAULT"),
    (MASTER, 'LANGUAGE="zh"', 'LANGUAGE="Deutsch!"', "no RFC 5646 tag"),
    (MASTER, 'LANGUAGE="zh"', 'LANGUAGE="en"', "do not differ"),
    (MEDIA, "TARGETDURATION:4", "TARGETDURATION:3", "4.4.3.1"),
    (MEDIA, "TARGETDURATION:4", "TARGETDURATION:5", "differs between renditions"),
    (MEDIA, "#EXTINF:4,", "#EXTINF:3.9,", "4.4.4.1"),
    (MEDIA, "#EXT-X-ENDLIST", "", "does not end"),
    (MEDIA, "1.m4s", "0.m4s", "was due"),
    (MEDIA, "VERSION:7", "VERSION:3", "8: EXT-X-MAP"),
]


def test_checker_finds_each_fault(encoded: Callable[..., dict[str, bytes]]) -> None:
    files = encoded("two_audio", seconds=9)
    missed = []
    for name, old, new, fault in CHANGES:
        text = files[name].decode()
        found = faults((files | {name: text.replace(old, new).encode()}).__getitem__) if old in text else []
        missed += [] if any(fault in one for one in found) else [(name, old, new, found)]

    assert missed == []
    assert [one for one in faults(files.__getitem__, limits_bps={MEDIA: 1000}) if "above 1000" in one]
