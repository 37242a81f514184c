"""Move the segments of jobs, of recordings and of folded encodes to segment runs.

The jobs of recordings disappear.  One that is open becomes an open run, so a broadcast
that goes on during the upgrade is recorded further.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.exceptions import IrreversibleError
from django.db.models import Exists, OuterRef, Subquery

AT_ONCE = 1000


def move_segments(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    runs: Any = apps.get_model("videos", "SegmentRun")
    jobs: Any = apps.get_model("videos", "Job").objects.filter(kind__in=["video", "audio"]).order_by("pk")
    finished: Any = apps.get_model("videos", "FinishedEncode").objects.order_by("pk")

    _create(runs, _runs_of_jobs(runs, jobs))
    _create(runs, _runs_of_folded(runs, finished, jobs))
    jobs.filter(video__source_key="").delete()
    same = runs.objects.filter(
        video=OuterRef("video"),
        encode_key=OuterRef("encode_key"),
        kind=OuterRef("kind"),
        position=OuterRef("position"),
    )
    jobs.update(run=Subquery(same.values("pk")[:1]))


def _create(runs: Any, rows: Iterator[Any]) -> None:
    while batch := list(islice(rows, AT_ONCE)):
        runs.objects.bulk_create(batch)


def _runs_of_jobs(runs: Any, jobs: Any) -> Iterator[Any]:
    for job in jobs.select_related("video").iterator(AT_ONCE):
        yield _run(
            runs,
            job.video,
            job.encode_key,
            {name: getattr(job, name) for name in _COPIED},
            began_at=job.claimed_at,
            start_s=job.start_s,
            is_open=job.status != "done",
            bytes_stored=job.bytes_stored,
        )


def _runs_of_folded(runs: Any, finished: Any, jobs: Any) -> Iterator[Any]:
    """Yield the runs of folded encodes; the first of each encode holds the bytes of all.

    A failed encode lists nothing, but its objects count until they are deleted.
    """
    has_jobs = Exists(jobs.filter(video=OuterRef("video"), encode_key=OuterRef("encode_key")))
    for encode in finished.exclude(has_jobs).select_related("video").iterator(AT_ONCE):
        left = encode.bytes_stored
        for fields in encode.jobs or [_NOTHING]:
            moment = fields["claimed_at"]
            yield _run(
                runs,
                encode.video,
                encode.encode_key,
                {name: fields[name] for name in _COPIED},
                began_at=datetime.fromisoformat(moment) if moment else None,
                start_s=fields["start_s"],
                is_open=False,
                bytes_stored=left,
            )
            left = 0


_COPIED = ("kind", "position", "attempt", "first_segment", "segment_count", "segments")
_NOTHING = {
    "kind": "video",
    "position": 0,
    "attempt": 0,
    "first_segment": 0,
    "segment_count": None,
    "segments": [],
    "start_s": 0,
    "claimed_at": None,
}


def _run(
    runs: Any,
    video: Any,
    encode_key: str,
    copied: dict[str, Any],
    *,
    began_at: datetime | None,
    start_s: float,
    is_open: bool,
    bytes_stored: int,
) -> Any:
    is_recording = not video.source_key
    return runs(
        video=video,
        encode_key=encode_key,
        **copied,
        # Only a recording's jobs had the time of the first frame there, and several timelines.
        began_at=began_at if is_recording else None,
        is_discontinuous=is_recording and start_s == 0,
        is_open=is_open,
        bytes_stored=bytes_stored,
    )


def refuse(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Undo the migration of an empty site only: jobs cannot hold all that runs know."""
    runs: Any = apps.get_model("videos", "SegmentRun")
    if runs.objects.exists():
        raise IrreversibleError("Segments cannot move back to jobs: restore a backup.")


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0016_segment_runs"),
    ]

    operations = [
        migrations.RunPython(move_segments, refuse),
    ]
