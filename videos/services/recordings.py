"""Recordings: videos filled by a running broadcast with segments that are already encoded.

A recording has segment runs and no jobs.  An unfinished recording always has one open
run, so the video does not count as complete.  Each writer opens its own run, which
closes the previous one.  Two writers therefore never write under the same name, and a
writer that was thought dead lists nothing more.  Transactions lock the video before its
renditions and runs.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Channel
from common import deletion, storage
from common.media import aac
from videos import ends
from videos.models import Rendition, SegmentRun, SegmentRunQuerySet, Video, VideoDefaults
from videos.services.downloads import URL_LIFETIME
from videos.services.editing import delete_video

logger = logging.getLogger(__name__)

ONLY_ATTEMPT = 1


class RecordingClosed(Exception):
    """The recording is complete or deleted, or another writer has taken over: the caller must stop."""


@dataclass(frozen=True, slots=True)
class RecordedRendition:
    """One rendition of a recording; its segments hold both video and audio."""

    name: str
    width_px: int
    height_px: int
    frame_rate: float
    bitrate_bps: int
    codecs: str


@transaction.atomic
def start_recording(*, channel: Channel, title: str, category: str, visibility: str) -> Video:
    """Create the video of a broadcast that begins; it is not playable until it is finished."""
    video = Video.objects.create(
        channel=channel,
        title=title,
        category=category,
        visibility=visibility,
        status=Video.Status.PROCESSING,
        **VideoDefaults.of(channel).audience,
    )
    _add_run(video)
    return video


@transaction.atomic
def describe_recording(video_id: int, *, title: str, category: str) -> None:
    """Change title and category of a recording; a deleted one is left out."""
    for video in Video.objects.select_for_update().filter(pk=video_id):
        video.title, video.category = title, category
        video.save(update_fields=["title", "category"])


@transaction.atomic
def record_renditions(video: Video, renditions: Sequence[RecordedRendition]) -> None:
    """Record the renditions of a recording or of a later part of it, best first.

    If the parts of a rendition differ, its row holds the values that a player needs
    for all of them: the largest size, the highest frame rate and bitrate, and the most
    demanding codecs.  Raises RecordingClosed for a deleted video.
    """
    # A new rendition refers to the video, and PostgreSQL locks that at the commit only, too late
    # for the order video, renditions, runs.
    if not Video.objects.select_for_update().filter(pk=video.pk).exists():
        raise RecordingClosed
    listed = Rendition.objects.select_for_update().filter(video=video, encode_key=video.encode_key)
    held = {rendition.name: rendition for rendition in listed}
    for position, recorded in enumerate(renditions):
        rendition = held.get(recorded.name)
        if rendition is None:
            Rendition.objects.create(
                video=video,
                encode_key=video.encode_key,
                kind=Rendition.Kind.VIDEO,
                position=position,
                **asdict(recorded),
            )
            continue
        if recorded.width_px * recorded.height_px > rendition.width_px * rendition.height_px:
            rendition.width_px, rendition.height_px = recorded.width_px, recorded.height_px
        rendition.frame_rate = max(rendition.frame_rate, recorded.frame_rate)
        rendition.bitrate_bps = max(rendition.bitrate_bps, recorded.bitrate_bps)
        rendition.codecs = covering_codecs(rendition.codecs, recorded.codecs)
        rendition.save(update_fields=["width_px", "height_px", "frame_rate", "bitrate_bps", "codecs"])
    best = renditions[0]
    Video.objects.filter(pk=video.pk, width_px=None).update(width_px=best.width_px, height_px=best.height_px)


def covering_codecs(one: str, other: str) -> str:
    """Return codecs that cover both arguments (RFC 6381).

    They name the higher profile and level of H.264, and the higher object type of AAC:
    a decoder for HE-AAC version 2 (29) plays HE-AAC (5) and LC (2).
    """
    video, _, sound = one.partition(",")
    other_video, _, other_sound = other.partition(",")
    both = (video, other_video)
    if all(len(codec) == len("avc1.PPCCLL") for codec in both):
        highest = max(both, key=lambda codec: int(codec[5:7], 16))
        video = highest[:9] + max((codec[9:] for codec in both), key=lambda level: int(level, 16))
    return ",".join(filter(None, (video, max(sound, other_sound, key=aac.object_type_of))))


@transaction.atomic
def open_run(video: Video, *, is_continuous: bool, began_at: datetime) -> SegmentRun:
    """Open a run that only the caller fills, and close the previous one.

    ``began_at`` is the time of its first frame; ``is_continuous`` means that its
    timestamps continue those of the last listed segment.  Raises RecordingClosed.
    """
    running = Video.objects.select_for_update().filter(
        pk=video.pk, encode_key=video.encode_key, status=Video.Status.PROCESSING
    )
    if not running.exists():
        raise RecordingClosed
    runs = SegmentRun.objects.of(video)
    filled = runs.exclude(segments=[]).last()
    _close(runs)
    return _add_run(
        video,
        first_segment=filled.first_segment + len(filled.segments) if filled else 0,
        is_discontinuous=filled is None or not is_continuous,
        began_at=began_at,
    )


def segment_key(run: SegmentRun, rendition_name: str, index: int) -> str:
    """Return the storage key of a run's segment ``index`` (the number in the name counts across runs)."""
    return f"{_folder(run, rendition_name)}{run.first_segment + index}.m4s"


def init_key(run: SegmentRun, rendition_name: str) -> str:
    return f"{_folder(run, rendition_name)}init.mp4"


def append_segment(run: SegmentRun, *, duration_s: float, size_bytes: int) -> None:
    """List a run's next segment, already stored in every rendition.  Raises RecordingClosed."""
    segments = [*run.segments, round(duration_s, 6)]
    bytes_stored = run.bytes_stored + size_bytes
    if not SegmentRun.objects.held(run).update(segments=segments, bytes_stored=bytes_stored):
        raise RecordingClosed
    run.segments, run.bytes_stored = segments, bytes_stored


@transaction.atomic
def reopen_recording(video: Video) -> None:
    """Reopen a finished recording, because its broadcast goes on.

    Its measured bitrates are dropped: later segments may exceed them.  So is its MP4, which
    ends too early.
    """
    found = Video.objects.select_for_update().filter(pk=video.pk, encode_key=video.encode_key).first()
    if found is None:
        return
    mp4_key = found.mp4_key
    running = {"is_playable": False, "mp4_key": "", "mp4_expires_at": None}
    if found.status == Video.Status.READY and found.transition(Video.Status.PROCESSING, **running):
        if mp4_key:
            # A download may have begun a moment ago.
            deletion.delete_later(mp4_key, after=URL_LIFETIME)
        renditions = Rendition.objects.filter(video=video, encode_key=video.encode_key)
        renditions.update(peak_bps=None, average_bps=None)
    # Its runs are closed even if storage has not let it become ready.
    if not SegmentRun.objects.of(video).filter(is_open=True).exists():
        _add_run(video)


def finish_recording(video: Video, *, poster_key: str = "") -> None:
    """Complete a recording as a ready video, or delete it if it has no segment.

    Its visibility stays: the owner may have changed it during the broadcast.  If storage
    does not answer, the sweep completes it later.
    """
    with transaction.atomic():
        found = Video.objects.select_for_update().filter(
            pk=video.pk, encode_key=video.encode_key, status=Video.Status.PROCESSING
        )
        if not found.exists():
            return
        runs = SegmentRun.objects.of(video)
        _close(runs)
        if not runs.exclude(segments=[]).exists():
            delete_video(video)
            return
        found.exclude(poster_key__startswith=video.posters_prefix).update(poster_key=poster_key)
    try:
        ends.complete(video.pk)
    except storage.StorageError:
        logger.warning("Recording completed later: storage does not answer", extra={"video": video.public_id})


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive frames of a recording: the time of the first one, and their position in the video (s)."""

    began_at: datetime
    start_s: float
    end_s: float


def stretches(video: Video) -> list[Stretch]:
    """Return the stretches of a recording in order; they map times to positions and back."""
    found, start_s = [], 0.0
    for run in SegmentRun.objects.of(video):
        end_s = start_s + run.duration_s
        if run.segments and run.began_at:
            found.append(Stretch(run.began_at, start_s, end_s))
        start_s = end_s
    return found


def _close(runs: SegmentRunQuerySet) -> None:
    runs.filter(is_open=True).update(is_open=False)


def _add_run(video: Video, **fields: Any) -> SegmentRun:
    last = SegmentRun.objects.of(video).last()
    return SegmentRun.objects.create(
        video=video,
        encode_key=video.encode_key,
        kind=Rendition.Kind.VIDEO,
        position=last.position + 1 if last else 0,
        attempt=ONLY_ATTEMPT,
        **fields,
    )


def _folder(run: SegmentRun, rendition_name: str) -> str:
    return f"{run.video.encode_prefix}{run.folder(rendition_name)}"
