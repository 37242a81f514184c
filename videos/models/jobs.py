"""Jobs that make videos playable.

SQL is the queue of record.  Every unit of work is a :class:`Job` row, claimed by a
conditional UPDATE and fenced by its attempt.  Celery only wakes workers.  The segments
that a job stores are in its :class:`~videos.models.SegmentRun`.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from videos.models.leased_work import LeasedQuerySet, LeasedWork
from videos.models.segment_runs import SegmentRun
from videos.models.videos import Video

JOB_STATUSES = [status for status in LeasedWork.Status if status != LeasedWork.Status.CANCELLED]


class JobQuerySet(LeasedQuerySet["Job"]):
    def needed(self) -> JobQuerySet:
        """Exclude the jobs that a video is complete without and does not wait for."""
        return self.exclude(Q(lane=Job.Lane.AFTER) | Q(kind=Job.Kind.MP4))


class Job(LeasedWork):
    """One unit of work on a video: its plan, one chunk of video, one whole audio track, or its pictures."""

    class Kind(models.TextChoices):
        FETCH = "fetch", _("Import")
        PLAN = "plan", _("Plan")
        POSTER = "poster", _("Poster")
        AUDIO = "audio", _("Audio")
        VIDEO = "video", _("Video")
        STORYBOARD = "storyboard", _("Storyboard")
        LOUDNESS = "loudness", _("Loudness")
        SUBTITLES = "subtitles", _("Captions")
        MP4 = "mp4", _("MP4 for download")
        CLIP = "clip", _("Poster of a clip")
        TRIM = "trim", _("Trim")

    class WaitsFor(models.TextChoices):
        """The part of the platform that a job waits for, after an error that the media did not cause."""

        STORAGE = "storage", _("Waiting for storage…")
        HOST = "host", _("Waiting for a free encoder…")
        DATABASE = "database", _("Waiting for the database…")

    class Lane(models.IntegerChoices):
        """The priority of a job: first makes a video playable and has its own workers, bulk completes it.

        Jobs of the last lane begin once no other job waits, and a video is ready without them.
        """

        FIRST = 0, _("priority")
        BULK = 1, _("standard")
        AFTER = 2, _("low priority")

    video = models.ForeignKey(Video, models.CASCADE, related_name="jobs", verbose_name=_("video"))
    encode_key = models.CharField(max_length=16)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    position = models.PositiveIntegerField(
        _("number"), default=0, help_text=_("number of the chunk or of the audio track")
    )
    wanted_at = models.DateTimeField(null=True, help_text="a viewer asked for its first segment then")
    lane = models.PositiveSmallIntegerField(_("lane"), choices=Lane.choices, default=Lane.BULK)
    # No job is canceled: it ends with its encode, and one that a video can lack is done without a result.
    status = models.CharField(
        _("status"),
        max_length=8,
        choices=[(status.value, status.label) for status in JOB_STATUSES],
        default=LeasedWork.Status.WAITING,
    )

    # The segments that a chunk or an audio track stores; a plan and a poster have none.
    run = models.OneToOneField(SegmentRun, models.CASCADE, null=True, related_name="job")
    start_s = models.FloatField(default=0)
    length_s = models.FloatField(default=0)

    waits_for = models.CharField(_("waits for"), max_length=8, choices=WaitsFor.choices, blank=True)

    # Of the latest attempt whose programs wrote one (``videos.transcoding.log_tail``).
    log_tail = models.TextField(_("log"), blank=True, default="", db_default="")

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["kind", "position"]
        constraints = [
            models.UniqueConstraint(fields=["video", "encode_key", "kind", "position"], name="job_once"),
        ]
        indexes = [
            models.Index(fields=["status", "lane", "not_before"], name="job_queue"),
            models.Index(fields=["claimed_at"], name="job_claimed"),
            models.Index(fields=["video"], condition=~Q(status="done"), name="job_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.kind} {self.position}"
