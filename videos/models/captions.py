"""Captions of videos."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from videos.languages import language_name
from videos.models.videos import Video


class CaptionTrack(models.Model):
    """Captions in one language: a WebVTT file, converted from an uploaded one."""

    video = models.ForeignKey(Video, models.CASCADE, related_name="captions")
    language = models.CharField(max_length=35, help_text="RFC 5646, in its usual case: en, pt-BR, zh-Hans")
    key = models.CharField(max_length=200)
    cue_count = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("captions")
        verbose_name_plural = _("captions")
        ordering = ["language"]
        constraints = [models.UniqueConstraint(fields=["video", "language"], name="captions_once")]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.language}"

    @property
    def label(self) -> str:
        """Return the language by its own name, as shown in the player's menu."""
        return language_name(self.language)
