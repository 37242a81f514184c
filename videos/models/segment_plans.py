"""Segment plans: the segments that an encode will have, known before they exist."""

from __future__ import annotations

from django.db import models

from videos.models.renditions import Rendition
from videos.models.videos import Video
from videos.transcoding.chunks import SegmentGrid


class SegmentPlan(models.Model):
    """The grid on which all renditions of one kind are cut, for the life of an encode.

    Recordings, encodes from before this model, and audio without a video track have none:
    their playlists list only stored segments.
    """

    video = models.ForeignKey(Video, models.CASCADE, related_name="plans")
    encode_key = models.CharField(max_length=16)
    kind = models.CharField(max_length=8, choices=Rendition.Kind.choices)
    # Seconds from the start of the video, ascending from 0; one for each segment.
    starts_s = models.JSONField(default=list)
    end_s = models.FloatField()
    is_trusted = models.BooleanField(
        default=False, help_text="playlists may list the planned segments before they exist"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["video", "encode_key", "kind"], name="plan_once"),
        ]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.kind}, {len(self.starts_s)} segments"

    @property
    def grid(self) -> SegmentGrid:
        return SegmentGrid(tuple(self.starts_s), self.end_s)
