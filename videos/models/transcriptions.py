"""Transcriptions: the queue of record of automatic captions.

A row is the request for one video.  A worker claims it by a conditional UPDATE for one
chunk of sound, stores the chunk's words and releases it, so that a killed worker loses one
chunk and a lecture does not hold up a clip.
"""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from videos.models.leased_work import LeasedQuerySet, LeasedWork
from videos.models.videos import Video


class TranscriptionQuerySet(LeasedQuerySet["Transcription"]):
    def claimable(self) -> Self:
        """Return the claimable rows of ready videos."""
        return super().claimable().filter(video__status=Video.Status.READY)


class Transcription(LeasedWork):
    """The transcription of one video's speech."""

    class WaitsFor(models.TextChoices):
        """The part of the platform that a transcription waits for."""

        STORAGE = "storage", _("Waiting for storage…")
        HOST = "host", _("Waiting for a free machine…")
        MODEL = "model", _("Waiting for the speech model…")

    class Outcome(models.TextChoices):
        """The reason of an end without new captions: a code for programs, a sentence for the owner."""

        NO_AUDIO = "no_audio", _("This video has no audio.")
        NO_SPEECH = "no_speech", _("No speech was found in this video.")
        KEPT_YOURS = "kept_yours", _("Your own captions in this language were kept.")
        TOO_MANY_CAPTIONS = "too_many_captions", _("Remove captions in one language and try again.")
        RECOGNITION_FAILED = (
            "recognition_failed",
            _("The speech could not be recognized. Try again, or add captions yourself."),
        )

    video = models.OneToOneField(Video, models.CASCADE, related_name="transcription", verbose_name=_("video"))
    # The encode whose sound the chunks heard.
    encode_key = models.CharField(max_length=16)
    # A tag that the owner chose, empty to find it, and the code that the model found.
    language = models.CharField(_("language"), max_length=35, blank=True)
    found_language = models.CharField(_("found language"), max_length=8, blank=True)
    # The length of the heard part, and the time that workers spent on it.
    heard_s = models.FloatField(_("transcribed (s)"), default=0)
    work_s = models.FloatField(_("work (s)"), default=0)

    waits_for = models.CharField(_("waits for"), max_length=8, choices=WaitsFor.choices, blank=True)
    created_at = models.DateTimeField(_("requested"), default=timezone.now)
    error_code = models.CharField(_("error code"), max_length=32, choices=Outcome.choices, blank=True)

    objects = TranscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("transcription")
        verbose_name_plural = _("transcriptions")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["status", "not_before"], name="transcription_queue")]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.status}"


class TranscribedChunk(models.Model):
    """The words of one chunk of sound, until they become captions."""

    transcription = models.ForeignKey(Transcription, models.CASCADE, related_name="chunks")
    start_s = models.FloatField()
    words = models.JSONField(help_text="[start (ms), end (ms), text] for each word")

    class Meta:
        ordering = ["start_s"]
        constraints = [models.UniqueConstraint(fields=["transcription", "start_s"], name="chunk_heard_once")]

    def __str__(self) -> str:
        return f"{self.transcription_id}: {self.start_s}"
