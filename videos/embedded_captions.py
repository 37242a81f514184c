"""Captions from the subtitles of a source, made by a job after the encode."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from django.db import transaction

from common import deletion
from videos import caption_tracks, queue
from videos.hls import captions
from videos.languages import canonical_tag, spoken_tag
from videos.models import CaptionTrack, Job, Video
from videos.transcoding.caption_conversion import convert
from videos.transcoding.captions import MAX_BYTES, UnreadableCaptions
from videos.transcoding.errors import LimitsExceeded
from videos.transcoding.subtitles import SubtitleStream

logger = logging.getLogger(__name__)

UNDETERMINED = "und"


def queue_for(video: Video) -> None:
    """Queue the job of a source with subtitles, in the caller's transaction."""
    if video.source is None or not video.source.subtitles:
        return
    job = Job(video=video, encode_key=video.encode_key, kind=Job.Kind.SUBTITLES, lane=Job.Lane.AFTER)
    Job.objects.bulk_create([job], ignore_conflicts=True)
    transaction.on_commit(lambda: queue.wake(Job.Lane.AFTER))


def queue_again(video: Video, old_key: str) -> None:
    """Queue the job of the encode before again if it is not done, in the transaction of a take-over."""
    jobs = video.jobs.filter(encode_key=old_key, kind=Job.Kind.SUBTITLES)
    if jobs.exclude(status=Job.Status.DONE).exists():
        queue_for(video)


def store(job: Job, files: list[tuple[SubtitleStream, Path]]) -> int:
    """Store extracted caption files unless the owner has captions in their languages; return their number.

    Their times are those of the source, and move with a trim.
    """
    video, count = job.video, 0
    for track, path in files:
        language = canonical_tag(spoken_tag(track.language)) or UNDETERMINED
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
        try:
            converted = convert(data, language=language)
        except (UnreadableCaptions, LimitsExceeded) as error:
            log = {"video": video.public_id, "stream": track.index, "reason": type(error).__name__}
            logger.info("Subtitles hold no captions", extra=log)
            continue
        if video.timeline:
            text, cue_count = captions.moved(converted.webvtt.decode(), video.timeline.section)
            if not cue_count:
                continue
            converted = replace(converted, webvtt=text.encode(), cue_count=cue_count)
        key = caption_tracks.put(video, language, converted.webvtt)
        origin = CaptionTrack.Origin.EMBEDDED
        try:
            count += caption_tracks.record_ours(
                video, language, key, converted, origin, encode_key=job.encode_key
            )
        except caption_tracks.TracksFull:
            deletion.delete_later(key)
            break
    return count
