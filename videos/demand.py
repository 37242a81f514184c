"""Viewers' demand for segments that are not encoded yet: it decides which are next.

A job that encodes one segment in the rendition that was asked for takes a fraction of the
time of its chunk, and workers of the first lane take it.  The chunk is divided around
it; a worker that encodes the chunk stops where its run ends now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from videos import queue
from videos.models import Job, Rendition, SegmentRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from videos.publishing import Encode

# A worker reaches segments so close ahead before another one would.
NEAR_SEGMENTS = 2
# Asked-for jobs of one encode that wait or run; more requests wait without moving anything.
MAX_WANTED = 4


def bring_forward(encode: Encode, rendition: Rendition, number: int) -> bool:
    """Let segment ``number`` of ``rendition`` be encoded next; return whether the queue changed.

    Audio is encoded from beginning to end, so that only copies of it are moved.
    """
    if not encode.shows_plan or (rendition.kind == Rendition.Kind.AUDIO and not rendition.is_copied):
        return False
    run = next((run for run in encode.runs_of(rendition) if _covers(run, number)), None)
    if run is None:
        return False
    try:
        with transaction.atomic():
            is_changed = _divide(encode, rendition, run, number)
    except IntegrityError:
        return False  # another request has divided a chunk of this encode at the same moment
    if is_changed:
        queue.wake(Job.Lane.FIRST)
    return is_changed


def _covers(run: SegmentRun, number: int) -> bool:
    is_before_end = run.segment_count is None or number < run.first_segment + run.segment_count
    return run.is_open and run.first_segment + len(run.segments) <= number and is_before_end


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a chunk: segments from ``first`` to before ``after`` (None: the end) in some rungs."""

    first: int
    after: int | None
    rungs: list[str]
    lane: Job.Lane


def _divide(encode: Encode, rendition: Rendition, seen: SegmentRun, number: int) -> bool:
    """Divide the chunk of ``seen`` around one segment.  The caller has opened the transaction."""
    busy = (Job.Status.WAITING, Job.Status.RUNNING)
    kind = Job.Kind.AUDIO if rendition.kind == Rendition.Kind.AUDIO else Job.Kind.VIDEO
    jobs = Job.objects.filter(video=encode.video, encode_key=encode.video.encode_key, kind=kind)
    # The job is locked before its run, as everywhere.
    jobs = jobs.exclude(lane=Job.Lane.AFTER)  # the video is complete without them
    job = jobs.select_for_update().filter(run=seen, status__in=busy).first()
    wanted = jobs.filter(status__in=busy, lane=Job.Lane.FIRST).exclude(wanted_at=None)
    if job is None or wanted.count() >= MAX_WANTED:
        return False
    if job.lane == Job.Lane.FIRST:
        # One segment, or a copy, which needs no more than a moment: it comes before the others.
        waiting = jobs.filter(pk=job.pk, status=Job.Status.WAITING, wanted_at=None)
        return waiting.update(wanted_at=timezone.now()) == 1
    if kind == Job.Kind.AUDIO:
        return False  # a copy that nobody waits for, of an edition
    run = SegmentRun.objects.select_for_update().get(pk=seen.pk)
    next_number = run.first_segment + len(run.segments)
    is_near = number < next_number + (NEAR_SEGMENTS if job.status == Job.Status.RUNNING else 0)
    if not _covers(run, number) or is_near:
        return False
    names = run.renditions or [rung.name for rung in encode.rungs]
    end = None if run.segment_count is None else run.first_segment + run.segment_count
    pieces = list(_pieces(names, rendition.name, number, end, len(encode.plans[run.kind].starts_s)))
    if number == run.first_segment:
        _shape(encode, job, run, pieces.pop(0))
    else:
        _shape(encode, job, run, _Piece(run.first_segment, number, names, Job.Lane.BULK), is_wanted=False)
    of_kind = Job.objects.filter(video=encode.video, encode_key=job.encode_key, kind=job.kind)
    last = of_kind.aggregate(last=Max("position"))["last"]
    for position, piece in enumerate(pieces, last + 1):
        added = Job(video=encode.video, encode_key=job.encode_key, kind=job.kind, position=position)
        added.not_before = job.not_before
        own = SegmentRun(video=encode.video, encode_key=job.encode_key, kind=run.kind, position=position)
        _shape(encode, added, own, piece)
    return True


def _pieces(names: list[str], wanted: str, number: int, end: int | None, planned: int) -> Iterator[_Piece]:
    """Yield the asked-for segment, the same one in the other rungs, and the rest of the chunk."""
    # The last chunk ends where the decoder does: so does its last segment.
    is_last = number + 1 == end or (end is None and number + 1 >= planned)
    after = end if is_last else number + 1
    yield _Piece(number, after, [wanted], Job.Lane.FIRST)
    if others := [name for name in names if name != wanted]:
        yield _Piece(number, after, others, Job.Lane.BULK)
    if not is_last:
        yield _Piece(number + 1, end, names, Job.Lane.BULK)


def _shape(encode: Encode, job: Job, run: SegmentRun, piece: _Piece, *, is_wanted: bool = True) -> None:
    """Store a job and its run with the bounds of ``piece``."""
    chunk = encode.plans[run.kind].grid.chunk(run.position, piece.first, piece.after)
    run.first_segment, run.segment_count = chunk.first_segment, chunk.segment_count
    run.renditions = piece.rungs
    job.start_s, job.length_s, job.lane = chunk.start_s, chunk.length_s, piece.lane
    if is_wanted:
        job.wanted_at = timezone.now()
    if run.pk:
        run.save(update_fields=["first_segment", "segment_count", "renditions"])
        job.save(update_fields=["start_s", "length_s", "lane", "wanted_at"])
        return
    run.save()
    job.run = run
    job.save()
