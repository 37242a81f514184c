"""Tests of the migration that moves segments from jobs to segment runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import UserFactory
from videos.models import Job, SegmentRun, Video
from videos.room import kept_bytes
from videos.services import recordings
from videos.tests.factories import VideoFactory
from videos.tests.playlists import playlists

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BEFORE = ("videos", "0015_measured_renditions")
IRREVERSIBLE = ("videos", "0018_jobs_of_the_queue")
BEGAN_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
R0 = recordings.RecordedRendition("r0", 1280, 720, 30.0, 2_500_000, "avc1.64001f,mp4a.40.2")


def migrate_back() -> Any:
    """Undo the migration and all later ones of every app; return the models of that time."""
    MigrationExecutor(connection).migrate([BEFORE])
    return MigrationExecutor(connection).loader.project_state([BEFORE]).apps


def migrate() -> None:
    """Apply every migration, so that the tables fit the models of today."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.fixture
def videos() -> list[Video]:
    """Return two uploads and two recordings, without jobs and segments."""
    uploads = [VideoFactory() for _ in range(2)]
    live = [
        recordings.start_recording(
            channel=UserFactory().channel, title="Live", category="gaming", visibility="public"
        )
        for _ in range(2)
    ]
    for recording in live:
        recordings.record_renditions(recording, [R0])
    Job.objects.all().delete()
    SegmentRun.objects.all().delete()
    return [*uploads, *live]


@pytest.fixture
def old(videos: list[Video]) -> Iterator[Any]:
    """Return the models from before the migration, on tables of that time."""
    yield migrate_back()
    migrate()


def add_job(old: Any, video: Video, kind: str, position: int, segments: list[float], **fields: Any) -> None:
    """Store a job as it was then; by default it is done, at the first attempt."""
    old.get_model("videos", "Job").objects.create(
        video_id=video.pk,
        encode_key=video.encode_key,
        kind=kind,
        position=position,
        segments=segments,
        bytes_stored=100 * len(segments),
        **{"status": "done", "attempt": 1, **fields},
    )


def folded(kind: str, position: int, segments: list[float], **fields: Any) -> dict[str, Any]:
    """Return a job as a folded encode held it."""
    planned = {"attempt": 1, "first_segment": 0, "segment_count": None, "start_s": 0.0, "claimed_at": None}
    return {"kind": kind, "position": position, "segments": segments, **planned, **fields}


def test_playlist_of_an_upload_is_the_same_after_the_migration(old: Any, videos: list[Video]) -> None:
    running, _other, *_recordings = videos
    Video.objects.filter(pk=running.pk).update(status="processing")
    add_job(old, running, "plan", 0, [], claimed_at=BEGAN_AT)
    add_job(old, running, "video", 0, [4.0], claimed_at=BEGAN_AT, segment_count=1, attempt=2)
    add_job(
        old, running, "video", 1, [4.0, 4.0], claimed_at=BEGAN_AT, status="running", attempt=3,
        first_segment=1, segment_count=15, start_s=4.0,
    )  # fmt: skip
    add_job(old, running, "audio", 0, [4.010667, 3.989333], claimed_at=BEGAN_AT)

    migrate()

    assert playlists(running)[1].splitlines()[-7:] == [
        '#EXT-X-MAP:URI="720p/0-2/init.mp4"',
        "#EXTINF:4,",
        "720p/0-2/0.m4s",
        "#EXTINF:4,",
        "720p/1-3/1.m4s",
        "#EXTINF:4,",
        "720p/1-3/2.m4s",
    ]
    fields = ("kind", "position", "run__kind", "run__position", "run__attempt", "run__is_open")
    assert list(running.jobs.order_by("pk").values_list(*fields)) == [
        ("plan", 0, None, None, None, None),
        ("video", 0, "video", 0, 2, False),
        ("video", 1, "video", 1, 3, True),
        ("audio", 0, "audio", 0, 1, False),
    ]


def test_running_recording_goes_on_after_the_migration(old: Any, videos: list[Video]) -> None:
    *_uploads, running, finished = videos
    for video in (running, finished):
        add_job(old, video, "video", 0, [])
        add_job(old, video, "video", 1, [4.0], claimed_at=BEGAN_AT)
        add_job(old, video, "video", 2, [5.0], claimed_at=BEGAN_AT, first_segment=1, start_s=4.0)
        add_job(
            old, video, "video", 3, [6.0], claimed_at=BEGAN_AT + timedelta(minutes=1), first_segment=2,
            status="running" if video == running else "done",
        )  # fmt: skip

    migrate()

    lines = [line for line in playlists(running)[1].splitlines()[7:] if not line.startswith("#EXTINF")]
    assert lines == [
        '#EXT-X-MAP:URI="r0/1-1/init.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:00.000Z",
        "r0/1-1/0.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:00.000Z",
        "r0/2-1/1.m4s",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="r0/3-1/init.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:01:00.000Z",
        "r0/3-1/2.m4s",
    ]
    assert not Job.objects.exists()
    assert [run.is_open for run in running.runs.order_by("position")] == [False, False, False, True]
    assert playlists(finished)[1].endswith("r0/3-1/2.m4s\n#EXT-X-ENDLIST\n")
    assert recordings.stretches(finished) == [
        recordings.Stretch(BEGAN_AT, 0.0, 4.0),
        recordings.Stretch(BEGAN_AT, 4.0, 9.0),
        recordings.Stretch(BEGAN_AT + timedelta(minutes=1), 9.0, 15.0),
    ]
    recordings.append_segment(running.runs.get(is_open=True), duration_s=4.0, size_bytes=100)
    later = recordings.open_run(running, is_continuous=True, began_at=BEGAN_AT)
    assert (later.position, later.first_segment) == (4, 4)


def test_folded_encodes_become_runs(old: Any, videos: list[Video]) -> None:
    upload, failed, recording, _other = videos
    finished = old.get_model("videos", "FinishedEncode").objects
    finished.create(
        video_id=upload.pk, encode_key=upload.encode_key, bytes_stored=700,
        jobs=[
            folded("audio", 0, [4.010667, 3.989333]),
            folded("video", 0, [4.0], segment_count=1, attempt=2, claimed_at=BEGAN_AT.isoformat()),
            folded("video", 1, [4.0], segment_count=1, first_segment=1, start_s=4.0),
        ],
    )  # fmt: skip
    finished.create(video_id=failed.pk, encode_key=failed.encode_key, bytes_stored=50)
    finished.create(
        video_id=recording.pk, encode_key=recording.encode_key,
        jobs=[folded("video", 1, [4.0], claimed_at=BEGAN_AT.isoformat())],
    )  # fmt: skip

    migrate()

    assert playlists(upload)[1].splitlines()[-6:] == [
        '#EXT-X-MAP:URI="720p/0-2/init.mp4"',
        "#EXTINF:4,",
        "720p/0-2/0.m4s",
        "#EXTINF:4,",
        "720p/1-1/1.m4s",
        "#EXT-X-ENDLIST",
    ]
    assert [kept_bytes(video.channel) for video in (upload, failed)] == [700, 50]
    assert recordings.stretches(recording) == [recordings.Stretch(BEGAN_AT, 0.0, 4.0)]


def test_folded_encode_with_jobs_is_left_out_without_a_query_for_each(old: Any, videos: list[Video]) -> None:
    upload, other, *_recordings = videos
    add_job(old, upload, "video", 0, [4.0], claimed_at=BEGAN_AT)
    finished = old.get_model("videos", "FinishedEncode").objects
    for video in (upload, other):
        finished.create(
            video_id=video.pk, encode_key=video.encode_key, bytes_stored=50, jobs=[folded("video", 0, [5.0])]
        )

    with CaptureQueriesContext(connection) as queries:
        migrate()

    asked = [
        query["sql"] for query in queries if query["sql"].startswith('SELECT 1 AS "a" FROM "videos_job"')
    ]
    assert asked == []
    assert [run.segments for video in (upload, other) for run in video.runs.all()] == [[4.0], [5.0]]


def test_migration_of_a_site_with_segments_cannot_be_undone() -> None:
    VideoFactory()

    with pytest.raises(IrreversibleError):
        migrate_back()

    was_kept = IRREVERSIBLE in MigrationRecorder(connection).applied_migrations()
    migrate()
    assert was_kept
    assert SegmentRun.objects.count() == 3
