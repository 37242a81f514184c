"""Segment runs: the stored segments of an encode, whether a worker or a recorder stored them.

Playlists are derived from these rows alone.  A job of the queue fills the run that it
points to; the runs of a recording have no job.  Runs outlive their jobs, which are
deleted some weeks after the encode.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from videos.models.renditions import Rendition
from videos.models.videos import BESIDE, Video


class SegmentRunQuerySet(models.QuerySet["SegmentRun"]):
    def of(self, video: Video) -> SegmentRunQuerySet:
        """Return the runs of the current encode of ``video``, in the order of its playlists."""
        return self.filter(video=video, encode_key=video.encode_key).order_by("kind", "position")

    def held(self, run: SegmentRun) -> SegmentRunQuerySet:
        """Return the row of ``run`` if it is open and still belongs to the same attempt."""
        return self.filter(pk=run.pk, attempt=run.attempt, is_open=True)


class SegmentRun(models.Model):
    """Consecutive segments of one chunk, one audio track or one writer of a recording, in some renditions.

    A segment is listed here after each of the run's renditions has stored it.  The runs
    of one rendition do not overlap; those of an upload follow each other by
    ``first_segment``, those of a recording by ``position``.
    """

    video = models.ForeignKey(Video, models.CASCADE, related_name="runs")
    encode_key = models.CharField(max_length=16)
    kind = models.CharField(max_length=8, choices=Rendition.Kind.choices)
    position = models.PositiveIntegerField(
        default=0, help_text="number of the chunk, of the audio track, or of the recording's writer"
    )
    renditions = models.JSONField(
        default=list, db_default=[], blank=True, help_text="names of its renditions; empty: all of its kind"
    )
    # Part of the storage keys, so that no attempt overwrites another's objects.
    attempt = models.PositiveIntegerField(default=0, help_text="attempt of its job; always 1 in a recording")
    first_segment = models.PositiveIntegerField(default=0)
    segment_count = models.PositiveIntegerField(
        null=True, help_text="planned; empty: until the source or the broadcast ends"
    )
    # Of an added audio track: it lies in a folder of its own, which the video's encodes share.
    objects_key = models.CharField(max_length=16, blank=True, default="", db_default="")
    is_discontinuous = models.BooleanField(
        default=False, help_text="begins a new timeline, with an init segment of its own"
    )
    began_at = models.DateTimeField(null=True, help_text="time of the first frame of a recorded run")
    # More segments may follow: the job is not done, or the broadcast goes on.
    is_open = models.BooleanField(default=True)
    # Durations (s) of this attempt's stored segments, in order; the same in every rendition.
    segments = models.JSONField(default=list)
    bytes_stored = models.BigIntegerField(default=0)

    objects = SegmentRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("segment run")
        verbose_name_plural = _("segment runs")
        ordering = ["kind", "position"]
        constraints = [
            models.UniqueConstraint(fields=["video", "encode_key", "kind", "position"], name="run_once"),
        ]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.kind} {self.position}"

    def holds(self, rendition: Rendition) -> bool:
        """Return whether the run is of ``rendition``."""
        if self.kind != rendition.kind:
            return False
        if self.renditions:
            return rendition.name in self.renditions
        # Rows without names: a track's run had the position of its track.
        return self.kind == Rendition.Kind.VIDEO or self.position == rendition.position

    @property
    def duration_s(self) -> float:
        return float(sum(self.segments))

    @property
    def is_short(self) -> bool:
        """Return whether it holds fewer segments than planned."""
        return self.segment_count is not None and len(self.segments) < self.segment_count

    def begin(self, attempt: int) -> None:
        """Empty the run for another attempt, within the transaction that starts it."""
        self.attempt, self.is_open, self.segments, self.bytes_stored = attempt, True, [], 0
        self.save(update_fields=["attempt", "is_open", "segments", "bytes_stored"])

    def folder(self, rendition_name: str) -> str:
        """Return the folder of this attempt's objects in one rendition, relative to the encode's prefix."""
        beside = f"{BESIDE}{self.objects_key}/" if self.objects_key else ""
        return f"{beside}{rendition_name}/{self.position}-{self.attempt}/"
