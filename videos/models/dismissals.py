"""Videos that a person does not want to be shown in recommendations."""

from __future__ import annotations

from django.db import models

from accounts.models import User
from videos.models.videos import Video


class DismissedVideo(models.Model):
    """Choice of a person that home, trending and related lists leave a video out."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    video = models.ForeignKey(Video, models.CASCADE, related_name="dismissals")
    dismissed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "video"], name="dismissed_once")]
        indexes = [models.Index(fields=["user", "-id"], name="dismissed_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.video_id}"
