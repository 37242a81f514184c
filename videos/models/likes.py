"""Likes of videos."""

from __future__ import annotations

from django.db import models

from accounts.models import User
from videos.models.videos import Video


class Like(models.Model):
    video = models.ForeignKey(Video, models.CASCADE, related_name="likes")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["video", "user"], name="like_once")]

    def __str__(self) -> str:
        return f"{self.user_id} ♥ {self.video_id}"
