"""The plan of a copy, from a file's header to its tracks and cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import ceil

from common.media.boxes import BrokenBoxes
from videos.transcoding.byteranges import RangeReader
from videos.transcoding.mp4 import find_moov
from videos.transcoding.source import CopiedSource, SourceInfo

from .eligibility import (
    CopiableAudio,
    CopiableVideo,
    NotCopied,
    audio_end_s,
    check_ends,
    check_keyframe,
    check_start,
    copiable_audio,
    copiable_video,
    usual_rate,
)
from .grid import segment_starts
from .scans import chosen_of, scan_source
from .segments import CopiedTracks, SampleSpan, fetch, sizes
from .stored_tables import load
from .tables import TrackTables, read_tables

_LATE_S = 0.1


def plan_copy(moov: memoryview, video: int, audio: Sequence[int], *, size_bytes: int) -> CopiedTracks:
    """Return the copied tracks of a file by the numbers of its video track and audio tracks.

    ``moov`` is the content of its movie header.  Raises NotCopied.
    """
    try:
        return plan_tables(
            read_tables(moov, video, size_bytes=size_bytes),
            (read_tables(moov, number, size_bytes=size_bytes) for number in audio),
        )
    except BrokenBoxes as error:
        raise NotCopied("tables", str(error)) from error


def plan_tables(video: TrackTables, audio: Iterable[TrackTables]) -> CopiedTracks:
    """Return the copied tracks of a file by the tables of its tracks.  Raises NotCopied."""
    picture = copiable_video(video)
    check_start(picture)
    sounds = list(audio)
    check_ends(picture, [audio_end_s(tables) for tables in sounds])
    copied = tuple(_copiable_or_none(tables, picture) for tables in sounds)
    # The copy begins with the first frame: audio before it is lost.
    if picture.starts_s > _LATE_S:
        raise NotCopied("late", f"video begins at {picture.starts_s:.3f} s")
    return CopiedTracks(picture, copied, _cuts(picture))


def facts(tracks: CopiedTracks, audio: Sequence[int]) -> CopiedSource:
    """Return the facts of a copy that are kept with its source; ``audio`` are the tracks' numbers.

    Raises NotCopied if a segment would be too large.
    """
    lengths_s = [after - before for before, after in pairwise(tracks.bounds_s)]
    peak_bps = max(
        size * 8 / length_s for size, length_s in zip(sizes(tracks), lengths_s, strict=True) if length_s
    )
    return CopiedSource(
        video_track=tracks.video.tables.number,
        audio_tracks=tuple(audio),
        audio=tuple(track is not None for track in tracks.audio),
        codecs=tracks.video.codecs,
        frame_rate=usual_rate(tracks.video),
        average_bps=tracks.video.bitrate_bps,
        peak_bps=ceil(peak_bps),
        bounds_s=tuple(tracks.bounds_s),
    )


def check_keyframes(tracks: CopiedTracks, read: RangeReader) -> None:
    """Read the keyframes of some segments.  Raises NotCopied if one is no IDR picture."""
    for number in {0, len(tracks.cuts) // 2, len(tracks.cuts) - 1}:
        first = tracks.frames(number).first
        ((sample,),) = fetch([(tracks.video.tables, SampleSpan(first, first + 1))], read)
        check_keyframe(sample, tracks.video.configuration)


def tracks_of(
    source: SourceInfo,
    read: RangeReader,
    *,
    has_audio: bool = True,
    stored: Callable[[], bytes | None] = lambda: None,
) -> CopiedTracks:
    """Return the tracks of a source that was planned before, from its header or a scan.

    Without ``has_audio`` the tables of audio are not read.  ``stored`` returns the tables that
    a scan found, None if they are lost.  Raises NotCopied.
    """
    if source.copied is None:
        raise NotCopied("encoded", source.copy_refusal)
    video, audio = source.copied.video_track, source.copied.audio_tracks if has_audio else ()
    if source.copied.is_scanned and (data := stored()) is not None:
        return plan_tables(*chosen_of(load(data), video, audio))
    moov = find_moov(read, head=b"", size_bytes=source.size_bytes) if source.container == "mov" else None
    if source.copied.is_scanned:
        numbers = (video, *source.copied.audio_tracks)
        found = scan_source(source.container, read, size_bytes=source.size_bytes, moov=moov, numbers=numbers)
        return plan_tables(*chosen_of([*found.video, *found.audio], video, audio))
    if moov is None:
        raise NotCopied("tables", "no header")
    return plan_copy(moov, video, audio, size_bytes=source.size_bytes)


def _copiable_or_none(tables: TrackTables, video: CopiableVideo) -> CopiableAudio | None:
    try:
        return copiable_audio(tables, video)
    except NotCopied:
        return None


def _cuts(video: CopiableVideo) -> tuple[int, ...]:
    tables = video.tables
    zero = tables.presented[0]
    times_s = [(tables.presented[first] - zero) / tables.timescale for first in video.gops]
    return tuple(video.gops[position] for position in segment_starts(times_s, video.duration_s))
