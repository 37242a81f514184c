from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from videos import queue
from videos.models import Job, SegmentRun, Video
from videos.services import recordings
from videos.tests.factories import VideoFactory, make_encode

pytestmark = pytest.mark.django_db

FIRST, BULK = Job.Lane.FIRST, Job.Lane.BULK


def waiting_video(**fields: object) -> Video:
    video = VideoFactory(status=Video.Status.PROCESSING, is_playable=False, encoded=False, **fields)
    make_encode(video, status=Job.Status.WAITING)
    return video


def film(chunks: int, **fields: object) -> Video:
    video = waiting_video(**fields)
    Job.objects.bulk_create(
        Job(video=video, encode_key=video.encode_key, kind=Job.Kind.VIDEO, position=position, lane=BULK)
        for position in range(2, chunks)
    )
    return video


def claim_done(*lanes: Job.Lane) -> Job:
    job = queue.claim(lanes, "somewhere:1")
    assert job is not None
    Job.objects.held(job).update(status=Job.Status.DONE)
    return job


def test_job_is_claimed_once() -> None:
    waiting_video()
    seen_by_two = Job.objects.get(kind=Job.Kind.VIDEO, position=0)
    again = Job.objects.get(pk=seen_by_two.pk)

    assert queue.take(seen_by_two, "a:1")
    assert not queue.take(again, "b:2")


def test_claim_starts_a_new_attempt_with_a_lease_and_an_empty_run() -> None:
    waiting_video()
    SegmentRun.objects.update(segments=[4.0], bytes_stored=9, is_open=False)

    job = queue.claim([FIRST], "a:1")

    assert job is not None
    assert job.run is not None
    for row in (job.run, SegmentRun.objects.get(pk=job.run.pk)):
        assert (row.attempt, row.segments, row.bytes_stored, row.is_open) == (1, [], 0, True)
    job.refresh_from_db()
    assert (job.status, job.attempt, job.worker) == (Job.Status.RUNNING, 1, "a:1")
    assert job.lease_until is not None
    assert job.lease_until > timezone.now()


def test_video_job_is_claimed_before_the_audio_job() -> None:
    waiting_video()

    assert claim_done(FIRST).kind == Job.Kind.VIDEO
    assert claim_done(FIRST).kind == Job.Kind.AUDIO
    assert queue.claim([FIRST]) is None


def test_worker_of_the_first_lane_claims_no_bulk_job() -> None:
    waiting_video()
    Job.objects.filter(lane=FIRST).update(status=Job.Status.DONE)

    assert queue.claim([FIRST]) is None
    assert queue.claim([FIRST, BULK]) is not None


def test_bulk_worker_prefers_the_first_lane() -> None:
    film(chunks=5)
    clip = waiting_video()
    Job.objects.filter(lane=FIRST).exclude(video=clip).update(status=Job.Status.DONE)

    assert claim_done(FIRST, BULK).video == clip


def test_job_is_claimed_again_only_after_its_lease_expires() -> None:
    waiting_video()
    Job.objects.update(status=Job.Status.DONE)
    Job.objects.filter(kind=Job.Kind.AUDIO).update(
        status=Job.Status.RUNNING, attempt=1, lease_until=timezone.now() + timedelta(seconds=5)
    )

    assert queue.claim([FIRST]) is None
    Job.objects.filter(kind=Job.Kind.AUDIO).update(lease_until=timezone.now() - timedelta(seconds=1))
    job = queue.claim([FIRST])
    assert job is not None
    assert job.attempt == 2


def test_paused_job_is_not_claimed() -> None:
    waiting_video()
    Job.objects.update(not_before=timezone.now() + timedelta(seconds=30))

    assert queue.claim([FIRST, BULK]) is None


def test_channels_are_served_in_turn() -> None:
    first, second = film(chunks=6), film(chunks=6)
    Job.objects.filter(lane=FIRST).update(status=Job.Status.DONE)

    owners = [claim_done(BULK).video.channel_id for _ in range(4)]

    assert sorted(owners[:2]) == sorted([first.channel_id, second.channel_id])
    assert owners[:2] == owners[2:]


def test_short_clip_overtakes_a_film_of_the_same_channel() -> None:
    long_film = film(chunks=40)
    Job.objects.filter(lane=FIRST).update(status=Job.Status.DONE)
    for _ in range(5):
        claim_done(BULK)
    clip = film(chunks=4, channel=long_film.channel)
    Job.objects.filter(video=clip, lane=FIRST).update(status=Job.Status.DONE)

    next_three = [claim_done(BULK).video for _ in range(3)]

    assert next_three == [clip, clip, clip]


def test_long_audio_jobs_leave_a_first_slot_free_on_a_host() -> None:
    for _ in range(3):
        waiting_video()
    Job.objects.filter(kind=Job.Kind.VIDEO).update(status=Job.Status.DONE)
    Job.objects.filter(kind=Job.Kind.AUDIO).update(length_s=7200)

    here = f"{queue.this_host()}:1"
    claimed = [queue.claim([FIRST], here) for _ in range(3)]

    assert [job is not None for job in claimed] == [True, True, False]
    assert waiting_video() is not None
    assert queue.claim([FIRST], here) is not None


def test_streamer_with_a_running_broadcast_is_served_before_a_recent_uploader() -> None:
    uploader, streamer = waiting_video(), waiting_video()
    Job.objects.filter(video=uploader, kind=Job.Kind.AUDIO).update(
        status=Job.Status.DONE, claimed_at=timezone.now() - timedelta(minutes=1)
    )
    recording = recordings.start_recording(
        channel=streamer.channel, title="Live", category="gaming", visibility="public"
    )
    recordings.open_run(recording, is_continuous=False, began_at=timezone.now())

    assert claim_done(FIRST).video == streamer


@pytest.mark.parametrize("videos", [1, 3])
def test_query_count_of_a_claim_is_constant(videos: int, django_assert_max_num_queries: Any) -> None:
    for _ in range(videos):
        film(chunks=6)

    with django_assert_max_num_queries(12):  # two of them the savepoint around the claim
        queue.claim([FIRST, BULK])
