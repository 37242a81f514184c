"""Renditions: the encoded rungs and audio tracks of a video."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from videos.models.videos import Video


class Rendition(models.Model):
    """One encoded rung or audio track: the content of one media playlist."""

    class Kind(models.TextChoices):
        VIDEO = "video"
        AUDIO = "audio"

    class Role(models.TextChoices):
        """The purpose of an added audio track."""

        DUB = "dub", _("Dub")
        COMMENTARY = "commentary", _("Commentary")
        DESCRIPTION = "description", _("Audio description")

    video = models.ForeignKey(Video, models.CASCADE, related_name="renditions")
    encode_key = models.CharField(max_length=16)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    position = models.PositiveSmallIntegerField(help_text="best rung first; tracks in the source's order")
    name = models.CharField(max_length=16, help_text="names its folder and its playlist: 1080p, audio-0")
    width_px = models.PositiveIntegerField(default=0)
    height_px = models.PositiveIntegerField(default=0)
    frame_rate = models.FloatField(default=0)
    bitrate_bps = models.PositiveIntegerField(help_text="what its encoder may send at most")
    # Measured on the stored segments, once the encode is complete.
    peak_bps = models.PositiveBigIntegerField(null=True)
    average_bps = models.PositiveBigIntegerField(null=True)
    keyframes_peak_bps = models.PositiveBigIntegerField(
        null=True, help_text="of its I-frame playlist; empty: its keyframes have no index"
    )
    codecs = models.CharField(max_length=40, blank=True)
    language = models.CharField(max_length=16, blank=True)
    label = models.CharField(max_length=100, blank=True)
    channels = models.PositiveSmallIntegerField(default=0)
    role = models.CharField(max_length=12, choices=Role.choices, blank=True, default="", db_default="")
    is_added = models.BooleanField(
        default=False, db_default=False, help_text="an audio track of a file of its own, not of the source"
    )
    is_default = models.BooleanField(default=False)
    is_copied = models.BooleanField(
        default=False, db_default=False, help_text="the source's own stream, not encoded"
    )
    # A copy of a high bitrate serves until the encode is complete; then no new player gets it.
    is_interim = models.BooleanField(default=False, db_default=False)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["kind", "position"]
        constraints = [models.UniqueConstraint(fields=["video", "encode_key", "name"], name="rendition_once")]
        indexes = [
            models.Index(fields=["video"], condition=Q(peak_bps=None), name="rendition_unmeasured"),
            models.Index(fields=["retired_at"], condition=~Q(retired_at=None), name="rendition_retired"),
        ]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.name}"
