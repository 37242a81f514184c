"""The objects of videos in the bucket according to SQL, for ``manage.py reconcile``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from common import reconciliation
from common.reconciliation import FolderRows
from videos import keyframe_index, storyboards
from videos.models import CaptionTrack, Rendition, SegmentRun, Video

PREFIX = "videos/"
Row = TypeVar("Row", CaptionTrack, SegmentRun, Rendition)


def register() -> None:
    reconciliation.register(reconciliation.StorageArea(PREFIX, read, folders))


def folders() -> Iterator[str]:
    """Yield the folder of every video."""
    for video in Video.objects.only("public_id").order_by("pk").iterator():
        yield video.prefix


def read(names: Collection[str]) -> Mapping[str, FolderRows]:
    """Return the rows of the videos with these folders, in four queries."""
    wanted = [name.removeprefix(PREFIX).removesuffix("/") for name in names]
    videos = Video.objects.filter(public_id__in=wanted)
    captions = _by_video(CaptionTrack.objects.filter(video__in=videos))
    runs = _by_video(SegmentRun.objects.filter(video__in=videos))
    renditions = _by_video(Rendition.objects.filter(video__in=videos))
    return {
        video.prefix: _rows(video, captions[video.pk], runs[video.pk], renditions[video.pk])
        for video in videos
    }


def _by_video(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.video_id].append(row)
    return found


def _rows(
    video: Video,
    captions: list[CaptionTrack],
    runs: list[SegmentRun],
    renditions: list[Rendition],
) -> FolderRows:
    needed = {video.poster_key, video.storyboard_key, *(track.key for track in captions)}
    if video.status != Video.Status.UPLOADING and not video.import_url:
        needed.add(video.source_key)
    held: set[str] = set()
    for run in (run for run in runs if run.encode_key == video.encode_key):
        for rendition in (one for one in renditions if one.encode_key == run.encode_key and run.holds(one)):
            folder = f"{video.encode_prefix}{run.folder(rendition.name)}"
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
