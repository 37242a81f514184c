"""The path of a video, with real FFmpeg, real S3 and rows in SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import EndpointConnectionError
from django.conf import settings
from django.utils import timezone

from common import deletion, storage
from common.models import PendingDeletion
from videos import ends, pipeline, queue, sweeping
from videos.models import Job, Video
from videos.publishing import Encode, LeaseLost
from videos.services import delete_video, retry_video
from videos.tests.clips import make_clip
from videos.tests.factories import VideoFactory
from videos.transcoding.errors import DecodeFailed, FFmpegFailed

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg, pytest.mark.storage, pytest.mark.slow]

Uploaded = Callable[..., Video]


@pytest.fixture
def uploaded(bucket: str) -> Uploaded:
    """Return a function that makes a video as after its upload, with the bytes of ``path``."""

    def make(path: Path, filename: str = "") -> Video:
        video = VideoFactory(
            status=Video.Status.PROCESSING,
            is_playable=False,
            published_at=None,
            duration_s=None,
            width_px=None,
            height_px=None,
            encoded=False,
            source_filename=filename or path.name,
            source_size_bytes=path.stat().st_size,
        )
        storage.client().upload_file(str(path), settings.S3_BUCKET, video.source_key)
        Job.objects.create(video=video, encode_key=video.encode_key, kind="plan", lane=Job.Lane.FIRST)
        return video

    return make


def work_until_idle() -> None:
    while pipeline.work(Job.Lane.BULK):
        pass


def test_uploaded_clip_becomes_a_ready_video(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=9))

    work_until_idle()

    video.refresh_from_db()
    encode = Encode.of(video)
    assert (video.status, video.is_playable, video.failure_code) == ("ready", True, "")
    assert video.duration_s == pytest.approx(9, abs=0.1)
    assert encode.is_complete
    assert all(rung.codecs.startswith("avc1.64") for rung in encode.rungs)
    assert [track.codecs for track in encode.tracks] == ["mp4a.40.2"]


def test_bucket_holds_exactly_the_files_named_by_playlists(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=9))

    work_until_idle()

    video.refresh_from_db()
    encode = Encode.of(video)
    named = {
        f"{video.encode_prefix}{name}"
        for rendition in encode.renditions
        for segment in encode.segments(rendition)
        for name in (segment.name, segment.init_name)
    }
    playlists = {f"{video.encode_prefix}{rendition.name}.m3u8" for rendition in encode.renditions}
    folder = video.storyboard_key.removesuffix("index.vtt")
    storyboard = {f"{folder}{name}" for name in ("index.vtt", "0.jpg", "keyframes.json")}
    storyboard |= {key for key, _ in video.poster_choices}
    stored = set(storage.keys_under(video.prefix))
    assert stored == (
        named
        | playlists
        | storyboard
        | {f"{video.encode_prefix}multivariant.m3u8", video.source_key, video.poster_key}
    )


def test_video_is_playable_after_its_first_chunk(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=14))

    while pipeline.work(Job.Lane.FIRST):
        pass

    video.refresh_from_db()
    encode = Encode.of(video)
    assert (video.status, video.is_playable) == ("processing", True)
    assert [len(encode.segments(rung)) for rung in encode.rungs] == [1] * len(encode.rungs)
    assert [len(encode.listed(each)) for each in encode.renditions] == [4] * len(encode.renditions)
    assert not encode.is_complete


def test_lowest_rung_of_the_first_segment_is_encoded_first(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=14, size="960x540"))

    pipeline.work(Job.Lane.FIRST)
    pipeline.work(Job.Lane.FIRST)

    video.refresh_from_db()
    assert not video.is_playable  # without its audio
    chunks = Job.objects.filter(kind="video").order_by("position").select_related("run")
    assert [(job.status, job.lane, job.run.renditions, job.run.segments) for job in chunks if job.run] == [
        ("done", Job.Lane.FIRST, ["360p"], [4.0]),
        ("waiting", Job.Lane.FIRST, ["480p"], []),
        ("waiting", Job.Lane.BULK, ["480p", "360p"], []),
    ]
    plan = video.plans.get(kind="video")
    assert (plan.starts_s, plan.is_trusted) == ([0, 4, 8, 12], True)
    assert plan.end_s == pytest.approx(14, abs=0.1)


@pytest.mark.parametrize(("kind", "width_px", "height_px"), [("portrait", 360, 640), ("no_audio", 640, 360)])
def test_portrait_and_silent_videos_become_ready(
    kind: str, width_px: int, height_px: int, uploaded: Uploaded, clips: Path
) -> None:
    video = uploaded(make_clip(kind, clips, seconds=5))

    work_until_idle()

    video.refresh_from_db()
    assert video.status == "ready"
    assert video.is_portrait == (height_px > width_px)


def test_audio_source_becomes_a_ready_video(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("audio_only", clips, seconds=5))

    work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.has_picture) == ("ready", False)
    assert Encode.of(video).rungs == []


def test_playlist_as_source_fails_with_a_code_and_a_sentence(uploaded: Uploaded, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:18099/secret\n")
    video = uploaded(path)

    work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.failure_code) == ("failed", "references_outside")
    assert video.failure_sentence


def test_failed_video_can_be_retried(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=3))
    with (
        mock.patch("videos.queue.MAX_FAILURES", 1),
        mock.patch("videos.pipeline.run_encode", side_effect=FFmpegFailed(1, "out of luck")),
    ):
        work_until_idle()
    video.refresh_from_db()
    assert (video.status, video.failure_code) == ("failed", "encode_failed")
    first_key = video.encode_key

    retry_video(video)
    work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.failure_code) == ("ready", "")
    assert video.encode_key != first_key


def test_retryable_failure_is_retried_after_a_pause(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=3))
    pipeline.work(Job.Lane.FIRST)
    with mock.patch("videos.pipeline.run_encode", side_effect=FFmpegFailed(1, "out of memory")):
        pipeline.work(Job.Lane.FIRST)
    job = Job.objects.get(kind="video")
    assert (job.status, job.error_code, job.attempt) == ("waiting", "encode_failed", 1)
    assert job.not_before > timezone.now()

    Job.objects.update(not_before=timezone.now())
    work_until_idle()

    video.refresh_from_db()
    assert video.status == "ready"


def test_late_worker_with_an_expired_lease_changes_nothing(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=3))
    pipeline.work(Job.Lane.FIRST)
    late = queue.claim([Job.Lane.FIRST], "thought-dead:1")
    assert late is not None
    assert late.kind == "video"
    Job.objects.filter(pk=late.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    work_until_idle()
    video.refresh_from_db()
    before = (video.status, sorted(storage.keys_under(video.encode_prefix)), Encode.of(video).duration_s)

    pipeline.run(late)

    video.refresh_from_db()
    listed = [segment.name for rung in Encode.of(video).rungs for segment in Encode.of(video).segments(rung)]
    assert before[0] == video.status == "ready"
    assert Encode.of(video).duration_s == before[2]
    assert all("/0-2/" in name for name in listed)
    assert set(before[1]) <= set(storage.keys_under(video.encode_prefix))


def test_repeated_wake_up_does_not_repeat_work(uploaded: Uploaded, clips: Path) -> None:
    uploaded(make_clip("no_audio", clips, seconds=3))
    work_until_idle()

    done_again = [pipeline.work(lane) for lane in Job.Lane for _ in range(2)]

    assert done_again == [False] * (2 * len(Job.Lane))
    assert set(Job.objects.values_list("attempt", flat=True)) == {1}


def test_sweep_completes_a_video_with_finished_jobs(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=3))
    with mock.patch("videos.ends.complete"):
        work_until_idle()
    video.refresh_from_db()
    assert video.status == "processing"

    sweeping.sweep()

    video.refresh_from_db()
    assert video.status == "ready"


def test_sweep_fails_a_job_that_killed_its_workers(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=3))
    pipeline.work(Job.Lane.FIRST)
    Job.objects.filter(kind="video").update(
        status="running", losses=queue.MAX_LOSSES, lease_until=timezone.now() - timedelta(seconds=1)
    )

    sweeping.sweep()

    video.refresh_from_db()
    assert (video.status, video.failure_code) == ("failed", "encode_failed")


def test_deleted_video_loses_its_lease_and_its_objects(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=3))
    prefix = video.prefix
    pipeline.work(Job.Lane.FIRST)
    held = queue.claim([Job.Lane.FIRST])
    assert held is not None

    delete_video(video)
    with pytest.raises(LeaseLost):
        ends.finish(held)
    PendingDeletion.objects.update(last_pass_at=timezone.now())
    deletion.delete_pending()

    assert list(storage.keys_under(prefix)) == []
    assert not PendingDeletion.objects.exists()


def test_undecodable_audio_track_is_left_out(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=3))
    no_sound = mock.Mock(side_effect=DecodeFailed("no sound"))
    with mock.patch.dict(pipeline.STEPS, {Job.Kind.AUDIO: no_sound}):
        work_until_idle()

    video.refresh_from_db()
    assert video.status == "ready"
    assert Encode.of(video).tracks == []


def test_video_with_a_failed_audio_encode_fails(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=3))
    no_sound = mock.Mock(side_effect=FFmpegFailed(1, "out of luck"))
    with mock.patch.dict(pipeline.STEPS, {Job.Kind.AUDIO: no_sound}):
        for _ in range(queue.MAX_FAILURES):
            work_until_idle()
            Job.objects.update(not_before=timezone.now())

    video.refresh_from_db()
    assert (video.status, video.failure_code) == ("failed", "encode_failed")


def test_audio_job_waits_for_storage_and_is_complete_afterwards(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=9))
    put_file, stored = storage.put_file, []

    def put_two_of_sound(key: str, path: Path) -> int:
        if "/audio-0/" in key:
            stored.append(key)
            if len(stored) > 2:
                raise EndpointConnectionError(endpoint_url="http://storage")
        return put_file(key, path)

    with mock.patch("common.storage.put_file", side_effect=put_two_of_sound):
        for _ in range(10):
            work_until_idle()
            Job.objects.update(not_before=timezone.now())
    video.refresh_from_db()
    sound = Job.objects.get(kind="audio")
    assert (video.status, sound.status, sound.waits_for) == ("processing", "waiting", "storage")
    assert (sound.failures, sound.losses) == (0, 0)

    work_until_idle()

    video.refresh_from_db()
    (track,) = Encode.of(video).tracks
    sound_s = sum(segment.duration_s for segment in Encode.of(video).segments(track))
    assert video.status == "ready"
    assert sound_s == pytest.approx(9, abs=0.1)


def test_source_missing_from_storage_fails_the_video(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=3))
    storage.delete_keys([video.source_key])

    work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.failure_code) == ("failed", "storage_failed")


def test_worker_with_a_full_disk_claims_no_job(uploaded: Uploaded, clips: Path, settings: Any) -> None:
    uploaded(make_clip("no_audio", clips, seconds=3))
    settings.WORK_FLOOR_BYTES = 2**60

    assert not pipeline.work(Job.Lane.BULK)
    assert Job.objects.get().attempt == 0

    settings.WORK_FLOOR_BYTES = 0
    assert pipeline.work(Job.Lane.BULK)
