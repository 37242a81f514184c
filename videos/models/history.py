"""The past of a person: watched videos with the position in each, and the last visit to their feed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from common.words import composed
from videos.models.search import Folded
from videos.models.video_lists import MOST_WORDS
from videos.models.videos import Video

# Shorter videos, and all videos from here on, begin at the beginning.
RESUMED_FROM_S = 120.0
STARTED_AFTER_S = 5.0
FINISHED_AT = 0.95  # of the duration


class WatchedQuerySet(models.QuerySet["WatchedVideo"]):
    def of(self, user: User) -> WatchedQuerySet:
        return self.filter(user=user)

    def for_cards(self) -> WatchedQuerySet:
        """Join the video and its channel, so that a list of cards takes two queries."""
        return self.select_related("video__channel__owner").prefetch_related("video__timeline_changes")

    def unfinished(self) -> WatchedQuerySet:
        """Return the rows whose videos are resumed in the middle."""
        return self.filter(
            position_s__gt=STARTED_AFTER_S,
            position_s__lt=models.F("video__duration_s") * FINISHED_AT,
            video__duration_s__gt=RESUMED_FROM_S,
        )

    def matching(self, words: str) -> WatchedQuerySet:
        """Return the rows with every word in the title of the video or the name of its channel."""
        rows = self.alias(title=Folded("video__title"), name=Folded("video__channel__display_name"))
        for word in composed(words).split()[:MOST_WORDS]:
            wanted = Folded(models.Value(word))
            rows = rows.filter(models.Q(title__contains=wanted) | models.Q(name__contains=wanted))
        return rows


class WatchedVideo(models.Model):
    """Entry of a person's watch history: one for each video, renewed each time they watch it."""

    user = models.ForeignKey(User, models.CASCADE, related_name="watched_videos")
    video = models.ForeignKey(Video, models.CASCADE, related_name="+")
    position_s = models.FloatField(default=0)
    watched_at = models.DateTimeField(_("watched"))

    objects = WatchedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "video"], name="watched_once")]
        indexes = [models.Index(fields=["user", "-watched_at", "-id"], name="watched_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.video_id} at {self.position_s} s"

    @property
    def moment_s(self) -> float:
        """Return the position (s) in the video as it is today; 0 if that moment is cut."""
        return self.video.moment_now(self.position_s, self.watched_at) or 0.0

    @property
    def resume_s(self) -> float:
        """Return the position (s) where playback continues, 0 for the beginning."""
        duration_s, moment_s = self.video.duration_s or 0, self.moment_s
        is_inside = STARTED_AFTER_S < moment_s < duration_s * FINISHED_AT
        return moment_s if is_inside and duration_s > RESUMED_FROM_S else 0.0

    @property
    def percent(self) -> int:
        """Return the part of the video that lies before the position, in percent."""
        duration_s = self.video.duration_s or 0
        return min(100, round(100 * self.moment_s / duration_s)) if duration_s else 0


class FeedVisit(models.Model):
    """Last visit of a person to the feed of the channels that they follow: later videos are new to them."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="+")
    visited_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user_id}: {self.visited_at}"


class HistoryPause(models.Model):
    """Choice of a person that nothing is added to their watch history."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="+")
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.user_id)
