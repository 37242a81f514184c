"""Captions of videos."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from videos.languages import automatic_mark, language_name
from videos.models.videos import Video


class CaptionTrack(models.Model):
    """Captions in one language: a WebVTT file of ours, whatever its words came from."""

    class Origin(models.TextChoices):
        OWNER = "owner", _("Added by the owner")
        EMBEDDED = "embedded", _("From the video file")
        AUTOMATIC = "automatic", _("Automatic")
        IMPORTED = "imported", _("From another site")

    video = models.ForeignKey(Video, models.CASCADE, related_name="captions")
    language = models.CharField(max_length=35, help_text="RFC 5646, in its usual case: en, pt-BR, zh-Hans")
    key = models.CharField(max_length=200)
    cue_count = models.PositiveIntegerField()
    origin = models.CharField(
        _("origin"), max_length=9, choices=Origin.choices, default=Origin.OWNER, db_default=Origin.OWNER
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("captions")
        verbose_name_plural = _("captions")
        ordering = ["language"]
        constraints = [models.UniqueConstraint(fields=["video", "language"], name="captions_once")]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.language}"

    @property
    def version(self) -> str:
        """Return a word that changes whenever the captions do."""
        return self.key.rsplit("/", 1)[-1].removesuffix(".vtt")[-12:]

    @property
    def is_automatic(self) -> bool:
        return self.origin == self.Origin.AUTOMATIC

    @property
    def label(self) -> str:
        """Return the language by its own name, as shown in menus; automatic captions say so."""
        name = language_name(self.language)
        return f"{name}{automatic_mark(self.language)}" if self.is_automatic else name
