"""Chunks that are divided around a segment that a viewer asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from videos import demand, ends, progress, queue
from videos.models import Job, SegmentRun, Video
from videos.publishing import Encode, SegmentPublisher
from videos.tests.plans import planned_video
from videos.transcoding.run import FinishedSegment

pytestmark = pytest.mark.django_db

Row = tuple[int, int | None, list[str], str, bool]


def ask(video: Video, name: str, number: int) -> bool:
    encode = Encode.of(Video.objects.get(pk=video.pk))
    rendition = encode.rendition(name)
    assert rendition
    return demand.bring_forward(encode, rendition, number)


def chunks(video: Video) -> list[Row]:
    """Return first segment, number of segments, rungs, lane and demand of each waiting or running chunk."""
    jobs = video.jobs.filter(kind="video").exclude(status="done").select_related("run")
    rows = [
        (
            job.run.first_segment,
            job.run.segment_count,
            job.run.renditions,
            job.get_lane_display(),
            bool(job.wanted_at),
        )
        for job in jobs
        if job.run
    ]
    return sorted(rows, key=lambda row: (row[0], len(row[2])))


FIRST: Row = (0, 1, ["720p"], "priority", False)
BOTH = ["720p", "360p"]


def test_waiting_chunk_is_divided_around_the_asked_for_segment() -> None:
    video = planned_video()

    assert ask(video, "360p", 7)

    assert chunks(video) == [
        FIRST,
        (1, 6, BOTH, "standard", False),
        (7, 1, ["360p"], "priority", True),
        (7, 1, ["720p"], "standard", True),
        (8, None, BOTH, "standard", True),
    ]
    lengths = {(job.start_s, job.length_s) for job in video.jobs.filter(kind="video", position__gte=2)}
    assert lengths == {(4.0, 24.0), (28.0, 4.0), (32.0, 15.0)}


def test_first_segment_of_a_waiting_chunk_is_divided_from_the_rest() -> None:
    video = planned_video()

    assert ask(video, "720p", 1)

    assert chunks(video) == [
        FIRST,
        (1, 1, ["720p"], "priority", True),
        (1, 1, ["360p"], "standard", True),
        (2, None, BOTH, "standard", True),
    ]


def test_last_segment_runs_until_the_decoder_ends() -> None:
    video = planned_video()

    assert ask(video, "360p", 11)

    assert chunks(video)[2:] == [
        (11, None, ["360p"], "priority", True),
        (11, None, ["720p"], "standard", True),
    ]


def test_asked_for_segment_is_claimed_first_and_the_rest_after_it_next() -> None:
    video = planned_video()
    ask(video, "360p", 7)

    claimed = [queue.claim(list(Job.Lane)) for _ in range(5)]

    firsts = [(job.run.first_segment, job.run.renditions) for job in claimed if job and job.run]
    assert firsts[:2] == [(7, ["360p"]), (0, ["720p"])]
    assert firsts[-1] == (1, BOTH)


def test_running_chunk_keeps_segments_that_it_reaches_soon() -> None:
    video = planned_video()
    Job.objects.filter(kind="video", position=2).update(status=Job.Status.RUNNING, attempt=1)
    SegmentRun.objects.filter(kind="video", position=2).update(segments=[4.0, 4.0], attempt=1)

    assert not ask(video, "360p", 4)
    assert ask(video, "360p", 5)

    assert chunks(video)[1] == (1, 4, BOTH, "standard", False)


@pytest.mark.storage
@pytest.mark.redis
def test_worker_of_a_divided_chunk_stops_where_it_ends_now(bucket: str, tmp_path: Path) -> None:
    video = planned_video()
    Job.objects.exclude(kind="video", position=2).update(status=Job.Status.DONE)
    job = queue.claim([Job.Lane.BULK])
    assert job
    assert job.run
    rungs = list(video.renditions.filter(kind="video"))
    publisher = SegmentPublisher(job, job.run, rungs, on_listed=lambda: None)
    (tmp_path / "init.mp4").write_bytes(b"init")

    cut = []
    for number in range(1, 6):
        if number == 2:
            ask(video, "360p", 5)
        for output in range(2):
            path = tmp_path / f"{output}-{number}.m4s"
            path.write_bytes(b"segment")
            publisher.add(FinishedSegment(output, number, path, 4.0), tmp_path / "init.mp4")
        cut.append(publisher.is_cut)

    assert cut == [False, False, False, True, True]
    assert SegmentRun.objects.get(pk=job.run.pk).segments == [4.0] * 4
    ends.finish(job)
    encode = Encode.of(video)
    assert encode.gap is None
    assert sorted(encode.stored_by_number(rungs[1])) == [0, 1, 2, 3, 4]


def test_encode_has_a_bound_of_asked_for_jobs() -> None:
    video = planned_video()

    moved = [ask(video, "360p", number) for number in (10, 8, 6, 4, 2)]

    assert moved == [True] * demand.MAX_WANTED + [False]


def test_asked_for_job_of_the_first_lane_comes_before_the_others() -> None:
    video = planned_video()
    Job.objects.filter(kind="video", position=2).update(lane=Job.Lane.FIRST)

    assert ask(video, "360p", 7)

    assert [row[:3] for row in chunks(video)] == [(0, 1, ["720p"]), (1, None, BOTH)]
    claimed = queue.claim([Job.Lane.FIRST])
    assert claimed
    assert claimed.position == 2


@pytest.mark.parametrize(("name", "number"), [("360p", 0), ("audio-0", 5), ("360p", 99)])
def test_segments_that_cannot_be_moved_move_nothing(name: str, number: int) -> None:
    video = planned_video()
    if number == 99:
        SegmentRun.objects.filter(kind="video", position=2).update(segment_count=11)
    before = chunks(video)

    assert not ask(video, name, number)
    assert chunks(video) == before


def test_divided_chunk_leaves_the_progress_as_it_was() -> None:
    video = planned_video()
    before = progress.percent(video)

    for number in (3, 5, 8):
        ask(video, "720p", number)

    assert progress.percent(video) == before > 0
