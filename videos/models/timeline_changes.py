"""Changes of a video's time line: each trim, and each return to the original."""

from __future__ import annotations

from django.db import models

from videos.models.videos import Video
from videos.transcoding.timeline import KeptParts


class TimelineChange(models.Model):
    """A trim of a video, or a return to its original; times written before it lead elsewhere since."""

    video = models.ForeignKey(Video, models.CASCADE, related_name="timeline_changes")
    made_at = models.DateTimeField(auto_now_add=True)
    parts = models.JSONField(
        help_text="kept parts (s): of the time line before, or of the original if restored"
    )
    is_restored = models.BooleanField(
        default=False, help_text="the original came back: times move the other way"
    )
    # A list of chapters moves with the video; an unchanged description comes back with the original.
    description_before = models.TextField(blank=True)
    description_after = models.TextField(blank=True)

    class Meta:
        ordering = ["made_at", "pk"]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.made_at}"

    @property
    def kept(self) -> KeptParts:
        return KeptParts.of(self.parts)
