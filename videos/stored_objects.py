"""The objects of videos in the bucket according to SQL, for ``manage.py reconcile``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import copy
from typing import TypeVar

from common import reconciliation
from common.reconciliation import FolderRows
from videos import keyframe_index, storyboards
from videos.models import (
    UNCUT,
    CaptionTrack,
    ChannelImport,
    Clip,
    Rendition,
    RetiredEncode,
    SegmentRun,
    Video,
)

PREFIX = "videos/"
ARCHIVES_PREFIX = "imports/"
Row = TypeVar("Row", CaptionTrack, Clip, SegmentRun, Rendition, RetiredEncode)


def register() -> None:
    reconciliation.register(reconciliation.StorageArea(PREFIX, read, folders))
    reconciliation.register(reconciliation.StorageArea(ARCHIVES_PREFIX, read_archives, archive_folders))


def archive_folders() -> Iterator[str]:
    """Yield the folder of every channel import that has an archive."""
    for row in ChannelImport.objects.exclude(archive_key="").order_by("pk").iterator():
        yield row.archive_prefix


def read_archives(names: Collection[str]) -> Mapping[str, FolderRows]:
    """Return the archives of these folders, which are deleted when they expire."""
    wanted = [name.split("/")[1] for name in names]
    rows = ChannelImport.objects.filter(public_id__in=wanted)
    return {row.archive_prefix: FolderRows(frozenset(), row.archive_key.__eq__) for row in rows}


def folders() -> Iterator[str]:
    """Yield the folder of every video."""
    own = Video.objects.filter(edition_of=None).only("public_id", "edition_of")
    for video in own.order_by("pk").iterator():
        yield video.prefix


def read(names: Collection[str]) -> Mapping[str, FolderRows]:
    """Return the rows of the videos with these folders, in seven queries."""
    wanted = [name.removeprefix(PREFIX).removesuffix("/") for name in names]
    videos = Video.objects.filter(public_id__in=wanted, edition_of=None)
    editions = {
        edition.edition_of_id: edition
        for edition in Video.objects.filter(edition_of__in=videos).select_related("edition_of")
    }
    rows_of = {*videos, *editions.values()}
    captions = _by_video(CaptionTrack.objects.filter(video__in=videos))
    clips = _by_video(Clip.objects.filter(video__in=videos))
    runs = _by_video(SegmentRun.objects.filter(video__in=rows_of))
    renditions = _by_video(Rendition.objects.filter(video__in=rows_of))
    retired = _by_video(RetiredEncode.objects.filter(video__in=videos))
    found = {}
    for video in videos:
        encodes = [_of_encode(video, runs[video.pk], renditions[video.pk])]
        encodes += [
            _of_retired(video, old, runs[video.pk], renditions[video.pk]) for old in retired[video.pk]
        ]
        if edition := editions.get(video.pk):
            encodes.append(_of_encode(edition, runs[edition.pk], renditions[edition.pk]))
        encodes.append(_of_whole_tracks(video, runs[video.pk]))
        found[video.prefix] = _joined([*encodes, _beside(captions[video.pk], clips[video.pk])])
    return found


def _of_whole_tracks(video: Video, runs: list[SegmentRun]) -> FolderRows:
    """Return the objects of added audio tracks that wait until a trimmed video is restored."""
    needed: set[str] = set()
    for run in (run for run in runs if run.encode_key == UNCUT):
        folder = video.key_of(run.folder(run.renditions[0]))
        numbers = range(len(run.segments))
        needed |= {f"{folder}init.mp4", *(f"{folder}{number}.m4s" for number in numbers)}
    return FolderRows(frozenset(needed), lambda _key: False)


def _joined(parts: list[FolderRows]) -> FolderRows:
    return FolderRows(
        frozenset().union(*(part.needed for part in parts)),
        lambda key: any(part.may_exist(key) for part in parts),
    )


def _beside(captions: list[CaptionTrack], clips: list[Clip]) -> FolderRows:
    """Return the objects that belong to no encode: captions, and posters of clips."""
    keys = {*(track.key for track in captions), *(clip.poster_key for clip in clips)}
    return FolderRows(frozenset(keys - {""}), lambda _key: False)


def _of_retired(
    video: Video, retired: RetiredEncode, runs: list[SegmentRun], renditions: list[Rendition]
) -> FolderRows:
    """Return the objects of an encode that players may still request."""
    then = retired.on(copy(video))
    then.poster_key, then.mp4_key, then.source_key = "", "", retired.source_key
    rows = _of_encode(then, runs, renditions)
    # Its storyboard and its MP4 file may have been replaced by then.
    return FolderRows(rows.needed, lambda key: rows.may_exist(key) or key.startswith(then.mp4_prefix))


def _by_video(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if row.video_id is not None:
            found[row.video_id].append(row)
    return found


def _of_encode(video: Video, runs: list[SegmentRun], renditions: list[Rendition]) -> FolderRows:
    """Return the objects of the current encode of a video or an edition."""
    renditions = [one for one in renditions if one.encode_key == video.encode_key]
    needed = {video.poster_key, video.storyboard_key}
    if video.status != Video.Status.UPLOADING and not video.import_url:
        needed.add(video.source_key)
    held: set[str] = set()
    for run in (run for run in runs if run.encode_key == video.encode_key):
        for rendition in filter(run.holds, renditions):
            folder = video.key_of(run.folder(rendition.name))
            held.add(folder)
            if run.segments:
                numbers = range(run.first_segment, run.first_segment + len(run.segments))
                needed |= {f"{folder}init.mp4", *(f"{folder}{number}.m4s" for number in numbers)}
    names = {rendition.name for rendition in renditions}
    if video.has_storyboard and any(rendition.keyframes_peak_bps for rendition in renditions):
        needed.add(f"{video.storyboard_key.rpartition('/')[0]}/{keyframe_index.NAME}")
    return FolderRows(frozenset(needed - {""}), _may_exist(video, names, held))


def _may_exist(video: Video, names: set[str], held: set[str]) -> Callable[[str], bool]:
    """Return whether a key may exist beside the needed ones.

    Of an encode: everything but the segments and storyboards of attempts that lost their
    lease, and MP4 files that are not the video's.
    """
    storyboard = video.storyboard_key.rpartition("/")[0] if video.has_storyboard else None

    def may_exist(key: str) -> bool:
        if key in (video.source_key, video.mp4_key):
            return True
        if not key.startswith(video.encode_prefix) or key.startswith(video.mp4_prefix):
            return False
        if key.startswith(f"{video.encode_prefix}{storyboards.FOLDER}"):
            return storyboard is not None and key.startswith(f"{storyboard}/")
        rendition, _, rest = key.removeprefix(video.encode_prefix).partition("/")
        if rendition not in names or not rest:
            return True
        return any(key.startswith(folder) for folder in held)

    return may_exist
