"""The work of a worker of captions: hear one chunk, store its words, and after the last one the captions.

The sound is read from the published segments, so that uploads and recordings are one case
and every time is on the player's timeline.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from time import monotonic

from django.conf import settings
from django.db import transaction

from common import deletion, disk, storage
from videos import caption_tracks, transcriptions
from videos.leases import lease_kept
from videos.models import CaptionTrack, Rendition, TranscribedChunk, Transcription
from videos.publishing import Encode, LeaseLost, Placed
from videos.transcoding.caption_conversion import ConversionBusy, Converted, convert
from videos.transcoding.captions import UnreadableCaptions
from videos.transcoding.errors import DecodeFailed, LimitsExceeded
from videos.transcription.cues import Word, captions_of
from videos.transcription.languages import code_of, tag_of
from videos.transcription.listening import Heard, RecognitionFailed, decode_sound, listen
from videos.transcription.weights import ModelMissing, folder_of

logger = logging.getLogger(__name__)

CHUNK_S = 90.0
# A cut that leaves less than this is left to the next chunk only if there is one.
LEAST_CHUNK_S = 0.5
MAX_SEGMENT_BYTES = 64 * 1024**2

MEDIA_ERRORS = (DecodeFailed, LimitsExceeded, RecognitionFailed, UnreadableCaptions)
"""Errors that the sound or the model may have caused."""


def work() -> bool:
    """Transcribe one chunk; return False if none waits or the local disk is full."""
    if not disk.has_room():
        return False
    row = transcriptions.claim()
    if row is None:
        return False
    run(row)
    transcriptions.wake()
    return True


def run(row: Transcription) -> None:
    """Hear the next chunk of a claimed row, and record the outcome in the row."""
    try:
        hear_next(row)
    except LeaseLost:
        logger.info("Transcription lost its lease or was canceled", extra={"transcription": row.pk})
    except ModelMissing as error:
        logger.warning("Transcription waits for its model", extra={"reason": str(error)})
        transcriptions.put_off(row, Transcription.WaitsFor.MODEL, error)
    except storage.StorageError as error:
        transcriptions.put_off(row, Transcription.WaitsFor.STORAGE, error)
    except (OSError, ConversionBusy) as error:
        transcriptions.put_off(row, Transcription.WaitsFor.HOST, error)
    except MEDIA_ERRORS as error:
        logger.warning("Chunk not heard", extra={"transcription": row.pk, "reason": str(error)})
        transcriptions.fail(row, error)


def hear_next(row: Transcription) -> None:
    """Hear one chunk; after the last one, make the captions.  Raises LeaseLost and the errors above."""
    began = monotonic()
    sound = Sound.of(row)
    if sound is None:
        transcriptions.end(row, Transcription.Outcome.NO_AUDIO)
        return
    if row.encode_key != row.video.encode_key:
        _begin_anew(row)
    part = sound.part_from(row.heard_s)
    if part is not None:
        model = folder_of(settings.CAPTIONS_MODEL, settings.DATA_DIR / "models")
        with disk.workspace() as folder, lease_kept(row):
            raw = folder / "sound.raw"
            decode_sound(part.fetch(folder), raw)
            language = (code_of(row.language) if row.language else row.found_language) or ""
            heard = listen(
                raw,
                model=model,
                starts_at_s=row.heard_s,
                skip_s=row.heard_s - part.starts_at_s,
                language=language,
                tag=row.language,
                is_last=part.is_last,
            )
        _store(row, heard, until_s=part.ends_at_s if part.is_last else heard.until_s, began=began)
    if part is None or part.is_last:
        finish(row)
    else:
        _release(row)


@dataclass(frozen=True, slots=True)
class SoundPart:
    """Consecutive segments with one init segment, and their place on the timeline."""

    key_of: Callable[[str], str]
    segments: Sequence[Placed]
    starts_at_s: float
    ends_at_s: float
    is_last: bool

    def fetch(self, folder: Path) -> Path:
        """Write the segments as one fragmented MP4 into ``folder``."""
        path = folder / "sound.mp4"
        names = [self.segments[0].init_name, *(segment.name for segment in self.segments)]
        with path.open("wb") as file:
            for name in names:
                file.write(storage.read_range(self.key_of(name), 0, MAX_SEGMENT_BYTES))
        return path


@dataclass(frozen=True, slots=True)
class Sound:
    """The published segments with a video's sound."""

    key_of: Callable[[str], str]
    segments: Sequence[Placed]

    @classmethod
    def of(cls, row: Transcription) -> Sound | None:
        """Return the default audio track, or the smallest rendition of a recording; None without sound."""
        encode = Encode.of(row.video)
        tracks = encode.tracks
        rendition: Rendition | None = next((track for track in tracks if track.is_default), None)
        rendition = rendition or next(iter(tracks), None)
        if rendition is None:
            with_sound = [rung for rung in encode.rungs if "mp4a" in rung.codecs]
            rendition = min(with_sound, key=lambda rung: rung.bitrate_bps, default=None)
        if rendition is None:
            return None
        segments = encode.segments(rendition)
        return cls(row.video.key_of, segments) if segments else None

    def part_from(self, start_s: float) -> SoundPart | None:
        """Return the segments of the next ``CHUNK_S`` seconds; None at the end.

        A part ends before a discontinuity, where another init segment begins.
        """
        at_s, index = 0.0, 0
        for segment in self.segments:
            if at_s + segment.duration_s > start_s + LEAST_CHUNK_S:
                break
            at_s += segment.duration_s
            index += 1
        rest = self.segments[index:]
        if not rest:
            return None
        together = list(takewhile(lambda segment: segment.init_name == rest[0].init_name, rest))
        chosen: list[Placed] = []
        ends_at_s = at_s
        for segment in together:
            if chosen and ends_at_s - start_s >= CHUNK_S:
                break
            chosen.append(segment)
            ends_at_s += segment.duration_s
        is_last = len(chosen) == len(rest)
        return SoundPart(self.key_of, chosen, at_s, ends_at_s, is_last)


@transaction.atomic
def _begin_anew(row: Transcription) -> None:
    """Forget the words of an earlier encode, whose timeline may differ.  Raises LeaseLost."""
    row.encode_key, row.heard_s, row.work_s = row.video.encode_key, 0.0, 0.0
    if not row.renew_lease(encode_key=row.encode_key, heard_s=0, work_s=0):
        raise LeaseLost
    row.chunks.all().delete()


@transaction.atomic
def _store(row: Transcription, heard: Heard, *, until_s: float, began: float) -> None:
    """Store a chunk's words and the position behind it.  Raises LeaseLost."""
    start_s, row.heard_s = row.heard_s, max(until_s, row.heard_s + LEAST_CHUNK_S)
    row.work_s += monotonic() - began
    row.found_language = row.found_language or heard.language
    fields = {
        "heard_s": row.heard_s,
        "work_s": row.work_s,
        "found_language": row.found_language,
        "failures": 0,
        "losses": 0,
        "waits": 0,
        "waits_for": "",
    }
    if not row.renew_lease(**fields):
        raise LeaseLost
    words = [[word.start_ms, word.end_ms, word.text] for word in heard.words]
    TranscribedChunk.objects.create(transcription=row, start_s=start_s, words=words)


def _release(row: Transcription) -> None:
    """Let the next chunk wait for its turn among the others' chunks."""
    Transcription.objects.queue_again(row)


def finish(row: Transcription) -> None:
    """Make captions from the words of all chunks and end the row.  Raises LeaseLost."""
    words = [Word(*word) for chunk in row.chunks.all() for word in chunk.words]
    if not words:
        transcriptions.end(row, Transcription.Outcome.NO_SPEECH)
        return
    language = row.language or tag_of(row.found_language)
    rendered = captions_of(words, language).render()
    converted = convert(rendered.encode(), language=language)
    key = caption_tracks.put(row.video, language, converted.webvtt)
    try:
        is_recorded = _record(row, language, key, converted)
    except LeaseLost:
        deletion.delete_later(key)
        raise
    except caption_tracks.TracksFull:
        deletion.delete_later(key)
        transcriptions.end(row, Transcription.Outcome.TOO_MANY_CAPTIONS)
        return
    if not is_recorded:
        transcriptions.end(row, Transcription.Outcome.KEPT_YOURS)
    logger.info("Captions made", extra={"video": row.video.public_id, "language": language})


@transaction.atomic
def _record(row: Transcription, language: str, key: str, converted: Converted) -> bool:
    """Record the captions and the end of the row as one fact; return False if the owner's own stay."""
    if not row.renew_lease():
        raise LeaseLost
    automatic = CaptionTrack.Origin.AUTOMATIC
    if not caption_tracks.record_ours(row.video, language, key, converted, automatic):
        return False
    Transcription.objects.end(row, Transcription.Status.DONE, error_code="", error_detail="")
    row.chunks.all().delete()
    return True
