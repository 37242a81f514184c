"""The outcomes of jobs: done, retried, put off or failed.

Only errors of the media count as failures.  An error of storage, of the database or
of the worker's machine puts the job off, longer each time and without a limit; the
page shows the reason.  A claim that ends without a proven reason (a killed worker, an
FFmpeg that blames a storage that answers) counts as a loss.  Losses have their own
limit, so media that kills its workers fails as well.

Rows that state one fact change in one transaction.  :mod:`videos.sweeping` completes
work left half done between two transactions.
"""

from __future__ import annotations

import errno
import logging
from time import monotonic, sleep

from django.db import DatabaseError, DataError, IntegrityError, connection, transaction

from common import disk, storage
from videos import arrivals, editions, embedded_captions, loudness, progress, queue, storyboards
from videos.models import Job, SegmentRun, Video
from videos.models.leased_work import MAX_DETAIL_CHARS
from videos.moved_times import MovedCaptions
from videos.publishing import Encode, LeaseLost, measure, retire_interim, write_playlists
from videos.transcoding.errors import (
    DecodeFailed,
    EncodeFailed,
    HostTrouble,
    SourceGone,
    StorageFailed,
    TranscodeError,
)

logger = logging.getLogger(__name__)

RETRY_PAUSE_S = 5  # doubles with every failure
FIRST_WAIT_S = 2.0  # doubles with every wait
LONGEST_WAIT_S = 60.0
# A worker keeps trying for this long to put a job off while the database does not answer.
PUT_OFF_WITHIN_S = 600.0
PUT_OFF_PAUSE_S = 2.0
# Errors of the machine itself; any other OSError may be caused by the media.
HOST_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO}
)

# The database answers and refuses the values: a fault of ours, which no wait mends.
REFUSED_VALUES = (DataError, IntegrityError)

ERRORS = (TranscodeError, *storage.StorageError, OSError, DatabaseError)
"""Errors that a step may raise beside LeaseLost."""


def record_playable(video_id: int) -> None:
    """Mark a video playable, and date it, once every rendition has its first segment."""
    video = Video.objects.filter(pk=video_id).first()
    if video is None:
        return  # deleted, or an edition that has taken over
    if not video.is_playable and Encode.of(video).is_playable:
        opened = Video.objects.filter(
            pk=video_id, is_playable=False, status=Video.Status.PROCESSING, encode_key=video.encode_key
        )
        with transaction.atomic():
            if opened.update(is_playable=True):
                Video.objects.filter(pk=video_id).record_published()
                logger.info("Video playable", extra={"video": video.public_id})
    progress.publish(video)
    arrivals.publish(video.encode_key)


def finish(job: Job) -> None:
    """Mark the job done, and complete the video if it was the last one.  Raises LeaseLost."""
    finish_row(job)
    record_playable(job.video_id)
    complete(job.video_id)


@transaction.atomic
def finish_row(job: Job) -> None:
    """Mark the job done and close its run.  Raises LeaseLost."""
    if not Job.objects.end(job, Job.Status.DONE, error_code="", waits=0):
        raise LeaseLost
    SegmentRun.objects.filter(job=job).update(is_open=False)
    job.status = Job.Status.DONE


def complete(video_id: int) -> bool:
    """Make a video ready once no run is open and all jobs are done; return whether this call did.

    If its runs change meanwhile, it stays in processing, and a later call completes it.
    """
    video = Video.objects.select_related("channel__owner", "edition_of").filter(pk=video_id).first()
    if video is None or video.status != Video.Status.PROCESSING:
        return False
    encode = Encode.of(video)
    if gap := encode.gap:
        _redo(gap)
        return False
    jobs = Job.objects.needed().filter(video=video, encode_key=video.encode_key)
    unfinished = jobs.exclude(status=Job.Status.DONE)
    if not encode.is_complete or unfinished.exists():
        return False
    retire_interim(encode)
    measure(encode)
    is_track = video.edition_kind == Video.EditionKind.AUDIO
    if not is_track:
        write_playlists(encode)
    prepared = editions.prepare(encode)
    if not _make_ready(encode, prepared):
        prepared.drop()
        _store_again(video_id)
        return False
    if is_track and video.edition_of_id:
        write_playlists(Encode.of(Video.objects.get(pk=video.edition_of_id)))
    progress.publish(video)
    return True


@transaction.atomic
def _make_ready(encode: Encode, prepared: MovedCaptions) -> bool:
    """Make the video ready with the runs that were read; return False if they or the video changed."""
    video = encode.video
    locked = Video.objects.select_for_update().filter(pk=video.pk)
    # A broadcast may have gone on, and even ended again, since the encode was read.
    runs = SegmentRun.objects.of(video).values_list("pk", "is_open", "segments")
    if not locked.exists() or list(runs) != [(run.pk, run.is_open, run.segments) for run in encode.runs]:
        return False
    if video.edition_of_id:
        return editions.take_over(encode, prepared)
    if not video.transition(Video.Status.READY, is_playable=True, duration_s=round(encode.duration_s, 3)):
        return False
    Video.objects.filter(pk=video.pk).record_published()
    storyboards.queue_for(encode)
    loudness.queue_for(encode)
    embedded_captions.queue_for(video)
    logger.info("Video ready", extra={"video": video.public_id, "renditions": len(encode.renditions)})
    progress.notify_owner(video, is_ready=True)
    return True


def _store_again(video_id: int) -> None:
    """Measure a video that a faster call has made ready, and store its playlists, which ours replaced."""
    ready = Video.objects.filter(pk=video_id, status=Video.Status.READY).first()
    if ready is not None:
        encode = Encode.of(ready)
        measure(encode)
        write_playlists(encode)


@transaction.atomic
def _redo(run: SegmentRun) -> None:
    """Encode a chunk again that lacks frames although a later chunk has some."""
    error = EncodeFailed(f"chunk {run.position} holds {len(run.segments)} of {run.segment_count} segments")
    seen = Job.objects.filter(run=run, status=Job.Status.DONE, attempt=run.attempt)
    if seen.update(status=Job.Status.RUNNING, lease_until=None):
        SegmentRun.objects.filter(pk=run.pk).update(is_open=True)
        fail(Job.objects.select_related("video__channel__owner").get(run=run), error)


def stop_outdated(job: Job) -> bool:
    """End a job whose encode was replaced or has failed; return whether it was one.

    A request that divided a chunk at that moment may have left it behind.
    """
    is_outdated = job.encode_key != job.video.encode_key or job.video.status == Video.Status.FAILED
    if is_outdated:
        Job.objects.end(job, Job.Status.FAILED)
    return is_outdated


def settle(job: Job, error: Exception) -> None:
    """Record the outcome of a job after its step raised one of ``ERRORS``."""
    try:
        _settle(job, error)
    except DatabaseError:
        logger.warning("Job result kept in memory until the database answers", extra={"job": job.pk})
        _put_off_later(job)


def _settle(job: Job, error: Exception) -> None:
    if isinstance(error, REFUSED_VALUES):
        logger.error("Job refused by the database", extra={"job": job.pk}, exc_info=error)
        put_off(job, Job.WaitsFor.HOST, error, is_proven=False)
    elif isinstance(error, DatabaseError):
        raise error
    elif isinstance(error, StorageFailed):
        _after_unread_source(job, error)
    elif storage.is_missing(error):
        fail(job, SourceGone(str(error)))
    elif isinstance(error, storage.StorageError):
        put_off(job, Job.WaitsFor.STORAGE, error)
    elif isinstance(error, HostTrouble | OSError) and job.kind == Job.Kind.MP4:
        # The file itself may need more room than the machine ever has.
        put_off(job, Job.WaitsFor.HOST, error, is_proven=False)
    elif isinstance(error, HostTrouble):
        put_off(job, Job.WaitsFor.HOST, error, is_proven=not disk.has_room())
    elif isinstance(error, OSError):
        put_off(job, Job.WaitsFor.HOST, error, is_proven=error.errno in HOST_ERRNOS)
    elif isinstance(error, TranscodeError):
        fail(job, error)
    else:
        raise TypeError(f"a step may not raise {type(error).__name__}") from error


def _after_unread_source(job: Job, error: StorageFailed) -> None:
    """Read the source to find out why FFmpeg could not, and settle the job."""
    try:
        storage.read_range(job.video.source_key, 0, 1)
    except storage.StorageError as refused:
        if storage.is_missing(refused):
            fail(job, SourceGone(str(error)))
        else:
            put_off(job, Job.WaitsFor.STORAGE, error)
    else:
        put_off(job, Job.WaitsFor.STORAGE, error, is_proven=False)


def put_off(job: Job, reason: Job.WaitsFor, error: Exception, *, is_proven: bool = True) -> None:
    """Let the job wait for ``reason`` without counting a failure.

    An error that is not proven to be the platform's counts as a loss.  The job fails
    after ``queue.MAX_LOSSES`` losses.
    """
    losses = job.losses + (not is_proven)
    if losses >= queue.MAX_LOSSES:
        fail(job, GaveUp(f"{losses} attempts ended without a result: {error}"))
        return
    code = getattr(error, "code", "")
    waits = {"first_s": FIRST_WAIT_S, "longest_s": LONGEST_WAIT_S}
    Job.objects.put_off(job, reason, error, **waits, losses=losses, error_code=code)
    progress.publish(job.video)


class GaveUp(EncodeFailed):
    """Too many attempts of the job ended without a result."""

    retryable = False


def _put_off_later(job: Job) -> None:
    """Put the job off once the database answers again; after ``PUT_OFF_WITHIN_S`` let its lease run out."""
    deadline = monotonic() + PUT_OFF_WITHIN_S
    while monotonic() < deadline:
        sleep(PUT_OFF_PAUSE_S)
        connection.close()
        try:
            put_off(job, Job.WaitsFor.DATABASE, DatabaseError("the database did not answer"))
        except DatabaseError:
            continue
        return


def fail(job: Job, error: TranscodeError) -> None:
    """Queue the job for another attempt or give up; a dispensable job does not fail its video."""
    failures = job.failures + 1
    why = {"error_code": error.code, "error_detail": str(error)[:MAX_DETAIL_CHARS], "failures": failures}
    if error.retryable and failures < queue.MAX_FAILURES:
        Job.objects.queue_again(job, pause_s=RETRY_PAUSE_S * 2**failures, waits_for="", **why)
        return
    if is_dispensable(job, error):
        with transaction.atomic():
            is_over = Job.objects.end(job, Job.Status.DONE, **why)
            if is_over:
                # No segments: a track that ends in the middle is worse than none.
                SegmentRun.objects.filter(job=job).update(is_open=False, segments=[])
        if is_over:
            record_playable(job.video_id)
            complete(job.video_id)
        return
    with transaction.atomic():
        if Job.objects.end(job, Job.Status.FAILED, **why):
            fail_video(job.video, error)


def is_dispensable(job: Job, error: TranscodeError) -> bool:
    """Return whether the video is complete without this job.

    A poster, an MP4 for downloads and the jobs of the last lane are dispensable.  So is an
    audio track that cannot be decoded, if there is a video track.  An audio track that can
    be decoded but not encoded is required.
    """
    if job.kind in (Job.Kind.POSTER, Job.Kind.MP4) or job.lane == Job.Lane.AFTER:
        return True
    return job.kind == Job.Kind.AUDIO and job.video.has_picture and isinstance(error, DecodeFailed)


@transaction.atomic
def fail_video(video: Video, error: TranscodeError) -> None:
    """End the encode: record the error on the video, and let running workers lose their leases."""
    unfinished = Job.objects.filter(video=video, encode_key=video.encode_key).exclude(status=Job.Status.DONE)
    unfinished.update(status=Job.Status.FAILED, lease_until=None, waits_for="")
    failed = {"failure_code": error.code, "failure_parameters": error.parameters, "is_playable": False}
    if video.transition(Video.Status.FAILED, **failed):
        progress.notify_owner(video, is_ready=False)
    logger.info("Video failed", extra={"video": video.public_id, "code": error.code})
    transaction.on_commit(lambda: progress.publish(video))
    transaction.on_commit(lambda: arrivals.publish(video.encode_key))
