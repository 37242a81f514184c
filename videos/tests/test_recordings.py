from datetime import UTC, datetime

import pytest
from django.test import override_settings

from accounts.tests.factories import UserFactory
from common import storage
from common.models import PendingDeletion
from videos import cleaning, ends, queue, sweeping
from videos.models import Job, Rendition, SegmentRun, Video
from videos.publishing import PEAK_FACTOR, Encode, media_playlist, multivariant_playlist, write_playlists
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
    recordings.record_renditions(video, [R0, R1])
    return Video.objects.get(pk=video.pk)


def record(video: Video, *durations_s: float, is_continuous: bool = False) -> SegmentRun:
    run = recordings.open_run(video, is_continuous=is_continuous, began_at=BEGAN_AT)
    for duration_s in durations_s:
        recordings.append_segment(run, duration_s=duration_s, size_bytes=100)
    return run


def playlist(video: Video, name: str = "r0") -> str:
    encode = Encode.of(Video.objects.get(pk=video.pk))
    return media_playlist(encode, next(r for r in encode.rungs if r.name == name), str).render()


def test_playlist_of_a_running_recording_is_an_event() -> None:
    video = new_recording()

    record(video, 4.0, 4.5)

    assert playlist(video) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:8\n"
        "#EXT-X-PLAYLIST-TYPE:EVENT\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=48\n"
        "#EXT-X-START:TIME-OFFSET=0\n"
        '#EXT-X-MAP:URI="r0/1-1/init.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:00.000Z\n"
        "#EXTINF:4,\n"
        "r0/1-1/0.m4s\n"
        "#EXTINF:4.5,\n"
        "r0/1-1/1.m4s\n"
    )


def test_changed_rendition_declares_the_highest_values() -> None:
    video = new_recording()
    later = RecordedRendition("r0", 1920, 1080, 24.0, 6_000_000, "avc1.4d0028,mp4a.40.2")

    recordings.record_renditions(video, [later])

    record(video, 4.0)
    first = multivariant_playlist(Encode.of(Video.objects.get(pk=video.pk)), str).splitlines()
    assert next(line for line in first if line.startswith("#EXT-X-STREAM-INF")) == (
        '#EXT-X-STREAM-INF:BANDWIDTH=7650000,CODECS="avc1.640028,mp4a.40.2",'
        "RESOLUTION=1920x1080,FRAME-RATE=30.000"
    )


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("avc1.64001f,mp4a.40.2", "avc1.64001f,mp4a.40.2", "avc1.64001f,mp4a.40.2"),
        ("avc1.42c01e,mp4a.40.2", "avc1.4d401f,mp4a.40.2", "avc1.4d401f,mp4a.40.2"),
        ("avc1.640015,mp4a.40.2", "avc1.42c02a", "avc1.64002a,mp4a.40.2"),
        ("avc1.64001f,mp4a.40.29", "avc1.64001f,mp4a.40.5", "avc1.64001f,mp4a.40.29"),
    ],
)
def test_covering_codecs_can_play_both_runs(one: str, other: str, both: str) -> None:
    assert recordings.covering_codecs(one, other) == both
    assert recordings.covering_codecs(other, one) == both


def test_new_timeline_begins_with_a_discontinuity_and_an_init_segment() -> None:
    video = new_recording()

    record(video, 4.0)
    record(video, 5.0, is_continuous=True)
    record(video, 6.0)

    lines = playlist(video, "r1").splitlines()[7:]
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


def test_timeline_without_segments_is_not_listed() -> None:
    video = new_recording()

    record(video)
    record(video, 4.0)
    record(video)
    record(video, 4.0)

    assert playlist(video).count("#EXT-X-DISCONTINUITY") == 1
    assert playlist(video).count("#EXT-X-MAP") == 2


def test_replaced_recorder_cannot_append_segments() -> None:
    video = new_recording()
    late = record(video, 4.0)
    record(video, 4.0)

    with pytest.raises(RecordingClosed):
        recordings.append_segment(late, duration_s=4.0, size_bytes=100)

    assert [run.segments for run in SegmentRun.objects.order_by("position")] == [[], [4.0], [4.0]]


def test_running_recording_is_neither_claimed_nor_swept() -> None:
    video = new_recording()
    record(video, 4.0)

    assert queue.claim(list(Job.Lane)) is None
    sweeping.sweep()

    assert Video.objects.get(pk=video.pk).status == Video.Status.PROCESSING


@pytest.mark.storage
def test_finished_recording_without_duration_declares_the_bound_of_its_encoder(bucket: str) -> None:
    video = new_recording()
    record(video, 0.0)

    recordings.finish_recording(video)

    video.refresh_from_db()
    assert video.status == "ready"
    assert all(
        (rendition.peak_bps, rendition.average_bps) == (round(rendition.bitrate_bps * PEAK_FACTOR), None)
        for rendition in video.renditions.all()
    )


@pytest.mark.storage
def test_finished_recording_becomes_a_ready_video(bucket: str) -> None:
    video = new_recording()
    record(video, 4.0, 4.5)
    Video.objects.update(visibility="unlisted")

    recordings.finish_recording(video, poster_key="videos/x/poster-1.jpg")

    video.refresh_from_db()
    assert (video.status, video.is_playable, video.visibility) == ("ready", True, "unlisted")
    assert (video.duration_s, video.width_px, video.height_px) == (8.5, 1280, 720)
    assert video.poster_key == "videos/x/poster-1.jpg"
    assert playlist(video).endswith("r0/1-1/1.m4s\n#EXT-X-ENDLIST\n")
    assert storage.size_of(f"{video.encode_prefix}r1.m3u8") is not None
    with pytest.raises(RecordingClosed):
        recordings.open_run(video, is_continuous=True, began_at=BEGAN_AT)


def test_recording_has_video_and_audio_in_one_rendition() -> None:
    video = new_recording()

    assert multivariant_playlist(Encode.of(video), "{}.m3u8".format) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=3187500,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,'
        "FRAME-RATE=30.000\n"
        "r0.m3u8\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=930750,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=640x360,'
        "FRAME-RATE=30.000\n"
        "r1.m3u8\n"
    )


def test_recording_without_segments_is_deleted() -> None:
    video = new_recording()

    recordings.finish_recording(video)

    assert not Video.objects.filter(pk=video.pk).exists()
    assert PendingDeletion.objects.get().path == video.prefix


def test_finishing_a_deleted_recording_changes_nothing() -> None:
    video = new_recording()
    Video.objects.filter(pk=video.pk).delete()

    recordings.finish_recording(video)

    assert not Video.objects.exists()


@pytest.mark.storage
def test_reopened_recording_continues_after_its_last_segment(bucket: str) -> None:
    video = new_recording()
    record(video, 4.0)
    recordings.finish_recording(video)
    video.refresh_from_db()
    assert not Rendition.objects.filter(peak_bps=None).exists()

    recordings.reopen_recording(video)
    sweeping.sweep()
    assert {*Rendition.objects.values_list("peak_bps", "average_bps")} == {(None, None)}
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
def test_reopened_recording_loses_its_mp4(bucket: str) -> None:
    video = new_recording()
    record(video, 4.0)
    recordings.finish_recording(video)
    Video.objects.update(mp4_key="videos/v/download.mp4", mp4_expires_at=BEGAN_AT)

    recordings.reopen_recording(Video.objects.get(pk=video.pk))

    video.refresh_from_db()
    assert (video.mp4_key, video.mp4_expires_at) == ("", None)
    assert PendingDeletion.objects.get().path == "videos/v/download.mp4"


@pytest.mark.storage
def test_recording_is_ready_before_its_mp4(bucket: str) -> None:
    video = new_recording()
    record(video, 4.0)
    Job.objects.create(video=video, encode_key=video.encode_key, kind=Job.Kind.MP4)

    recordings.finish_recording(video)

    assert Video.objects.get(pk=video.pk).status == Video.Status.READY


def test_recording_reopened_before_it_was_ready_is_not_completed_by_the_sweep() -> None:
    video = new_recording()
    record(video, 4.0)
    with override_settings(S3_ENDPOINT_URL="http://127.0.0.1:9"):
        recordings.finish_recording(video)

    recordings.reopen_recording(Video.objects.get(pk=video.pk))
    sweeping.sweep()
    record(video, 5.0)

    assert Video.objects.get(pk=video.pk).status == Video.Status.PROCESSING
    assert playlist(video).endswith("r0/3-1/1.m4s\n")


@pytest.mark.storage
def test_recording_reopened_during_its_completion_does_not_become_ready(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = new_recording()
    record(video, 4.0)
    monkeypatch.setattr(ends, "write_playlists", lambda _encode: recordings.reopen_recording(video))

    recordings.finish_recording(video)

    assert Video.objects.get(pk=video.pk).status == Video.Status.PROCESSING


@pytest.mark.storage
def test_recording_continued_and_ended_during_its_completion_keeps_its_later_part(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = new_recording()
    record(video, 4.0)

    def go_on_and_end(_encode: Encode) -> None:
        recordings.reopen_recording(video)
        record(video, 5.0)
        with override_settings(S3_ENDPOINT_URL="http://127.0.0.1:9"):
            recordings.finish_recording(video)

    with monkeypatch.context() as slow:
        slow.setattr(ends, "write_playlists", go_on_and_end)
        recordings.finish_recording(video)
    assert Video.objects.get(pk=video.pk).status == Video.Status.PROCESSING

    sweeping.sweep()

    ready = Video.objects.get(pk=video.pk)
    assert (ready.status, ready.duration_s) == (Video.Status.READY, 9.0)
    stored = storage.read_range(f"{video.encode_prefix}r0.m3u8", 0, 10_000).decode()
    assert stored.count("#EXTINF") == 2


@pytest.mark.storage
def test_completion_overtaken_by_a_newer_one_leaves_the_newer_playlists(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = new_recording()
    record(video, 4.0)

    def be_overtaken(encode: Encode) -> None:
        monkeypatch.setattr(ends, "write_playlists", write_playlists)
        recordings.reopen_recording(video)
        record(video, 5.0)
        recordings.finish_recording(video)
        write_playlists(encode)

    monkeypatch.setattr(ends, "write_playlists", be_overtaken)
    recordings.finish_recording(video)

    ready = Video.objects.get(pk=video.pk)
    assert (ready.status, ready.duration_s) == (Video.Status.READY, 9.0)
    stored = storage.read_range(f"{video.encode_prefix}r0.m3u8", 0, 10_000).decode()
    assert stored.count("#EXTINF") == 2


@pytest.mark.storage
def test_recording_reopened_long_after_its_end_keeps_its_segments(bucket: str) -> None:
    video = new_recording()
    record(video, 4.0)
    recordings.finish_recording(video)
    Video.objects.filter(pk=video.pk).update(created_at=BEGAN_AT)
    cleaning.clean_up()

    recordings.reopen_recording(Video.objects.get(pk=video.pk))
    record(video, 5.0)

    assert [line for line in playlist(video).splitlines() if line.endswith(".m4s")] == [
        "r0/1-1/0.m4s",
        "r0/3-1/1.m4s",
    ]


@pytest.mark.storage
def test_sweep_completes_a_recording_finished_during_a_storage_outage(bucket: str) -> None:
    video = new_recording()
    record(video, 4.0)
    with override_settings(S3_ENDPOINT_URL="http://127.0.0.1:9"):
        recordings.finish_recording(video)
    assert Video.objects.get(pk=video.pk).status == Video.Status.PROCESSING

    sweeping.sweep()

    assert Video.objects.get(pk=video.pk).status == Video.Status.READY
