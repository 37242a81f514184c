"""Requests of owners for automatic captions."""

from __future__ import annotations

from videos import transcriptions
from videos.languages import canonical_tag
from videos.models import Transcription, Video
from videos.services.errors import (
    CannotTranscribe,
    NothingToCancel,
    TranscriptionOff,
    TranscriptionRuns,
    UnheardLanguage,
)
from videos.transcription.languages import code_of


def request_transcription(video: Video, *, language: str = "") -> Transcription:
    """Queue automatic captions in the spoken language, which is found if ``language`` is empty."""
    if not transcriptions.is_on():
        raise TranscriptionOff
    tag = canonical_tag(language) if language else ""
    if tag is None or (tag and code_of(tag) is None):
        raise UnheardLanguage(attr="language")
    if video.status not in (Video.Status.PROCESSING, Video.Status.READY):
        raise CannotTranscribe
    if not transcriptions.request(video, "zh-Hans" if tag == "zh" else tag):
        raise TranscriptionRuns
    return Transcription.objects.select_related("video").get(video=video)


def cancel_transcription(video: Video) -> None:
    if not transcriptions.cancel(video):
        raise NothingToCancel
