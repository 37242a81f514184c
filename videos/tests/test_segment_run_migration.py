"""Tests of the migration that moves segments from jobs to segment runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from pytest_django.plugin import DjangoDbBlocker

from accounts.tests.factories import UserFactory
from videos.models import Job, SegmentRun, Video
from videos.room import kept_bytes
from videos.services import recordings
from videos.tests.factories import VideoFactory
from videos.tests.playlists import playlists

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

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


@dataclass
class OldSite:
    """The videos of a site that was migrated, and the queries of its migration."""

    upload: Video = field(default_factory=VideoFactory)
    folded_upload: Video = field(default_factory=VideoFactory)
    folded_failure: Video = field(default_factory=VideoFactory)
    folded_with_jobs: Video = field(default_factory=VideoFactory)
    folded_beside: Video = field(default_factory=VideoFactory)
    running: Video = field(default_factory=lambda: recording())
    finished: Video = field(default_factory=lambda: recording())
    folded_recording: Video = field(default_factory=lambda: recording())
    queries: list[str] = field(default_factory=list)


def recording() -> Video:
    """Return a recording without segments."""
    video = recordings.start_recording(
        channel=UserFactory().channel, title="Live", category="gaming", visibility="public"
    )
    recordings.record_renditions(video, [R0])
    return video


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[OldSite]:
    """Migrate a site with every shape of old segments, once: a migration takes seconds."""
    with django_db_blocker.unblock():
        site = OldSite()
        Job.objects.all().delete()
        SegmentRun.objects.all().delete()
        old = migrate_back()
        add_upload(old, site.upload)
        for video in (site.running, site.finished):
            add_recording(old, video, last_status="running" if video == site.running else "done")
        add_folded(old, site)
        with CaptureQueriesContext(connection) as queries:
            migrate()
        site.queries = [query["sql"] for query in queries]
        yield site
        call_command("flush", interactive=False, verbosity=0)


def add_upload(old: Any, video: Video) -> None:
    """Store the jobs of an encode under way."""
    Video.objects.filter(pk=video.pk).update(status="processing")
    add_job(old, video, "plan", 0, [], claimed_at=BEGAN_AT)
    add_job(old, video, "video", 0, [4.0], claimed_at=BEGAN_AT, segment_count=1, attempt=2)
    add_job(
        old, video, "video", 1, [4.0, 4.0], claimed_at=BEGAN_AT, status="running", attempt=3,
        first_segment=1, segment_count=15, start_s=4.0,
    )  # fmt: skip
    add_job(old, video, "audio", 0, [4.010667, 3.989333], claimed_at=BEGAN_AT)


def add_recording(old: Any, video: Video, *, last_status: str) -> None:
    add_job(old, video, "video", 0, [])
    add_job(old, video, "video", 1, [4.0], claimed_at=BEGAN_AT)
    add_job(old, video, "video", 2, [5.0], claimed_at=BEGAN_AT, first_segment=1, start_s=4.0)
    add_job(
        old, video, "video", 3, [6.0], claimed_at=BEGAN_AT + timedelta(minutes=1), first_segment=2,
        status=last_status,
    )  # fmt: skip


def add_folded(old: Any, site: OldSite) -> None:
    """Store encodes that were folded into one row each, and one that has a job as well."""
    rows: dict[str, tuple[int, list[dict[str, Any]]]] = {
        "folded_upload": (700, [
            folded("audio", 0, [4.010667, 3.989333]),
            folded("video", 0, [4.0], segment_count=1, attempt=2, claimed_at=BEGAN_AT.isoformat()),
            folded("video", 1, [4.0], segment_count=1, first_segment=1, start_s=4.0),
        ]),
        "folded_failure": (50, []),
        "folded_recording": (0, [folded("video", 1, [4.0], claimed_at=BEGAN_AT.isoformat())]),
        "folded_with_jobs": (50, [folded("video", 0, [5.0])]),
        "folded_beside": (50, [folded("video", 0, [5.0])]),
    }  # fmt: skip
    for name, (size_bytes, jobs) in rows.items():
        video = getattr(site, name)
        old.get_model("videos", "FinishedEncode").objects.create(
            video_id=video.pk, encode_key=video.encode_key, bytes_stored=size_bytes, jobs=jobs
        )
    add_job(old, site.folded_with_jobs, "video", 0, [4.0], claimed_at=BEGAN_AT)


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


def test_playlist_of_an_upload_is_the_same_after_the_migration(site: OldSite) -> None:
    assert playlists(site.upload)[1].splitlines()[-7:] == [
        '#EXT-X-MAP:URI="720p/0-2/init.mp4"',
        "#EXTINF:4,",
        "720p/0-2/0.m4s",
        "#EXTINF:4,",
        "720p/1-3/1.m4s",
        "#EXTINF:4,",
        "720p/1-3/2.m4s",
    ]
    fields = ("kind", "position", "run__kind", "run__position", "run__attempt", "run__is_open")
    assert list(site.upload.jobs.order_by("pk").values_list(*fields)) == [
        ("plan", 0, None, None, None, None),
        ("video", 0, "video", 0, 2, False),
        ("video", 1, "video", 1, 3, True),
        ("audio", 0, "audio", 0, 1, False),
    ]


def test_running_recording_goes_on_after_the_migration(site: OldSite) -> None:
    running, finished = site.running, site.finished
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
    assert not Job.objects.filter(video__in=[running, finished]).exists()
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


def test_folded_encodes_become_runs(site: OldSite) -> None:
    assert playlists(site.folded_upload)[1].splitlines()[-6:] == [
        '#EXT-X-MAP:URI="720p/0-2/init.mp4"',
        "#EXTINF:4,",
        "720p/0-2/0.m4s",
        "#EXTINF:4,",
        "720p/1-1/1.m4s",
        "#EXT-X-ENDLIST",
    ]
    assert [kept_bytes(video.channel) for video in (site.folded_upload, site.folded_failure)] == [700, 50]
    assert recordings.stretches(site.folded_recording) == [recordings.Stretch(BEGAN_AT, 0.0, 4.0)]


def test_folded_encode_with_jobs_is_left_out_without_a_query_for_each(site: OldSite) -> None:
    assert [sql for sql in site.queries if sql.startswith('SELECT 1 AS "a" FROM "videos_job"')] == []
    encodes = (site.folded_with_jobs, site.folded_beside)
    assert [run.segments for video in encodes for run in video.runs.all()] == [[4.0], [5.0]]


@pytest.mark.django_db(transaction=True)
def test_migration_of_a_site_with_segments_cannot_be_undone() -> None:
    VideoFactory()
    runs = SegmentRun.objects.count()

    with pytest.raises(IrreversibleError):
        migrate_back()

    was_kept = IRREVERSIBLE in MigrationRecorder(connection).applied_migrations()
    migrate()
    assert was_kept
    assert SegmentRun.objects.count() == runs > 0
