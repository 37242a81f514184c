"""Views of videos by day, and the videos that trend."""

from __future__ import annotations

from django.db import models

from videos.models.videos import Video


class DailyViews(models.Model):
    """Views of a video on one day (UTC); their sum grows with ``Video.view_count``."""

    video = models.ForeignKey(Video, models.CASCADE, related_name="daily_views")
    day = models.DateField()
    views = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["video", "day"], name="views_once_a_day")]
        indexes = [models.Index(fields=["day", "video"], name="views_by_day")]

    def __str__(self) -> str:
        return f"{self.video_id} on {self.day}: {self.views}"


class TrendingVideo(models.Model):
    """Place of a video among those that trend; the whole table is replaced at each ranking."""

    video = models.OneToOneField(Video, models.CASCADE, primary_key=True, related_name="trending")
    place = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["place"], name="trending_by_place")]

    def __str__(self) -> str:
        return f"{self.place}: {self.video_id}"
