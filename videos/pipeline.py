"""What a worker does: probe, plan, encode, publish.

Read from top to bottom, this is the path of a video.  Every step is safe to
repeat: an attempt writes under its own name and finishes only while it holds
its lease, so a worker may die, or come back from the dead, at any line.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from videoplatform import storage
from videos import progress, queue
from videos.models import Job, Rendition, Video
from videos.publishing import Encode, LeaseLost, SegmentPublisher, write_playlists
from videos.transcoding.chunks import ChunkPlan, plan_chunks
from videos.transcoding.codecs import codec_string
from videos.transcoding.errors import EncodeFailed, StorageFailed, TranscodeError
from videos.transcoding.ffmpeg import (
    audio_args,
    audio_bitrate_bps,
    encode_args,
    output_directories,
    poster_args,
)
from videos.transcoding.ladder import Rung, plan_ladder, rung_size
from videos.transcoding.limits import Limits
from videos.transcoding.probe import probe
from videos.transcoding.run import INIT_SEGMENT, run_encode, run_poster
from videos.transcoding.sniff import HEAD_BYTES
from videos.transcoding.source import SourceInfo

logger = logging.getLogger(__name__)

RETRY_PAUSE_S = 5  # doubles with every attempt
RENEWALS_PER_LEASE = 4
# Whole-film and bulk work steps back for work that someone is waiting for.
NICENESS = {Job.Kind.AUDIO: 10, Job.Kind.POSTER: 15}
BULK_NICENESS = 19


def work(lane: Job.Lane) -> bool:
    """Do one job that a worker of ``lane`` may do; false where nothing waited.

    Bulk workers help in the first lane before anything else; first-lane workers
    never start bulk work, so that the next upload finds one of them free.
    """
    lanes = [Job.Lane.FIRST] if lane == Job.Lane.FIRST else [Job.Lane.FIRST, Job.Lane.BULK]
    job = queue.claim(lanes)
    if job is None:
        return False
    run(job)
    queue.wake(lane)
    return True


def run(job: Job) -> None:
    """Carry out a claimed job, and leave its row saying what became of it."""
    log = {"video": job.video.public_id, "job": f"{job.kind} {job.position}", "attempt": job.attempt}
    try:
        STEPS[Job.Kind(job.kind)](job)
    except LeaseLost:
        logger.warning("Job lost its lease", extra=log)
    except TranscodeError as error:
        logger.warning("Job failed", extra=log | {"code": error.code, "reason": str(error)})
        fail(job, error)
    except storage.StorageError as error:
        logger.warning("Job could not reach storage", extra=log | {"reason": type(error).__name__})
        fail(job, StorageFailed(str(error)))
    else:
        logger.info("Job done", extra=log)


# --- Probe and plan -------------------------------------------------------------


def plan(job: Job) -> None:
    """Look at an uploaded source and lay out the work that makes it playable."""
    video = job.video
    with lease_kept(job):
        source = look_at(video)
    ladder = plan_ladder(source, max_short_side=settings.MAX_SHORT_SIDE_PX) if source.video else ()
    chunks = plan_chunks(source) if source.video else ()
    lay_out(job, source, ladder, chunks)
    progress.announce(video)


def look_at(video: Video) -> SourceInfo:
    """Probe the source where it lies, or raise why it cannot become a video."""
    return probe(
        storage.internal_url(video.source_key),
        head=storage.read_range(video.source_key, 0, HEAD_BYTES),
        size_bytes=video.source_size_bytes,
        filename=video.source_filename,
        limits=Limits(duration_s=settings.MAX_DURATION_S, size_bytes=settings.MAX_UPLOAD_BYTES),
        read_range=lambda start, length: storage.read_range(video.source_key, start, length),
    )


@transaction.atomic
def lay_out(job: Job, source: SourceInfo, ladder: Sequence[Rung], chunks: Sequence[ChunkPlan]) -> None:
    """Write down what the encode consists of: its renditions, and a waiting job for each unit of work."""
    _finish_row(job)
    video = job.video
    shown = {"duration_s": source.duration_s, "source_json": source.to_json()}
    if source.video:
        shown |= {"width_px": source.video.width_px, "height_px": source.video.height_px}
    if not Video.objects.filter(pk=video.pk, encode_key=job.encode_key).update(**shown):
        raise LeaseLost
    Rendition.objects.bulk_create([*_rungs(video, source, ladder), *_tracks(video, source)])
    planned = [*_chunk_jobs(video, chunks), *_audio_jobs(video, source)]
    if source.video or source.cover_index is not None:
        planned.append(_job(video, Job.Kind.POSTER, lane=Job.Lane.FIRST))
    Job.objects.bulk_create(planned)
    for lane in Job.Lane:
        count = sum(planned_job.lane == lane for planned_job in planned)
        transaction.on_commit(lambda lane=lane, count=count: queue.wake(lane, count))  # type: ignore[misc]


def _rungs(video: Video, source: SourceInfo, ladder: Sequence[Rung]) -> Iterator[Rendition]:
    frame_rate = round(float(source.video.frame_rate), 3) if source.video else 0
    for position, rung in enumerate(ladder):
        width_px, height_px = rung_size(source, rung)
        yield Rendition(
            video=video,
            encode_key=video.encode_key,
            kind=Rendition.Kind.VIDEO,
            position=position,
            name=f"{rung.short_side}p",
            width_px=width_px,
            height_px=height_px,
            frame_rate=frame_rate,
            bitrate_bps=rung.bitrate_bps,
        )


def _tracks(video: Video, source: SourceInfo) -> Iterator[Rendition]:
    for position, track in enumerate(source.audio):
        yield Rendition(
            video=video,
            encode_key=video.encode_key,
            kind=Rendition.Kind.AUDIO,
            position=position,
            name=f"audio-{position}",
            bitrate_bps=audio_bitrate_bps(track),
            channels=min(track.channels, 2),
            language=track.language[:16],
            label=_track_label(source, position),
            is_default=track.is_default,
        )


def _track_label(source: SourceInfo, position: int) -> str:
    """What a player's menu calls a track; unique within the video, as HLS demands."""
    track = source.audio[position]
    label = (track.title or track.language or f"Audio {position + 1}")[:90]
    others = [other.title or other.language for other in source.audio[:position]]
    return f"{label} ({position + 1})" if label in others else label


def _job(video: Video, kind: Job.Kind, **fields: object) -> Job:
    return Job(video=video, encode_key=video.encode_key, kind=kind, **fields)


def _chunk_jobs(video: Video, chunks: Sequence[ChunkPlan]) -> Iterator[Job]:
    for chunk in chunks:
        yield _job(
            video,
            Job.Kind.VIDEO,
            position=chunk.position,
            lane=Job.Lane.FIRST if chunk.position == 0 else Job.Lane.BULK,
            first_segment=chunk.first_segment,
            segment_count=chunk.segment_count,
            start_s=chunk.start_s,
            length_s=chunk.length_s,
        )


def _audio_jobs(video: Video, source: SourceInfo) -> Iterator[Job]:
    for position, _ in enumerate(source.audio):
        yield _job(video, Job.Kind.AUDIO, position=position, lane=Job.Lane.FIRST, length_s=source.duration_s)


# --- Encode and publish -----------------------------------------------------------


def encode_chunk(job: Job) -> None:
    """Encode a stretch of the picture in every rung at once, publishing each segment as it is finished."""
    source = _source(job)
    rungs = list(job.video.renditions.filter(encode_key=job.encode_key, kind=Rendition.Kind.VIDEO))
    chunk = ChunkPlan(
        position=job.position,
        first_segment=job.first_segment,
        segment_count=job.segment_count,
        start_s=job.start_s,
        length_s=job.length_s,
    )
    ladder = [Rung(int(rung.name.removesuffix("p")), rung.bitrate_bps) for rung in rungs]
    with workspace() as folder:
        argv = encode_args(source, _source_url(job), ladder, chunk, folder, preset=settings.ENCODE_PRESET)
        # A header may promise more picture than there is: later chunks may be empty.
        _encode(job, argv, folder, rungs, allow_empty=job.position > 0)
    finish(job)


def encode_audio(job: Job) -> None:
    """Encode one sound track from beginning to end, so that no seam can click."""
    source = _source(job)
    track = job.video.renditions.get(
        encode_key=job.encode_key, kind=Rendition.Kind.AUDIO, position=job.position
    )
    with workspace() as folder:
        argv = audio_args(source, _source_url(job), source.audio[job.position], folder)
        _encode(job, argv, folder, [track])
    finish(job)


def make_poster(job: Job) -> None:
    """Store one telling picture of the video, if there is any."""
    key = f"{job.video.encode_prefix}poster-{job.attempt}.jpg"
    with workspace() as folder:
        path = folder / "poster.jpg"
        argv = poster_args(_source(job), _source_url(job), path)
        with lease_kept(job):
            found = run_poster(_nicely(job, argv), path) if argv else None
        if found:
            job.bytes_stored = storage.put_file(key, path)
            Video.objects.filter(pk=job.video_id, encode_key=job.encode_key).update(poster_key=key)
    finish(job)


STEPS: dict[Job.Kind, Callable[[Job], None]] = {
    Job.Kind.PLAN: plan,
    Job.Kind.VIDEO: encode_chunk,
    Job.Kind.AUDIO: encode_audio,
    Job.Kind.POSTER: make_poster,
}


def _encode(
    job: Job, argv: list[str], folder: Path, renditions: Sequence[Rendition], *, allow_empty: bool = False
) -> None:
    """Run FFmpeg and publish what it finishes, while the lease is ours."""
    publisher = SegmentPublisher(job, renditions, on_listed=lambda: note_playable(job.video_id))
    encode = run_encode(
        _nicely(job, argv),
        folder,
        outputs=output_directories(folder, len(renditions)),
        on_progress=LeaseKeeper(job),
        allow_empty=allow_empty,
    )
    with closing(encode):
        for segment in encode:
            init_path = segment.path.with_name(INIT_SEGMENT)
            if segment.number == job.first_segment:
                _check_codecs(renditions[segment.output_index], init_path)
            publisher.add(segment, init_path)


class LeaseKeeper:
    """Called by the running encode about twice a second: renews the lease, passes the progress on."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.renewed_at = monotonic()

    def __call__(self, encoded_s: float) -> None:
        if monotonic() - self.renewed_at > settings.ENCODE_LEASE_S / RENEWALS_PER_LEASE:
            if not self.job.renew_lease():
                raise LeaseLost
            self.renewed_at = monotonic()
        progress.note(self.job, encoded_s)


@contextmanager
def lease_kept(job: Job) -> Iterator[None]:
    """Renew the lease from beside, for work that reports no progress and has a time limit of its own.

    Losing the lease meanwhile is found out when the work is written down.
    """
    is_over = threading.Event()

    def renew() -> None:
        try:
            while not is_over.wait(settings.ENCODE_LEASE_S / RENEWALS_PER_LEASE):
                if not job.renew_lease():
                    return
        finally:
            connection.close()  # this thread's own

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        is_over.set()
        renewing.join()


def _check_codecs(rendition: Rendition, init_path: Path) -> None:
    """The first segment tells what a rendition's playlist must announce; all others must agree.

    A player keeps one init segment for all chunks, so a worker whose FFmpeg
    encodes differently must not mix its chunks in.
    """
    codecs = codec_string(init_path.read_bytes())
    if not rendition.codecs:
        Rendition.objects.filter(pk=rendition.pk, codecs="").update(codecs=codecs)
        rendition.refresh_from_db(fields=["codecs"])
    if rendition.codecs != codecs:
        raise EncodeFailed(f"{rendition.name} is {codecs} here and {rendition.codecs} elsewhere")


def _source(job: Job) -> SourceInfo:
    source = job.video.source
    if source is None:
        raise LeaseLost  # planned anew since we claimed
    return source


def _source_url(job: Job) -> str:
    return storage.internal_url(job.video.source_key)


def _nicely(job: Job, argv: list[str]) -> list[str]:
    """Let work that nobody waits for step back from work that someone does."""
    niceness = BULK_NICENESS if job.lane == Job.Lane.BULK else NICENESS.get(Job.Kind(job.kind), 0)
    return ["nice", "-n", str(niceness), *argv] if niceness else argv


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder that is gone afterwards; one that a killed worker left is swept by age."""
    root = settings.DATA_DIR / "work"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


# --- Ends -----------------------------------------------------------------------


def note_playable(video_id: int) -> None:
    """Open a video to viewers as soon as every rendition has a beginning."""
    video = Video.objects.get(pk=video_id)
    if not video.is_playable and Encode.of(video).is_playable:
        opened = Video.objects.filter(
            pk=video_id, is_playable=False, status=Video.Status.PROCESSING, encode_key=video.encode_key
        )
        first_published = Coalesce(F("published_at"), Now())
        if opened.update(is_playable=True, published_at=first_published):
            logger.info("Video playable", extra={"video": video.public_id})
    progress.announce(video)


def finish(job: Job) -> None:
    """Mark the job done, if this attempt still holds its lease, and complete the video if it was the last."""
    _finish_row(job)
    note_playable(job.video_id)
    complete(job.video_id)


def _finish_row(job: Job) -> None:
    done = {"status": Job.Status.DONE, "finished_at": timezone.now(), "lease_until": None, "error_code": ""}
    if not Job.objects.held(job).update(**done, segments=job.segments, bytes_stored=job.bytes_stored):
        raise LeaseLost
    job.status = Job.Status.DONE


def complete(video_id: int) -> bool:
    """Make a video ready once nothing of its encode is left to do; false while there is."""
    video = Video.objects.select_related("channel__owner").get(pk=video_id)
    encode = Encode.of(video)
    unfinished = video.jobs.filter(encode_key=video.encode_key).exclude(status=Job.Status.DONE)
    if video.status != Video.Status.PROCESSING or not encode.is_complete or unfinished.exists():
        return False
    write_playlists(encode)
    if video.transition(Video.Status.READY, is_playable=True, duration_s=round(encode.duration_s, 3)):
        Video.objects.filter(pk=video_id, published_at=None).update(published_at=timezone.now())
        logger.info("Video ready", extra={"video": video.public_id, "renditions": len(encode.renditions)})
        progress.tell_owner(video)
    progress.announce(video)
    return True


def fail(job: Job, error: TranscodeError) -> None:
    """Put the job back for another attempt, or give up: on the job where the video can do without it."""
    why = {"error_code": error.code, "error_detail": str(error)[:2000], "lease_until": None}
    if error.retryable and job.attempt < queue.MAX_ATTEMPTS:
        pause = timedelta(seconds=RETRY_PAUSE_S * 2**job.attempt)
        Job.objects.held(job).update(status=Job.Status.WAITING, not_before=timezone.now() + pause, **why)
        return
    if is_dispensable(job):
        done = {"status": Job.Status.DONE, "finished_at": timezone.now()}
        if Job.objects.held(job).update(**why | done):
            note_playable(job.video_id)
            complete(job.video_id)
        return
    if Job.objects.held(job).update(status=Job.Status.FAILED, finished_at=timezone.now(), **why):
        fail_video(job.video, error)


def is_dispensable(job: Job) -> bool:
    """A video goes without a poster, and one with a picture goes without a broken sound track."""
    if job.kind == Job.Kind.POSTER:
        return True
    return job.kind == Job.Kind.AUDIO and job.video.has_picture


def fail_video(video: Video, error: TranscodeError) -> None:
    """End the encode: the video says why, and whoever still works on it loses the lease."""
    unfinished = Job.objects.filter(video=video, encode_key=video.encode_key).exclude(status=Job.Status.DONE)
    unfinished.update(status=Job.Status.FAILED, lease_until=None)
    # A sentence of this very failure (which limit, for example) says more than its code's.
    detail = error.detail if error.detail != error.sentence else ""
    failed = {"failure_code": error.code, "failure_detail": detail[:300], "is_playable": False}
    if video.transition(Video.Status.FAILED, **failed):
        progress.tell_owner(video)
    logger.info("Video failed", extra={"video": video.public_id, "code": error.code})
    progress.announce(video)


# --- The sweeper ------------------------------------------------------------------

WAKE_AT_MOST = 20


def sweep() -> None:
    """Pick up whatever a dead process held, and wake workers for whatever waits."""
    exhausted = Job.objects.claimable().filter(status=Job.Status.RUNNING, attempt__gte=queue.MAX_ATTEMPTS)
    for job in exhausted.select_related("video__channel__owner")[:WAKE_AT_MOST]:
        if queue.take(job, queue.this_worker()):
            fail(job, EncodeFailed("given up after too many attempts"))
    for lane in Job.Lane:
        queue.wake(lane, Job.objects.claimable().filter(lane=lane)[:WAKE_AT_MOST].count())
    left = Job.objects.exclude(status=Job.Status.DONE).values("video_id")
    stuck = Video.objects.filter(status=Video.Status.PROCESSING).exclude(pk__in=left).order_by("pk")
    for video_id in stuck.values_list("pk", flat=True)[:WAKE_AT_MOST]:
        try:
            complete(video_id)
        except storage.StorageError:
            logger.warning("Video cannot be completed yet: storage does not answer", extra={"pk": video_id})
