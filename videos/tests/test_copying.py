"""Sources whose streams are copied, with real S3 and rows in SQL."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import EndpointConnectionError
from django.conf import settings as django_settings
from django.urls import reverse
from django.utils import timezone

from common import storage
from common.models import PendingDeletion
from videos import cleaning, pipeline
from videos.models import Job, Rendition, Video
from videos.publishing import Encode, multivariant_playlist
from videos.tests.clips import make_clip
from videos.tests.test_pipeline import Uploaded, uploaded, work_until_idle
from videos.transcoding.tools import ffmpeg_path

__all__ = ["uploaded"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg, pytest.mark.storage, pytest.mark.slow]


def joined(video: Video, name: str, path: Path) -> Path:
    """Write the stored bytes of a rendition, as a player appends them, to ``path``."""
    encode = Encode.of(video)
    rendition = next(one for one in encode.renditions if one.name == name)
    placed = encode.segments(rendition)
    names = [placed[0].init_name, *(segment.name for segment in placed)]
    keys = [f"{video.encode_prefix}{one}" for one in names]
    client = storage.client()
    bodies = [client.get_object(Bucket=django_settings.S3_BUCKET, Key=key)["Body"].read() for key in keys]
    path.write_bytes(b"".join(bodies))
    return path


def checksums(path: Path, stream: str = "0:v") -> list[str]:
    """Return the checksum of each decoded frame."""
    command = [
        ffmpeg_path(), "-v", "error", "-i", str(path), "-map", stream, "-fps_mode", "passthrough",
        "-f", "framemd5", "-",
    ]  # fmt: skip
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]


def names_offered(video: Video) -> list[str]:
    text = multivariant_playlist(Encode.of(video), str)
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("kind", ["copiable", "copiable_vfr"])
def test_copied_frames_are_those_of_the_source(
    kind: str, uploaded: Uploaded, clips: Path, tmp_path: Path
) -> None:
    clip = make_clip(kind, clips, seconds=13, size="640x480")
    video = uploaded(clip)

    work_until_idle()

    video.refresh_from_db()
    assert video.status == Video.Status.READY
    assert checksums(joined(video, "source", tmp_path / "copy.mp4")) == checksums(clip)


def test_copied_video_is_playable_before_anything_is_encoded(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("copiable", clips, seconds=13, size="640x480"))

    for _ in range(3):  # the plan, the first segment, the audio
        assert pipeline.work(Job.Lane.FIRST)

    video.refresh_from_db()
    assert video.is_playable
    filled = [run.renditions for run in video.runs.exclude(segments=[]).order_by("kind")]
    assert filled == [["audio-0"], ["source"]]


def test_rendition_with_a_first_segment_is_listed_first(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=13, size="640x480"))

    for _ in range(3):  # the plan, the first segment of the lowest rung, the audio
        assert pipeline.work(Job.Lane.FIRST)

    video.refresh_from_db()
    assert names_offered(video) == ["360p", "480p"]


def test_copy_goes_on_behind_its_last_stored_chunk(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("copiable", clips, seconds=13, size="640x480"))
    put_bytes = storage.put_bytes

    def fail_at_2(key: str, data: bytes) -> int:
        if key.endswith("source/1-1/2.m4s"):
            raise EndpointConnectionError(endpoint_url="http://s3")
        return put_bytes(key, data)

    with mock.patch("common.storage.put_bytes", side_effect=fail_at_2):
        work_until_idle()
    Job.objects.filter(video=video).update(not_before=timezone.now())
    work_until_idle()

    video.refresh_from_db()
    copies = [run for run in video.runs.order_by("position") if run.renditions == ["source"]]
    assert video.status == Video.Status.READY
    assert [run.attempt for run in copies] == [1, 2]


def test_source_that_contradicts_its_tables_becomes_ready_by_an_encode(
    uploaded: Uploaded, tmp_path: Path
) -> None:
    path = tmp_path / "liar.mp4"
    command = [
        ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=30",
        "-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p", "-g", "100", "-keyint_min", "100",
        "-sc_threshold", "0", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
        str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    data = path.read_bytes()
    # The third keyframe, at 8 s, is not the one that the table names.
    at = data.index(b"stss") + 12 + 4 * 2
    (number,) = struct.unpack_from(">I", data, at)
    path.write_bytes(data[:at] + struct.pack(">I", number + 1) + data[at + 4 :])
    video = uploaded(path)
    first_key = video.encode_key

    work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.copy_refusal) == (Video.Status.READY, "open_gops")
    assert video.encode_key != first_key
    assert not video.renditions.filter(is_copied=True).exists()
    assert video.duration_s == pytest.approx(30, abs=0.1)


@pytest.fixture
def interim(uploaded: Uploaded, clips: Path, settings: Any) -> Callable[[], Video]:
    """Return a function that encodes a video whose copy is dearer than its best rung."""

    def make() -> Video:
        settings.COPY_BITRATE_FACTOR = 0.0
        video = uploaded(make_clip("copiable", clips, seconds=9, size="640x480"))
        work_until_idle()
        video.refresh_from_db()
        return video

    return make


def test_dear_copy_is_offered_until_the_encode_is_complete(
    uploaded: Uploaded, clips: Path, settings: Any
) -> None:
    settings.COPY_BITRATE_FACTOR = 0.0
    video = uploaded(make_clip("copiable", clips, seconds=13, size="640x480"))
    while pipeline.work(Job.Lane.FIRST):
        pass
    video.refresh_from_db()
    before = names_offered(video)

    work_until_idle()

    video.refresh_from_db()
    assert (before, names_offered(video)) == (["source", "480p", "360p"], ["480p", "360p"])


def test_retired_copy_still_answers_players_that_know_it(interim: Callable[[], Video], client: Any) -> None:
    video = interim()

    answer = client.get(reverse("hls-media", args=[video.public_id, video.encode_key, "source"]))

    assert answer.status_code == 200
    assert b"#EXT-X-ENDLIST" in answer.content


def test_retired_copy_is_deleted_when_no_player_can_hold_it(interim: Callable[[], Video]) -> None:
    video = interim()
    cleaning.delete_retired_renditions()
    kept = Rendition.objects.filter(video=video, name="source").exists()
    Rendition.objects.filter(video=video, name="source").update(
        retired_at=timezone.now() - timedelta(hours=8)
    )

    cleaning.delete_retired_renditions()

    folder = f"{video.encode_prefix}source"
    paths = set(PendingDeletion.objects.values_list("path", flat=True))
    due_at = PendingDeletion.objects.get(path=f"{folder}/").next_try_at
    assert kept
    assert {f"{folder}/", f"{folder}.m3u8"} <= paths
    assert due_at > timezone.now() + timedelta(hours=6)
    assert not Rendition.objects.filter(video=video, name="source").exists()
    assert Encode.of(video).is_complete
