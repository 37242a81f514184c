"""Transcriptions: the queue of record of automatic captions.

A row is the request for one video.  A worker claims it by a conditional UPDATE for one
chunk of sound, stores the chunk's words and releases it, so that a killed worker loses one
chunk and a lecture does not hold up a clip.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from videos.models.videos import Video


class TranscriptionQuerySet(models.QuerySet["Transcription"]):
    def active(self) -> TranscriptionQuerySet:
        return self.filter(status__in=Transcription.ACTIVE)

    def claimable(self) -> TranscriptionQuerySet:
        """Return the rows of ready videos that wait and are due, or that run under an expired lease."""
        now = timezone.now()
        free = Q(status=Transcription.Status.WAITING, not_before__lte=now)
        lost = Q(status=Transcription.Status.RUNNING, lease_until__lt=now)
        return self.filter(free | lost, video__status=Video.Status.READY)

    def held(self, row: Transcription) -> TranscriptionQuerySet:
        """Return the row if it still runs under the attempt of ``row``."""
        return self.filter(pk=row.pk, status=Transcription.Status.RUNNING, attempt=row.attempt)


class Transcription(models.Model):
    """The transcription of one video's speech."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Canceled")

    ACTIVE = (Status.WAITING, Status.RUNNING)

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
    status = models.CharField(_("status"), max_length=9, choices=Status.choices, default=Status.WAITING)
    # The length of the heard part, and the time that workers spent on it.
    heard_s = models.FloatField(_("transcribed (s)"), default=0)
    work_s = models.FloatField(_("work (s)"), default=0)

    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    failures = models.PositiveSmallIntegerField(_("failures"), default=0)
    losses = models.PositiveSmallIntegerField(_("worker losses"), default=0)
    waits_for = models.CharField(_("waits for"), max_length=8, choices=WaitsFor.choices, blank=True)
    waits = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(_("worker"), max_length=100, blank=True)
    created_at = models.DateTimeField(_("requested"), default=timezone.now)
    claimed_at = models.DateTimeField(_("claimed"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    error_code = models.CharField(_("error code"), max_length=32, choices=Outcome.choices, blank=True)
    error_detail = models.TextField(_("error"), blank=True)

    objects = TranscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("transcription")
        verbose_name_plural = _("transcriptions")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["status", "not_before"], name="transcription_queue")]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.status}"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    def renew_lease(self, **fields: Any) -> bool:
        """Extend the lease and update ``fields``; return False if this attempt has lost the lease."""
        until = timezone.now() + timedelta(seconds=settings.ENCODE_LEASE_S)
        return Transcription.objects.held(self).update(lease_until=until, **fields) == 1


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
