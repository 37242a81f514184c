"""Finished encodes: the jobs of an old video, folded into one row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from videos.models.jobs import Job
from videos.models.videos import Video


class FinishedEncode(models.Model):
    """The jobs of an encode that ended long ago; ``videos.folding`` writes it and deletes their rows.

    ``jobs`` holds one object for each job that playlists are made of, in the order of
    ``Encode.jobs``; a failed encode has none.  ``bytes_stored`` counts all jobs.
    """

    video = models.OneToOneField(Video, models.CASCADE, related_name="finished")
    encode_key = models.CharField(max_length=16)
    jobs = models.JSONField(default=list)
    bytes_stored = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("finished encode")
        verbose_name_plural = _("finished encodes")

    def __str__(self) -> str:
        return f"{self.video_id}: {self.encode_key}"

    @staticmethod
    def folded(job: Job) -> dict[str, Any]:
        """Return the columns of ``job`` that playlists need, as JSON."""
        return {
            "kind": job.kind,
            "position": job.position,
            "attempt": job.attempt,
            "first_segment": job.first_segment,
            "segment_count": job.segment_count,
            "start_s": job.start_s,
            "claimed_at": job.claimed_at.isoformat() if job.claimed_at else None,
            "segments": job.segments,
        }

    def unfolded(self) -> list[Job]:
        """Return the jobs as unsaved rows that are done."""
        return [
            Job(
                **{
                    **fields,
                    "video_id": self.video_id,
                    "encode_key": self.encode_key,
                    "status": Job.Status.DONE,
                    "claimed_at": datetime.fromisoformat(fields["claimed_at"])
                    if fields["claimed_at"]
                    else None,
                }
            )
            for fields in self.jobs
        ]
