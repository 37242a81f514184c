"""The steps of a worker: probe, plan, encode, publish.

The functions stand in the order of a video's path.  Every step is safe to repeat: an
attempt writes under its own name and finishes only while it holds its lease, so a
worker may die, or return after it was thought dead, at any line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, transaction

from common import disk, storage
from videos import (
    clip_posters,
    copying,
    embedded_captions,
    ends,
    importing,
    joining,
    loudness,
    planning,
    poster_choices,
    queue,
    room,
    storyboards,
    trimming,
)
from videos.leases import LeaseKeeper, lease_kept
from videos.models import Job, Rendition, SegmentRun, Video
from videos.publishing import Encode, LeaseLost, SegmentPublisher
from videos.transcoding import subtitles
from videos.transcoding.chunks import (
    ChunkPlan,
)
from videos.transcoding.codecs import codec_string
from videos.transcoding.copying.eligibility import NotCopied
from videos.transcoding.errors import EncodeFailed, NoRoomToStore
from videos.transcoding.ffmpeg import (
    audio_args,
    encode_args,
    output_directories,
    poster_args,
)
from videos.transcoding.ladder import Rung
from videos.transcoding.log_tail import log_kept
from videos.transcoding.run import INIT_SEGMENT, run_encode, run_poster
from videos.transcoding.source import SourceInfo

logger = logging.getLogger(__name__)

# Posters and bulk work yield the CPU to work that someone is waiting for.  Audio does not: it
# is encoded from the beginning, so a viewer who jumps waits until it has come that far.
NICENESS = {Job.Kind.POSTER: 15}
BULK_NICENESS = 19
# A rung beside a copy: its viewers watch the copy until it is there.
BESIDE_COPY_NICENESS = 10


def work(lane: Job.Lane) -> bool:
    """Run one job for a worker of ``lane``; return False if no job waits or the local disk is full.

    Bulk workers take jobs of the first lane before their own, and those of the last lane
    after all others.  First-lane workers never start other work, so that the next upload
    finds one of them free.
    """
    if not disk.has_room():
        return False
    lanes = [Job.Lane.FIRST] if lane == Job.Lane.FIRST else list(Job.Lane)
    job = queue.claim(lanes)
    if job is None:
        return False
    run(job)
    queue.wake(lane)
    return True


def run(job: Job) -> None:
    """Run a claimed job and record its outcome in its row."""
    log = {"video": job.video.public_id, "job": f"{job.kind} {job.position}", "attempt": job.attempt}
    if ends.stop_outdated(job):
        logger.info("Job of an encode that is over", extra=log)
        return
    with log_kept() as tail:
        try:
            _step(job)
        except LeaseLost:
            logger.warning("Job lost its lease", extra=log)
        except ends.ERRORS as error:
            logger.warning("Job failed", extra=log | {"reason": f"{type(error).__name__}: {error}"})
            ends.settle(job, error)
        else:
            logger.info("Job done", extra=log)
    _store_log(job, tail.text())


def _store_log(job: Job, text: str) -> None:
    """Store the end of the log of an attempt, unless the next one has begun."""
    if text:
        try:
            Job.objects.filter(pk=job.pk, attempt=job.attempt).update(log_tail=text)
        except DatabaseError:
            logger.warning("Log not stored: the database does not answer", extra={"job": job.pk})


def _step(job: Job) -> None:
    try:
        STEPS[Job.Kind(job.kind)](job)
    except NotCopied as refusal:
        copying.encode_instead(job, refusal)


def plan(job: Job) -> None:
    """Create the jobs of an encode: of a source, or of a trim of stored segments."""
    if job.video.edition_kind == Video.EditionKind.TRIM:
        trimming.plan(job)
    else:
        planning.plan(job)


def encode_chunk(job: Job) -> None:
    """Encode one chunk in all rungs of its run at once, publishing each segment as it is finished."""
    source, run = _source(job), _run_of(job)
    listed = job.video.renditions.filter(encode_key=job.encode_key, kind=Rendition.Kind.VIDEO)
    rungs = [rung for rung in listed if run.holds(rung)]
    if rungs[0].is_copied:
        with lease_kept(job):
            copying.copy_chunk(job, run, rungs[0], source)
        ends.finish(job)
        return
    chunk = ChunkPlan(
        position=job.position,
        first_segment=run.first_segment,
        segment_count=run.segment_count,
        start_s=job.start_s,
        length_s=job.length_s,
    )
    ladder = [Rung(int(rung.name.removesuffix("p")), rung.bitrate_bps) for rung in rungs]
    beside = None
    if source.copied:
        with lease_kept(job):
            beside = copying.BesideCopy.of(job, run, source)
    with disk.workspace() as folder:
        argv = encode_args(
            source,
            _source_url(job),
            ladder,
            chunk,
            folder,
            preset=settings.ENCODE_PRESET,
            cuts=beside.cuts if beside else None,
        )
        # A header may declare more video than the file holds, so later chunks may be empty.
        rate = source.video.frame_rate if source.video else None
        _encode(
            job,
            argv,
            folder,
            rungs,
            allow_empty=run.first_segment > 0,
            frame_rate=beside.frame_rate if beside else rate,
            beside=beside,
        )
    ends.finish(job)


def encode_audio(job: Job) -> None:
    """Encode one audio track from beginning to end, so that no seam can click, or copy a part of one."""
    source, run = _source(job), _run_of(job)
    (name,) = run.renditions
    track = job.video.renditions.get(encode_key=job.encode_key, kind=Rendition.Kind.AUDIO, name=name)
    if track.is_copied:
        with lease_kept(job):
            copying.copy_audio(job, run, track, source)
    else:
        with disk.workspace() as folder:
            parent = job.video.edition_of if track.is_added else None
            argv = audio_args(
                source,
                _source_url(job),
                source.audio[0 if track.is_added else track.position],
                folder,
                end_s=parent.duration_s if parent else None,
            )
            _encode(job, argv, folder, [track])
    ends.finish(job)


def make_poster(job: Job) -> None:
    """Store the poster: a frame of the video or the cover of an audio file, if there is one."""
    key = f"{job.video.encode_prefix}poster-{job.attempt}.jpg"
    with disk.workspace() as folder:
        path = folder / "poster.jpg"
        argv = poster_args(_source(job), _source_url(job), path)
        with lease_kept(job):
            found = run_poster(_nicely(job, argv), path) if argv else None
        if found:
            storage.put_file(key, path)
            # A poster of the owner's stays.
            unchosen = Video.objects.filter(pk=job.video_id, encode_key=job.encode_key)
            unchosen.exclude(poster_key__startswith=job.video.posters_prefix).update(poster_key=key)
    ends.finish(job)


def make_storyboard(job: Job) -> None:
    """Store the storyboard of a video that is ready, and the choices of a poster."""
    folder_key = f"{job.video.encode_prefix}{storyboards.FOLDER}{job.pk}-{job.attempt}/"
    with disk.workspace() as folder, lease_kept(job):
        nicely = partial(_nicely, job)
        drawn, poster_times_s = storyboards.draw(job.video, folder, nicely), list[float]()
        if drawn:
            poster_times_s = poster_choices.draw(job.video, drawn.storyboard, folder, nicely)
            storyboards.store(folder, folder_key)
    with transaction.atomic():
        ends.finish_row(job)
        if drawn:
            storyboards.publish(job.video, folder_key, drawn, poster_times_s)


def make_embedded_captions(job: Job) -> None:
    """Store the text subtitles of the source as captions."""
    source = _source(job)
    with disk.workspace() as folder, lease_kept(job):
        files = subtitles.extract(
            _source_url(job), source.container, source.subtitles, folder, lambda argv: _nicely(job, argv)
        )
        embedded_captions.store(job, files)
    ends.finish_row(job)


def make_mp4(job: Job) -> None:
    """Store an MP4 for people who download the video, and let it expire."""
    key = f"{job.video.mp4_prefix}{job.pk}-{job.attempt}.mp4"
    is_ready = job.video.status == Video.Status.READY  # else a recording goes on
    if is_ready:
        with disk.workspace() as folder, lease_kept(job):
            path = joining.join(Encode.of(job.video), folder)
            if not room.has_disk_room(path.stat().st_size):
                raise NoRoomToStore("disk")
            storage.put_file(key, path)
    with transaction.atomic():
        ends.finish_row(job)
        if is_ready:
            joining.publish(job.video, key)


def make_clip_poster(job: Job) -> None:
    """Store the poster of a clip of this video."""
    key = clip_posters.key_of(job)
    with disk.workspace() as folder, lease_kept(job):
        found = clip_posters.draw(job, folder / "clip.jpg", partial(_nicely, job))
        if found:
            storage.put_file(key, found)
    with transaction.atomic():
        ends.finish_row(job)
        if found:
            clip_posters.publish(job, key)


def measure_loudness(job: Job) -> None:
    """Store the loudness of each audio track of a video that is ready."""
    with lease_kept(job):
        measured = loudness.measure(job.video, partial(_nicely, job))
    with transaction.atomic():
        ends.finish_row(job)
        if measured is not None:
            loudness.publish(job.video, measured)


STEPS: dict[Job.Kind, Callable[[Job], None]] = {
    Job.Kind.FETCH: importing.fetch_source,
    Job.Kind.PLAN: plan,
    Job.Kind.VIDEO: encode_chunk,
    Job.Kind.AUDIO: encode_audio,
    Job.Kind.POSTER: make_poster,
    Job.Kind.STORYBOARD: make_storyboard,
    Job.Kind.LOUDNESS: measure_loudness,
    Job.Kind.SUBTITLES: make_embedded_captions,
    Job.Kind.MP4: make_mp4,
    Job.Kind.CLIP: make_clip_poster,
    Job.Kind.TRIM: trimming.work,
}


def _encode(
    job: Job,
    argv: list[str],
    folder: Path,
    renditions: Sequence[Rendition],
    *,
    allow_empty: bool = False,
    frame_rate: Fraction | None = None,
    beside: copying.BesideCopy | None = None,
) -> None:
    """Run FFmpeg and publish its finished segments.  Raises LeaseLost, and NotCopied beside a copy."""
    run = _run_of(job)
    publisher = SegmentPublisher(job, run, renditions, on_listed=lambda: ends.record_playable(job.video_id))
    encode = run_encode(
        _nicely(job, argv),
        folder,
        outputs=output_directories(folder, len(renditions)),
        # Beside a copy, FFmpeg's clock is the video's.
        on_progress=LeaseKeeper(job, from_s=job.start_s if beside else 0.0),
        allow_empty=allow_empty,
        frame_rate=frame_rate,
        planned_s=job.length_s,
        compares_lengths=beside is None,
    )
    with closing(encode):
        for segment in encode:
            init_path = segment.path.with_name(INIT_SEGMENT)
            if segment.number == run.first_segment:
                _check_codecs(renditions[segment.output_index], init_path)
            publisher.add(beside.retimed(segment, init_path) if beside else segment, init_path)
            if publisher.is_cut:
                # Another job encodes the rest, because a viewer asked for a segment there.
                break
    if beside:
        beside.check_complete(run)


def _check_codecs(rendition: Rendition, init_path: Path) -> None:
    """Store the codecs of a rendition's first segment.  Raises EncodeFailed if another chunk's differ.

    A player keeps one init segment for all chunks, so chunks of an FFmpeg that encodes
    differently must not be mixed in.
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
        raise LeaseLost  # the video was reset after this claim
    return source


def _run_of(job: Job) -> SegmentRun:
    if job.run is None:
        raise ValueError(f"a {job.kind} stores no segments")
    return job.run


def _source_url(job: Job) -> str:
    return storage.internal_url(job.video.source_key)


def _nicely(job: Job, argv: list[str]) -> list[str]:
    """Return ``argv`` with a lower CPU priority for work that nobody is waiting for."""
    niceness = BULK_NICENESS if job.lane != Job.Lane.FIRST else NICENESS.get(Job.Kind(job.kind), 0)
    if job.kind == Job.Kind.VIDEO and job.video.source and job.video.source.copied:
        niceness = max(niceness, BESIDE_COPY_NICENESS)
    return ["nice", "-n", str(niceness), *argv] if niceness else argv
