from datetime import UTC, datetime

import pytest
from django.test import override_settings

from accounts.tests.factories import UserFactory
from videoplatform import storage
from videos import pipeline, queue
from videos.models import DoomedPrefix, Job, Video
from videos.publishing import Encode, media_playlist, multivariant_playlist
from videos.services import recordings
from videos.services.recordings import RecordedRendition, RecordingClosed

pytestmark = pytest.mark.django_db

BEGAN_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TAKEN = "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:00.000Z"
R0 = RecordedRendition("r0", 1280, 720, 30.0, 2_500_000, "avc1.64001f,mp4a.40.2")
R1 = RecordedRendition("r1", 640, 360, 30.0, 730_000, "avc1.64001e,mp4a.40.2")


def new_recording() -> Video:
    video = recordings.start_recording(
        channel=UserFactory().channel, title="Live", category="gaming", visibility="public"
    )
    recordings.add_renditions(video, [R0, R1])
    return Video.objects.get(pk=video.pk)


def record(video: Video, *durations_s: float, is_continuous: bool = False) -> Job:
    job = recordings.open_job(video, is_continuous=is_continuous, began_at=BEGAN_AT)
    for duration_s in durations_s:
        recordings.append_segment(job, duration_s=duration_s, size_bytes=100)
    return job


def playlist(video: Video, name: str = "r0") -> str:
    encode = Encode.of(Video.objects.get(pk=video.pk))
    return media_playlist(encode, next(r for r in encode.rungs if r.name == name), str)


def test_a_running_recording_is_an_event_that_grows() -> None:
    video = new_recording()

    record(video, 4.0, 4.5)

    assert playlist(video) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:8\n"
        "#EXT-X-PLAYLIST-TYPE:EVENT\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-START:TIME-OFFSET=0\n"
        '#EXT-X-MAP:URI="r0/1-1/init.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:00.000Z\n"
        "#EXTINF:4,\n"
        "r0/1-1/0.m4s\n"
        "#EXTINF:4.5,\n"
        "r0/1-1/1.m4s\n"
    )


def test_a_new_timeline_begins_with_a_discontinuity_and_an_init_segment_of_its_own() -> None:
    video = new_recording()

    record(video, 4.0)
    record(video, 5.0, is_continuous=True)
    record(video, 6.0)

    lines = playlist(video, "r1").splitlines()[6:]
    assert lines == [
        '#EXT-X-MAP:URI="r1/1-1/init.mp4"',
        TAKEN,
        "#EXTINF:4,",
        "r1/1-1/0.m4s",
        TAKEN,
        "#EXTINF:5,",
        "r1/2-1/1.m4s",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="r1/3-1/init.mp4"',
        TAKEN,
        "#EXTINF:6,",
        "r1/3-1/2.m4s",
    ]


def test_a_timeline_that_left_nothing_leaves_no_trace() -> None:
    video = new_recording()

    record(video)
    record(video, 4.0)
    record(video)
    record(video, 4.0)

    assert playlist(video).count("#EXT-X-DISCONTINUITY") == 1
    assert playlist(video).count("#EXT-X-MAP") == 2


def test_who_was_replaced_lists_nothing_more() -> None:
    video = new_recording()
    late = record(video, 4.0)
    record(video, 4.0)

    with pytest.raises(RecordingClosed):
        recordings.append_segment(late, duration_s=4.0, size_bytes=100)

    assert [job.segments for job in Job.objects.order_by("position")] == [[], [4.0], [4.0]]


def test_workers_and_the_sweeper_leave_a_running_recording_alone() -> None:
    video = new_recording()
    record(video, 4.0)

    assert queue.claim(list(Job.Lane)) is None
    pipeline.sweep()

    assert Video.objects.get(pk=video.pk).status == Video.Status.PROCESSING


@pytest.mark.storage
def test_a_finished_recording_is_a_ready_video(bucket: str) -> None:
    video = new_recording()
    record(video, 4.0, 4.5)

    recordings.finish_recording(video, visibility="unlisted", poster_key="videos/x/poster-1.jpg")

    video.refresh_from_db()
    assert (video.status, video.is_playable, video.visibility) == ("ready", True, "unlisted")
    assert (video.duration_s, video.width_px, video.height_px) == (8.5, 1280, 720)
    assert video.poster_key == "videos/x/poster-1.jpg"
    assert playlist(video).endswith("r0/1-1/1.m4s\n#EXT-X-ENDLIST\n")
    assert storage.size_of(f"{video.encode_prefix}r1.m3u8") is not None
    with pytest.raises(RecordingClosed):
        recordings.open_job(video, is_continuous=True, began_at=BEGAN_AT)


def test_picture_and_sound_of_a_recording_are_one_rendition() -> None:
    video = new_recording()

    assert multivariant_playlist(Encode.of(video), "{}.m3u8".format) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=2750000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,'
        "FRAME-RATE=30.000\n"
        "r0.m3u8\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=803000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=640x360,'
        "FRAME-RATE=30.000\n"
        "r1.m3u8\n"
    )


def test_a_recording_without_a_segment_leaves_no_video() -> None:
    video = new_recording()

    recordings.finish_recording(video, visibility="public")

    assert not Video.objects.filter(pk=video.pk).exists()
    assert DoomedPrefix.objects.get().prefix == video.prefix


def test_finishing_what_is_deleted_or_finished_changes_nothing() -> None:
    video = new_recording()
    Video.objects.filter(pk=video.pk).delete()

    recordings.finish_recording(video, visibility="public")

    assert not Video.objects.exists()


@pytest.mark.storage
def test_a_reopened_recording_goes_on_where_it_was(bucket: str) -> None:
    video = new_recording()
    record(video, 4.0)
    recordings.finish_recording(video, visibility="public")
    video.refresh_from_db()

    recordings.reopen_recording(video)
    pipeline.sweep()
    record(video, 5.0)

    assert not Video.objects.get(pk=video.pk).is_playable
    assert playlist(video).splitlines()[-6:] == [
        "r0/1-1/0.m4s",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="r0/3-1/init.mp4"',
        TAKEN,
        "#EXTINF:5,",
        "r0/3-1/1.m4s",
    ]


@pytest.mark.storage
def test_a_recording_whose_end_storage_missed_is_completed_by_the_sweeper(bucket: str) -> None:
    video = new_recording()
    record(video, 4.0)
    with override_settings(S3_ENDPOINT_URL="http://127.0.0.1:9"):
        recordings.finish_recording(video, visibility="public")
    assert Video.objects.get(pk=video.pk).status == Video.Status.PROCESSING

    pipeline.sweep()

    assert Video.objects.get(pk=video.pk).status == Video.Status.READY
