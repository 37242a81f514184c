"""The plan of an encode: the source is probed, and its renditions, segments and jobs become rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from common import storage
from videos import ends, progress, queue, source_tables
from videos.languages import language_name, spoken_tag
from videos.leases import lease_kept
from videos.models import AddedTrack, Job, Rendition, SegmentPlan, SegmentRun, Video
from videos.publishing import LeaseLost
from videos.transcoding.chunks import (
    ChunkPlan,
    SegmentGrid,
    plan_chunks,
    plan_copied_audio,
    plan_copied_chunks,
    plan_grid,
    regular_grid,
)
from videos.transcoding.errors import NoStreams
from videos.transcoding.ffmpeg import audio_bitrate_bps
from videos.transcoding.ladder import CopyLadder, plan_beside_copy, plan_ladder, rung_size
from videos.transcoding.limits import SourceLimits
from videos.transcoding.probe import probe
from videos.transcoding.sniff import HEAD_BYTES
from videos.transcoding.source import SourceInfo

_COPY_NAME = "source"
# Of an added audio track: it is cut to another video's length.
_NEVER_COPIED = "added"
# Added tracks follow those of any source.
_FIRST_ADDED = 100
# The position of a track's first chunk is the track's.
_FIRST_LATER_CHUNK = 1000


def plan(job: Job) -> None:
    """Probe an uploaded source and create the jobs that make it playable."""
    video = job.video
    with lease_kept(job):
        source = look_at(video)
        source_tables.store(video, source)
    if video.edition_kind == Video.EditionKind.AUDIO:
        source = _audio_alone(video, source)
    lay_out(job, source, _ladder(source), plan_grid(source))
    progress.publish(video)


def _audio_alone(edition: Video, source: SourceInfo) -> SourceInfo:
    """Return the track of a file that is added to a video, as long as that.  Raises NoStreams."""
    if not source.audio:
        raise NoStreams("no audio")
    track = next((track for track in source.audio if track.is_default), source.audio[0])
    length_s = edition.edition_of.duration_s if edition.edition_of else None
    return replace(
        source,
        duration_s=length_s or source.duration_s,
        video=None,
        audio=(track,),
        cover_index=None,
        left_out=(),
        chapters=(),
        subtitles=(),
    )


def _ladder(source: SourceInfo) -> CopyLadder:
    """Return the rungs to encode: all of a source's, or those beside its copy."""
    max_short_side = settings.MAX_SHORT_SIDE_PX
    if source.copied:
        return plan_beside_copy(source, factor=settings.COPY_BITRATE_FACTOR, max_short_side=max_short_side)
    return CopyLadder(plan_ladder(source, max_short_side=max_short_side), is_interim=False)


def look_at(video: Video) -> SourceInfo:
    """Probe the source in storage.  Raises a TranscodeError if it cannot become a video."""
    is_track = video.edition_kind == Video.EditionKind.AUDIO
    return probe(
        storage.internal_url(video.source_key),
        head=storage.read_range(video.source_key, 0, HEAD_BYTES),
        size_bytes=video.source_size_bytes,
        limits=SourceLimits(duration_s=settings.MAX_DURATION_S, size_bytes=settings.MAX_UPLOAD_BYTES),
        read_range=lambda start, length: storage.read_range(video.source_key, start, length),
        copy_refusal=_NEVER_COPIED if is_track else video.copy_refusal,
    )


@transaction.atomic
def lay_out(job: Job, source: SourceInfo, ladder: CopyLadder, grid: SegmentGrid) -> None:
    """Store the plan of the encode: renditions, planned segments, and a waiting job for each unit of work."""
    ends.finish_row(job)
    video = job.video
    shown = {"duration_s": source.duration_s, "source_json": source.to_json()}
    if source.video:
        shown |= {"width_px": source.video.width_px, "height_px": source.video.height_px}
    if not Video.objects.filter(pk=video.pk, encode_key=job.encode_key).update(**shown):
        raise LeaseLost
    is_added = video.edition_kind == Video.EditionKind.AUDIO
    rungs = list(_rungs(video, source, ladder))
    tracks = [_added_track(video, source)] if is_added else list(_tracks(video, source))
    Rendition.objects.bulk_create([*rungs, *tracks])
    chunks = plan_chunks(source, grid)
    SegmentPlan.objects.bulk_create(_plans(video, source, chunks, grid))
    planned = [*_chunk_jobs(video, source, grid, chunks, rungs), *_audio_jobs(video, source, tracks)]
    SegmentRun.objects.bulk_create(job.run for job in planned if job.run)
    if source.video or source.cover_index is not None:
        planned.append(_job(video, Job.Kind.POSTER, lane=Job.Lane.FIRST))
    if video.edition_kind in Video.OF_SAME_SOURCE:
        for planned_job in planned:
            planned_job.lane = Job.Lane.BULK  # nobody waits for it
    Job.objects.bulk_create(planned)
    for lane in Job.Lane:
        jobs = sum(planned_job.lane == lane for planned_job in planned)
        transaction.on_commit(lambda lane=lane, jobs=jobs: queue.wake(lane, jobs))  # type: ignore[misc]


def _rungs(video: Video, source: SourceInfo, ladder: CopyLadder) -> Iterator[Rendition]:
    """Yield the video renditions, best first: the copy, if there is one, and the encoded rungs."""
    frame_rate = round(float(source.video.frame_rate), 3) if source.video else 0
    if source.copied and source.video:
        frame_rate = round(source.copied.frame_rate, 3)
        yield Rendition(
            video=video,
            encode_key=video.encode_key,
            kind=Rendition.Kind.VIDEO,
            position=0,
            name=_COPY_NAME,
            width_px=source.video.width_px,
            height_px=source.video.height_px,
            frame_rate=frame_rate,
            bitrate_bps=source.copied.peak_bps,
            codecs=source.copied.codecs,
            is_copied=True,
            is_interim=ladder.is_interim,
        )
    for position, rung in enumerate(ladder.rungs, int(source.copied is not None)):
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
        tag = spoken_tag(track.language)
        yield Rendition(
            video=video,
            encode_key=video.encode_key,
            kind=Rendition.Kind.AUDIO,
            position=position,
            name=f"audio-{position}",
            bitrate_bps=audio_bitrate_bps(track),
            channels=min(track.channels, 2),
            language=track.language[:16],
            codecs="mp4a.40.2" if source.copied and source.copied.audio[position] else "",
            is_copied=source.copied is not None and source.copied.audio[position],
            # In the player's menu: its title, its language's own name, or its number.
            label=(track.title or (language_name(tag) if tag else "") or f"Audio {position + 1}")[:90],
            is_default=track.is_default,
        )


def _added_track(edition: Video, source: SourceInfo) -> Rendition:
    """Return the rendition of an audio track that is added to a video, with names that it lacks."""
    about = AddedTrack.objects.get(edition=edition)
    before = Rendition.objects.filter(video=edition.edition_of_id, is_added=True)
    latest = before.aggregate(latest=Max("position"))["latest"]
    return Rendition(
        video=edition,
        encode_key=edition.encode_key,
        kind=Rendition.Kind.AUDIO,
        position=_FIRST_ADDED if latest is None else latest + 1,
        name=f"track-{edition.encode_key[:10].lower()}",
        bitrate_bps=audio_bitrate_bps(source.audio[0]),
        channels=min(source.audio[0].channels, 2),
        language=about.language,
        label=about.label,
        role=about.role,
        is_added=True,
    )


def _job(video: Video, kind: Job.Kind, **fields: object) -> Job:
    return Job(video=video, encode_key=video.encode_key, kind=kind, **fields)


def _run(video: Video, kind: Rendition.Kind, **fields: object) -> SegmentRun:
    return SegmentRun(video=video, encode_key=video.encode_key, kind=kind, **fields)


def _plans(
    video: Video, source: SourceInfo, chunks: Sequence[ChunkPlan], grid: SegmentGrid
) -> Iterator[SegmentPlan]:
    """Yield the plans of an encode with video; audio is cut on the regular grid."""
    # Of a source that is one chunk, only a scan of all its packets tells the end.
    is_trusted = source.is_seekable and (len(chunks) > 1 or source.is_measured)
    for kind, of_kind in ((Rendition.Kind.VIDEO, grid), (Rendition.Kind.AUDIO, regular_grid(source))):
        if source.video:
            yield SegmentPlan(
                video=video,
                encode_key=video.encode_key,
                kind=kind,
                starts_s=list(of_kind.starts_s),
                end_s=of_kind.end_s,
                is_trusted=is_trusted,
            )


def _chunk_jobs(
    video: Video,
    source: SourceInfo,
    grid: SegmentGrid,
    chunks: Sequence[ChunkPlan],
    rungs: Sequence[Rendition],
) -> Iterator[Job]:
    """Yield the jobs of the video track, in the order in which they make it playable.

    Copies come first.  The first chunk is two jobs: the lowest rung, which is encoded in a
    fraction of the time, and then the others.  A source without seeking is decoded once
    for all rungs.
    """
    copies = [rung.name for rung in rungs if rung.is_copied]
    names = [rung.name for rung in rungs if not rung.is_copied]
    parts = [(chunk, copies) for chunk in (plan_copied_chunks(grid) if copies else ())]
    for chunk in chunks if names else ():
        is_divided = chunk.position == 0 and source.is_seekable and len(names) > 1
        parts += [(chunk, names[-1:]), (chunk, names[:-1])] if is_divided else [(chunk, names)]
    for position, (chunk, of_rungs) in enumerate(parts):
        yield _job(
            video,
            Job.Kind.VIDEO,
            position=position,
            lane=Job.Lane.FIRST if chunk.first_segment == 0 or of_rungs == copies else Job.Lane.BULK,
            run=_run(
                video,
                Rendition.Kind.VIDEO,
                position=position,
                renditions=of_rungs,
                first_segment=chunk.first_segment,
                segment_count=chunk.segment_count,
            ),
            start_s=chunk.start_s,
            length_s=chunk.length_s,
        )


def _audio_jobs(video: Video, source: SourceInfo, tracks: Sequence[Rendition]) -> Iterator[Job]:
    """Yield the jobs of the audio tracks: one of an encode, whose seams would click, several of a copy."""
    whole = (ChunkPlan(0, 0, None, 0.0, source.duration_s),)
    later = count(_FIRST_LATER_CHUNK)
    for track in tracks:
        for chunk in plan_copied_audio(source) if track.is_copied else whole:
            position = next(later) if chunk.first_segment else track.position
            yield _job(
                video,
                Job.Kind.AUDIO,
                position=position,
                lane=Job.Lane.FIRST,
                run=_run(
                    video,
                    Rendition.Kind.AUDIO,
                    position=position,
                    renditions=[track.name],
                    first_segment=chunk.first_segment,
                    segment_count=chunk.segment_count,
                ),
                start_s=chunk.start_s,
                length_s=chunk.length_s,
            )
