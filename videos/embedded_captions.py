"""Captions from the subtitles of a source, made by a job after the encode."""

from __future__ import annotations

import logging
from pathlib import Path

from django.db import transaction

from common import deletion
from videos import caption_tracks, queue
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


def store(video: Video, files: list[tuple[SubtitleStream, Path]]) -> int:
    """Store extracted caption files unless the owner has captions in their languages; return their number."""
    count = 0
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
        key = caption_tracks.put(video, language, converted.webvtt)
        try:
            count += caption_tracks.record_ours(video, language, key, converted, CaptionTrack.Origin.EMBEDDED)
        except caption_tracks.TracksFull:
            deletion.delete_later(key)
            break
    return count
