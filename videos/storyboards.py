"""The storyboard of a ready video: drawn, stored and published after everything else.

Every segment opens with a keyframe, so the stills come from the beginnings of the
smallest rendition's segments: a request and one small frame each, whatever the source
was.  The same holds for recordings, which have no source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts import sweeps
from common import deletion, storage
from common.media.boxes import BrokenBoxes
from common.media.keyframes import byte_stream
from videos import keyframe_index, queue
from videos.keyframe_index import READ_AT_ONCE, KeyframeIndex
from videos.models import Job, Rendition, Video
from videos.publishing import MAX_INIT_BYTES, MAX_SEGMENT_BYTES, Encode, Placed, read_object
from videos.transcoding.errors import EncodeFailed
from videos.transcoding.processes import run_short
from videos.transcoding.storyboard import (
    DENSE_UP_TO_S,
    Storyboard,
    chosen_segments,
    dense_times,
    sheet_args,
    sheet_paths,
    tile_size,
)

# Before the number and the attempt of its job: the folder of a storyboard in its encode.
FOLDER = "storyboard-"
INDEX = "index.vtt"
TIMEOUT_S = 120
# Each new job costs a second; more wait for the next clean-up.
QUEUED_AT_ONCE = 50
_END_OF_JPEG = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A storyboard in a local folder, with the rendition that it shows and the bitrate of its keyframes."""

    storyboard: Storyboard
    rendition: Rendition
    keyframes_peak_bps: int


def queue_for(encode: Encode) -> None:
    """Queue the storyboard of an encode that is complete, in the caller's transaction.

    A recording that goes on is complete again with more runs, and gets another one.
    """
    if encode.rungs:
        queue_after(encode.video, Job.Kind.STORYBOARD, position=len(encode.runs))


def queue_missing() -> None:
    """Queue the storyboards of ready videos from before there were storyboards."""
    jobs = Job.objects.filter(
        video=OuterRef("pk"), encode_key=OuterRef("encode_key"), kind=Job.Kind.STORYBOARD
    )
    ready = Video.objects.filter(status=Video.Status.READY, storyboard_key="", width_px__gt=0)
    missing = ready.exclude(Exists(jobs)).order_by("-pk")

    def queue_one(video: Video) -> None:
        queue_after(video, Job.Kind.STORYBOARD)

    sweeps.each("queue storyboards", missing, queue_one, at_most=QUEUED_AT_ONCE)


@transaction.atomic
def queue_after(video: Video, kind: Job.Kind, *, position: int = 0) -> None:
    """Queue a job that a video is ready without, once for each ``position``."""
    job = Job(video=video, encode_key=video.encode_key, kind=kind, position=position, lane=Job.Lane.AFTER)
    Job.objects.bulk_create([job], ignore_conflicts=True)
    transaction.on_commit(lambda: queue.wake(Job.Lane.AFTER))


def draw(video: Video, folder: Path, nicely: Callable[[list[str]], list[str]]) -> Drawn | None:
    """Write sheets and index of a ready video's storyboard into ``folder``; return None if it has none.

    The index of keyframes is written as well, and the stills in grey, one behind the other
    (``GREY``).  ``nicely`` returns a command with a lower priority.  Raises TranscodeError
    or an error of storage.
    """
    if video.status != Video.Status.READY:
        return None  # a recording that goes on: its end queues another job
    encode = Encode.of(video)
    if not encode.offered:
        return None
    smallest = encode.offered[-1]
    placed = encode.segments(smallest)
    if not placed:
        return None
    try:
        index = keyframe_index.read(video, placed)
    except BrokenBoxes as error:
        raise EncodeFailed(f"segment of the storyboard: {error}") from error
    (folder / keyframe_index.NAME).write_text(index.to_json())
    duration_s = sum(segment.duration_s for segment in placed)
    tile_px = tile_size(smallest.width_px or 16, smallest.height_px or 9)
    is_dense = duration_s <= DENSE_UP_TO_S and not video.is_recording
    path = folder / "frames"
    if is_dense:
        times_s = dense_times(duration_s)
        pieces = _whole(video, placed)
    else:
        starts_s = list(accumulate((segment.duration_s for segment in placed), initial=0.0))[:-1]
        chosen = chosen_segments(starts_s)
        times_s = tuple(starts_s[number] for number in chosen)
        pieces = _keyframes(video, placed, index, chosen)
    with path.open("wb") as file:
        file.writelines(pieces)
    storyboard = Storyboard(tile_px, times_s, duration_s)
    _run(nicely(sheet_args(path, folder, storyboard, is_dense=is_dense)), folder, storyboard)
    (folder / INDEX).write_text(storyboard.webvtt())
    path.unlink()
    return Drawn(storyboard, smallest, index.peak_bps(placed))


def store(folder: Path, folder_key: str) -> None:
    """Store a drawn storyboard and the choices of a poster in the bucket, the index last."""
    for path in sorted(folder.glob("*.jpg")):
        storage.put_file(f"{folder_key}{path.name}", path)
    for name in (keyframe_index.NAME, INDEX):
        storage.put_file(f"{folder_key}{name}", folder / name)


def publish(video: Video, folder_key: str, drawn: Drawn, poster_times_s: list[float]) -> None:
    """Make a stored storyboard the video's, in the caller's transaction, unless the video has changed.

    ``poster_times_s`` are the times of the stills that were stored as choices of a poster.
    """
    found = Video.objects.filter(pk=video.pk).values("encode_key", "status", "duration_s", "storyboard_key")
    seen = {"encode_key": video.encode_key, "status": video.status, "duration_s": video.duration_s}
    before = found.filter(**seen).first()
    if before is None:
        deletion.delete_later(folder_key)
        return
    found.filter(**seen).update(storyboard_key=f"{folder_key}{INDEX}", poster_times_s=poster_times_s)
    of_keyframes = Rendition.objects.filter(pk=drawn.rendition.pk)
    of_keyframes.update(keyframes_peak_bps=drawn.keyframes_peak_bps)
    if before["storyboard_key"] not in ("", f"{folder_key}{INDEX}"):
        deletion.delete_later(before["storyboard_key"].removesuffix(INDEX))


def _whole(video: Video, placed: Sequence[Placed]) -> Iterator[bytes]:
    """Yield the init segment and the segments of a short video as one file."""
    yield read_object(video, placed[0].init_name, MAX_INIT_BYTES)
    for segment in placed:
        yield read_object(video, segment.name, MAX_SEGMENT_BYTES)


def _keyframes(
    video: Video, placed: Sequence[Placed], index: KeyframeIndex, chosen: Sequence[int]
) -> Iterator[bytes]:
    """Yield the first frame of each chosen segment as a byte stream of H.264."""

    def keyframe(number: int) -> bytes:
        place, key = index.places[number], f"{video.encode_prefix}{placed[number].name}"
        frame = storage.read_range(key, place.start, place.end - place.start)
        return byte_stream(frame, index.tracks[number])

    try:
        with ThreadPoolExecutor(max_workers=READ_AT_ONCE) as pool:
            for start in range(0, len(chosen), READ_AT_ONCE):
                yield from pool.map(keyframe, chosen[start : start + READ_AT_ONCE])
    except BrokenBoxes as error:
        raise EncodeFailed(f"segment of the storyboard: {error}") from error


def _run(argv: list[str], folder: Path, storyboard: Storyboard) -> None:
    finished = run_short(argv, timeout_s=TIMEOUT_S, writes=[folder])
    # FFmpeg ends with 0 on a full disk.
    is_whole = all(
        path.exists() and path.read_bytes().endswith(_END_OF_JPEG) for path in sheet_paths(folder, storyboard)
    )
    if finished.exit_code or not is_whole:
        raise EncodeFailed(f"no storyboard, FFmpeg ended with {finished.exit_code}: {finished.stderr}")
