"""Storyboards of encoded clips and of recordings, with real FFmpeg, S3 and rows in SQL."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest
from django.conf import settings
from django.test import Client
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.tests.factories import UserFactory
from common import deletion, storage
from common.models import PendingDeletion
from videos import pipeline, queue, storyboards
from videos.models import Job, Video
from videos.services import recordings
from videos.services.recordings import RecordedRendition
from videos.tests.clips import make_clip
from videos.tests.encoding import encode_video
from videos.tests.factories import VideoFactory
from videos.tests.test_pipeline import uploaded, work_until_idle
from videos.transcoding.errors import EncodeFailed
from videos.transcoding.tools import ffmpeg_path

__all__ = ["uploaded"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg, pytest.mark.storage, pytest.mark.slow]

Uploaded = Callable[..., Video]


def sheet(video: Video, number: int = 0) -> Image.Image:
    key = video.storyboard_key.replace("index.vtt", f"{number}.jpg")
    body = storage.client().get_object(Bucket=settings.S3_BUCKET, Key=key)["Body"].read()
    return Image.open(io.BytesIO(body)).convert("RGB")


def cues(video: Video) -> list[tuple[str, tuple[int, ...]]]:
    text = storage.read_range(video.storyboard_key, 0, 10**6).decode()
    return [
        (start, tuple(map(int, place.split(","))))
        for start, place in re.findall(r"(\S+) --> \S+\n0\.jpg#xywh=(\S+)", text)
    ]


def changing_clip(path: Path, seconds: int) -> Path:
    """Draw a clip whose brightness is 6 times the second."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        argv = [
            ffmpeg_path(), "-v", "error", "-nostdin",
            "-f", "lavfi", "-i", f"color=black:size=320x180:rate=25:duration={seconds}",
            "-vf", "geq=lum='16+6*floor(T)':cb=128:cr=128",
            "-c:v", "libx264", "-preset", "ultrafast", str(path),
        ]  # fmt: skip
        subprocess.run(argv, check=True)
    return path


def brightness(image: Image.Image, place: tuple[int, ...]) -> float:
    x, y, width, height = place
    return sum(image.getpixel((x + width // 2, y + height // 2))) / 3  # type: ignore[arg-type]


def test_short_video_gets_a_still_for_each_second(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(changing_clip(clips / "seconds-9.mp4", 9))

    work_until_idle()

    video.refresh_from_db()
    found = cues(video)
    image = sheet(video)
    shades = [brightness(image, place) for _, place in found]
    assert [start for start, _ in found] == [f"00:00:0{second}.000" for second in range(9)]
    assert shades == pytest.approx([second * 6 * 255 / 219 for second in range(9)], abs=4)
    assert image.size == (800, 450)


def test_longer_video_gets_the_keyframes_of_its_segments(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(changing_clip(clips / "seconds-13.mp4", 13))
    with mock.patch.object(storyboards, "DENSE_UP_TO_S", 0):
        work_until_idle()

    video.refresh_from_db()
    found = cues(video)
    image = sheet(video)
    shades = [brightness(image, place) for _, place in found]
    assert [start for start, _ in found] == [f"00:00:{second:02}.000" for second in (0, 4, 8, 12)]
    assert shades == pytest.approx([second * 6 * 255 / 219 for second in (0, 4, 8, 12)], abs=4)


def test_upright_video_gets_upright_stills(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("portrait", clips, seconds=5))

    work_until_idle()

    video.refresh_from_db()
    assert {place[2:] for _, place in cues(video)} == {(112, 200)}


def test_audio_gets_no_storyboard(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("audio_only", clips, seconds=5))

    work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.storyboard_key) == ("ready", "")
    assert not video.jobs.filter(kind="storyboard").exists()


def test_video_is_ready_before_its_storyboard_begins(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=5))
    order: list[tuple[str, str]] = []
    run = pipeline.run

    def run_and_record(job: Job) -> None:
        run(job)
        order.append((job.kind, Video.objects.get(pk=video.pk).status))

    with mock.patch.object(pipeline, "run", run_and_record):
        work_until_idle()

    assert order[-1] == ("storyboard", "ready")
    assert order[-2][1] == "ready"


def test_other_work_comes_before_a_storyboard(uploaded: Uploaded, clips: Path) -> None:
    first = uploaded(make_clip("no_audio", clips, seconds=5))
    with mock.patch.dict(pipeline.STEPS, {Job.Kind.STORYBOARD: mock.Mock(side_effect=AssertionError)}):
        while Job.objects.needed().exclude(status="done").exists():
            pipeline.work(Job.Lane.BULK)
    second = uploaded(make_clip("no_audio", clips, seconds=5))

    claimed = queue.claim(list(Job.Lane))

    assert first.jobs.get(kind="storyboard").status == "waiting"
    assert claimed is not None
    assert (claimed.video, claimed.kind) == (second, "plan")
    assert queue.claim([Job.Lane.FIRST]) is None


def test_failed_storyboard_leaves_the_video_ready_and_its_error_in_the_job(
    uploaded: Uploaded, clips: Path
) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=5))

    with (
        mock.patch.object(storyboards, "draw", side_effect=EncodeFailed("no stills")),
        mock.patch.object(queue, "MAX_FAILURES", 1),
    ):
        work_until_idle()

    video.refresh_from_db()
    job = video.jobs.get(kind="storyboard")
    assert (video.status, video.storyboard_key) == ("ready", "")
    assert (job.status, job.error_code, job.error_detail) == ("done", "encode_failed", "no stills")


def recorded(folder: Path, path: Path, *, video: Video | None = None) -> Video:
    """Store an encoded clip as the next run of a recording, and finish it."""
    day = 25 if video else 24
    video = video or recordings.start_recording(
        channel=UserFactory().channel, title="Live", category="gaming", visibility="public"
    )
    (rendition,) = encode_video(path, folder)
    recordings.record_renditions(video, [RecordedRendition("r0", 426, 240, 25.0, 400_000, "avc1.64001e")])
    run = recordings.open_run(video, is_continuous=False, began_at=datetime(2026, 11, day, tzinfo=UTC))
    (init,) = rendition.inits
    storage.put_bytes(recordings.init_key(run, "r0"), init)
    for index, segment in enumerate(rendition.segments):
        size = storage.put_file(recordings.segment_key(run, "r0", index), segment.path)
        recordings.append_segment(run, duration_s=segment.duration_s, size_bytes=size)
    recordings.finish_recording(video)
    video.refresh_from_db()
    return video


def test_recording_gets_a_storyboard_of_all_its_runs(bucket: str, clips: Path, tmp_path: Path) -> None:
    video = recorded(tmp_path / "one", changing_clip(clips / "seconds-9.mp4", 9))
    work_until_idle()
    video.refresh_from_db()
    first_key, first = video.storyboard_key, cues(video)

    recordings.reopen_recording(video)
    video = recorded(tmp_path / "two", make_clip("no_audio", clips, seconds=5), video=video)
    work_until_idle()
    video.refresh_from_db()

    assert [start for start, _ in first] == ["00:00:00.000", "00:00:04.000", "00:00:08.000"]
    assert len(cues(video)) == 5
    first_folder, folder = (key.removesuffix("index.vtt") for key in (first_key, video.storyboard_key))
    assert PendingDeletion.objects.filter(path=first_folder).exists()
    deletion.delete_pending()
    assert list(storage.keys_under(first_folder)) == []
    assert len(cues(video)) == 5
    stills = {f"{folder}poster-{number}.jpg" for number in range(len(video.poster_times_s or []))}
    index = {f"{folder}index.vtt", f"{folder}0.jpg", f"{folder}keyframes.json"}
    assert set(storage.keys_under(folder)) == index | stills


def test_storyboard_of_a_recording_that_goes_on_is_not_published(
    bucket: str, clips: Path, tmp_path: Path
) -> None:
    video = recorded(tmp_path, make_clip("no_audio", clips, seconds=5))
    job = queue.claim(list(Job.Lane))
    assert job is not None
    recordings.reopen_recording(video)

    pipeline.run(job)

    video.refresh_from_db()
    assert (video.status, video.storyboard_key) == ("processing", "")


def test_old_videos_are_queued_once(
    bucket: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    old, _audio = VideoFactory(), VideoFactory(width_px=None)

    for _ in range(2):
        storyboards.queue_missing()

    assert [job.video for job in Job.objects.filter(kind="storyboard")] == [old]


def test_five_stills_are_offered_as_posters_and_none_is_black(uploaded: Uploaded, clips: Path) -> None:
    path = clips / "half-black-20.mp4"
    if not path.exists():
        argv = [
            ffmpeg_path(), "-v", "error", "-nostdin",
            "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=20",
            # Of every four seconds, the first three are black.
            "-vf", "drawbox=t=fill:color=black:enable='lt(mod(t,4),3)'",
            "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(path),
        ]  # fmt: skip
        subprocess.run(argv, check=True)
    video = uploaded(path)

    work_until_idle()

    video.refresh_from_db()
    assert video.poster_times_s == [3.0, 7.0, 11.0, 15.0, 19.0]
    for key, _ in video.poster_choices:
        body = storage.client().get_object(Bucket=settings.S3_BUCKET, Key=key)["Body"].read()
        image = Image.open(io.BytesIO(body))
        assert (image.format, image.size) == ("JPEG", (640, 360))
        assert image.convert("L").point(lambda value: 255 * (value > 200)).getbbox()


def test_index_is_answered_with_signed_sheets_to_viewers_with_access(
    uploaded: Uploaded, clips: Path, client: Client
) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=5))
    address = f"/videos/{video.public_id}/hls/{video.encode_key}/storyboard.vtt"
    before = client.get(address)
    work_until_idle()

    answer = client.get(address)
    playback = client.get(f"/api/v1/videos/{video.public_id}/").json()["playback"]
    Video.objects.filter(pk=video.pk).update(visibility="private")

    assert before.status_code == 404
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/vtt; charset=utf-8")
    assert answer["Access-Control-Allow-Origin"] == "*"
    (name,) = set(
        re.findall(
            r"^http\S+(/storyboard-\S+)\?\S*X-Amz-Signature=\S+#xywh=", answer.content.decode(), re.MULTILINE
        )
    )
    job = video.jobs.get(kind="storyboard")
    assert name == f"/storyboard-{job.pk}-{job.attempt}/0.jpg"
    assert playback["storyboard_url"] == f"http://testserver{address}"
    assert client.get(address).status_code == 404
    client.force_login(video.channel.owner)
    assert client.get(address).status_code == 200
