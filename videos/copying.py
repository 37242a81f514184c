"""Copies: segments that are written from a source's own bytes, and the return to an encode.

A copy reads ranges of the source and stores segments, several at once; nothing is
decoded.  If the bytes contradict the sample tables, the video is planned anew as an
encode.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from time import monotonic

from django.db import transaction

from common import deletion, storage
from common.media.boxes import BrokenBoxes
from videos import arrivals, ends, queue, source_tables
from videos.leases import LeaseKeeper
from videos.models import Job, Rendition, SegmentPlan, SegmentRun, Video, new_encode_key
from videos.publishing import LeaseLost, SegmentPublisher
from videos.transcoding.chunks import SegmentGrid, SourceCuts
from videos.transcoding.copying.eligibility import CopiableAudio, NotCopied
from videos.transcoding.copying.plan import tracks_of
from videos.transcoding.copying.segments import (
    MAX_SEGMENT_BYTES,
    CopiedTracks,
    SampleSpan,
    audio_init,
    audio_segment,
    fetch,
    held_bytes,
    retimed,
    video_init,
    video_segment,
)
from videos.transcoding.copying.tables import TrackTables
from videos.transcoding.run import FinishedSegment
from videos.transcoding.source import SourceInfo

logger = logging.getLogger(__name__)

SEGMENTS_AT_ONCE = 8
# Each listing is a transaction.
LIST_EVERY_S = 0.5
# The tables that this process read last.
_read: dict[tuple[str, bool], CopiedTracks] = {}

MakeSegment = Callable[[int], tuple[bytes, float]]
"""``make(number)``: the bytes of a segment of the video, and its duration in seconds."""


def tracks_of_video(video: Video, source: SourceInfo, *, has_audio: bool = False) -> CopiedTracks:
    """Return the tracks that a source's plan copies, read from its header again.  Raises NotCopied."""
    key = (video.encode_key, has_audio)
    if key not in _read:
        # One film's tables at a time: its chunks follow each other.
        _read.clear()
        _read[key] = tracks_of(
            source,
            partial(storage.read_range, video.source_key),
            has_audio=has_audio,
            stored=partial(source_tables.stored, video),
        )
    return _read[key]


@dataclass(frozen=True, slots=True)
class BesideCopy:
    """An encode of the segments ``first`` to before ``after`` beside the copy of the same frames."""

    tracks: CopiedTracks
    first: int
    after: int

    @classmethod
    def of(cls, job: Job, run: SegmentRun, source: SourceInfo) -> BesideCopy:
        """Return the encode of ``run``.  Raises NotCopied."""
        tracks = tracks_of_video(job.video, source)
        numbers = _numbers(run, len(tracks.cuts))
        return cls(tracks, numbers.start, numbers.stop)

    @property
    def cuts(self) -> SourceCuts:
        return self.tracks.source_cuts(self.first, self.after)

    @property
    def frame_rate(self) -> Fraction:
        """Return the average frame rate of these segments."""
        first, after = self.tracks.frames(self.first).first, self.tracks.frames(self.after - 1).after
        length_s = self.tracks.bounds_s[self.after] - self.tracks.bounds_s[self.first]
        return (after - first) / Fraction(length_s).limit_denominator(1_000_000)

    def retimed(self, segment: FinishedSegment, init_path: Path) -> FinishedSegment:
        """Return a finished segment whose file has the copy's times.  Raises NotCopied if frames differ."""
        try:
            data = retimed(self.tracks, segment.number, init_path.read_bytes(), segment.path.read_bytes())
        except (BrokenBoxes, IndexError) as error:
            raise NotCopied("damaged", str(error)) from error
        segment.path.write_bytes(data)
        begins_s, ends_s = self.tracks.bounds_s[segment.number : segment.number + 2]
        return replace(segment, duration_s=ends_s - begins_s)

    def check_complete(self, run: SegmentRun) -> None:
        """Raise NotCopied if segments are missing at the end."""
        # The run may have been shortened meanwhile.
        planned = self.after - self.first if run.segment_count is None else run.segment_count
        if len(run.segments) != planned:
            raise NotCopied("damaged", f"{len(run.segments)} of {planned} segments")


def copy_chunk(job: Job, run: SegmentRun, rendition: Rendition, source: SourceInfo) -> None:
    """Copy the segments of a run of video.  Raises NotCopied and LeaseLost."""
    tracks = tracks_of_video(job.video, source)
    read = partial(storage.read_range, job.video.source_key)
    bounds_s = tracks.bounds_s

    def make(number: int) -> tuple[bytes, float]:
        (frames,) = fetch([(tracks.video.tables, tracks.frames(number))], read)
        return video_segment(tracks, number, frames), bounds_s[number + 1] - bounds_s[number]

    numbers = _numbers(run, len(tracks.cuts))
    at_once = _at_once(tracks.video.tables, map(tracks.frames, numbers))
    _copy(job, run, rendition, video_init(tracks.video), make, numbers, at_once=at_once)


def copy_audio(job: Job, run: SegmentRun, rendition: Rendition, source: SourceInfo) -> None:
    """Copy the segments of a run of an audio track.  Raises NotCopied and LeaseLost."""
    tracks = tracks_of_video(job.video, source, has_audio=True)
    track = tracks.audio[rendition.position]
    if track is None:
        raise NotCopied("codec", "the track was planned as a copy")
    plan = SegmentPlan.objects.get(video=job.video, encode_key=job.encode_key, kind=Rendition.Kind.AUDIO)
    make = _audio_maker(tracks, track, plan.grid, partial(storage.read_range, job.video.source_key))
    numbers = _numbers(run, len(plan.starts_s))
    # A track may end a little before the video; its last block then lasts as long.
    while numbers and not _has_blocks(tracks, track, plan.grid, numbers[-1]):
        numbers = numbers[:-1]
    if not numbers:
        return
    spans = (tracks.blocks(track, *plan.grid.bounds_s(number)) for number in numbers)
    at_once = _at_once(track.tables, spans)
    _copy(job, run, rendition, audio_init(track), make, numbers, at_once=at_once)


def _at_once(tables: TrackTables, spans: Iterable[SampleSpan]) -> int:
    """Return the number of segments that may be in memory together.  Raises NotCopied if one is too large."""
    largest = max(held_bytes(tables, span) for span in spans)
    if largest > MAX_SEGMENT_BYTES:
        raise NotCopied("large", f"{largest} bytes in a segment")
    return max(1, min(SEGMENTS_AT_ONCE, MAX_SEGMENT_BYTES // max(1, largest)))


def _audio_maker(
    tracks: CopiedTracks, track: CopiableAudio, grid: SegmentGrid, read: Callable[[int, int], bytes]
) -> MakeSegment:
    def make(number: int) -> tuple[bytes, float]:
        span = tracks.blocks(track, *grid.bounds_s(number))
        (blocks,) = fetch([(track.tables, span)], read)
        return audio_segment(tracks, track, number, span, blocks)

    return make


def _has_blocks(tracks: CopiedTracks, track: CopiableAudio, grid: SegmentGrid, number: int) -> bool:
    span = tracks.blocks(track, *grid.bounds_s(number))
    return span.after > span.first


def _numbers(run: SegmentRun, all_segments: int) -> range:
    """Return the numbers of a run's segments."""
    after = all_segments if run.segment_count is None else run.first_segment + run.segment_count
    if not run.first_segment < after <= all_segments:
        raise NotCopied("tables", f"segments up to {after} of {all_segments}")
    return range(run.first_segment, after)


def _copy(
    job: Job,
    run: SegmentRun,
    rendition: Rendition,
    init: bytes,
    make: MakeSegment,
    numbers: range,
    *,
    at_once: int,
) -> None:
    """Store init segment and segments, and list them in order as they come."""
    publisher = SegmentPublisher(job, run, [rendition], on_listed=lambda: ends.record_playable(job.video_id))
    storage.put_bytes(publisher.key(0, "init.mp4"), init)

    def store(number: int) -> tuple[int, float]:
        data, duration_s = make(number)
        return storage.put_bytes(publisher.key(0, f"{number}.m4s"), data), duration_s

    keeper, listed_at, copied_s = LeaseKeeper(job), 0.0, 0.0
    with ThreadPoolExecutor(at_once, thread_name_prefix="copy") as pool:
        stored = [pool.submit(store, number) for number in numbers]
        try:
            for number, future in zip(numbers, stored, strict=True):
                size_bytes, duration_s = future.result()
                copied_s += duration_s
                publisher.hold(number, size_bytes, duration_s)
                if monotonic() - listed_at > LIST_EVERY_S or number == numbers[-1]:
                    publisher.list_complete()
                    listed_at = monotonic()
                keeper(copied_s)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@transaction.atomic
def encode_instead(job: Job, refusal: NotCopied) -> None:
    """Plan the video anew as an encode, under a new key, because its bytes cannot be copied.

    Raises LeaseLost if the job is not held any more.
    """
    if not Job.objects.held(job).exists():
        raise LeaseLost
    seen = Video.objects.filter(pk=job.video_id, encode_key=job.encode_key, status=Video.Status.PROCESSING)
    # The owner may have chosen a poster since the job was claimed.
    video = seen.select_for_update().first()
    if video is None:
        raise LeaseLost
    encode_key, old_prefix = new_encode_key(), video.encode_prefix
    Video.objects.filter(pk=video.pk).update(
        encode_key=encode_key,
        copy_refusal=refusal.code,
        is_playable=False,
        poster_key=video.poster_key if video.has_own_poster else "",
        storyboard_key="",
        poster_times_s=None,
        loudness=None,
    )
    logger.warning("Copy refused", extra={"video": video.public_id, "reason": str(refusal)})
    for rows in (video.jobs, video.runs, video.plans, video.renditions):
        rows.all().delete()
    deletion.delete_later(old_prefix)
    planned = Job(video=video, encode_key=encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.FIRST)
    planned.save()
    transaction.on_commit(lambda: queue.wake(Job.Lane.FIRST))
    transaction.on_commit(lambda: arrivals.publish(job.encode_key))
