"""Encodes that another one replaced, kept while players may hold their playlists."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from common import storage
from videos.models.videos import Video

# After a trim.  A player that was opened before then holds all its playlists, with signed URLs.
PLAYABLE_AFTER_TRIM = timedelta(minutes=5)


class RetiredEncodeQuerySet(models.QuerySet["RetiredEncode"]):
    def playable(self) -> RetiredEncodeQuerySet:
        """Return the encodes whose playlists are still given out."""
        return self.filter(Q(playable_until=None) | Q(playable_until__gt=timezone.now()))

    def end_soon(self) -> None:
        """End the playlists of encodes that hold parts which a trim has cut."""
        until = timezone.now() + PLAYABLE_AFTER_TRIM
        self.filter(playable_until=None).update(playable_until=until)


class RetiredEncode(models.Model):
    """An earlier encode of a video, whose playlists and segments players may still request.

    Its renditions and runs stay rows of the video, under their own encode key.
    """

    video = models.ForeignKey(Video, models.CASCADE, related_name="retired_encodes")
    encode_key = models.CharField(max_length=16)
    duration_s = models.FloatField(null=True)
    storyboard_key = models.CharField(max_length=200, blank=True, default="")
    # Empty if the video still has this source.
    source_key = models.CharField(max_length=200, blank=True, default="")
    retired_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(db_index=True, help_text="no player can hold a playlist of it from then on")

    # Empty unless the video was trimmed: until due_at.
    playable_until = models.DateTimeField(null=True)

    objects = RetiredEncodeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["video", "encode_key"], name="retired_encode_once")]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.encode_key}"

    @property
    def prefix(self) -> str:
        return f"{self.video.prefix}{self.encode_key}/"

    @property
    def signed_for(self) -> timedelta:
        """Return the time for which URLs of its segments are valid."""
        return storage.lifetime(self.duration_s) + storage.SIGNING_WINDOW

    def on(self, video: Video) -> Video:
        """Return ``video``, unsaved, as it was with this encode."""
        video.encode_key = self.encode_key
        video.duration_s = self.duration_s
        video.storyboard_key = self.storyboard_key
        return video
