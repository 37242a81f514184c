"""Charts of videos for the admin's first page."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from accounts import charts
from accounts.charts import Counts, per_day
from videos.models import Job, Video


def _encodes(since: datetime) -> dict[str, Counts]:
    """Count jobs by the day of their last claim, which is indexed; a claimed job ends within hours."""
    done, failed = (Job.objects.filter(status=status) for status in (Job.Status.DONE, Job.Status.FAILED))
    return {"done": per_day(done, "claimed_at", since), "failed": per_day(failed, "claimed_at", since)}


def register_charts() -> None:
    charts.register(
        charts.Chart(
            name="uploads",
            title=_("Uploads"),
            question=_("Uploads per day"),
            lines={"uploads": _("Videos")},
            permission="videos.view_video",
            count=lambda since: {
                "uploads": per_day(Video.objects.filter(edition_of=None), "created_at", since)
            },
        )
    )
    charts.register(
        charts.Chart(
            name="encodes",
            title=_("Encodes"),
            question=_("Jobs per day"),
            lines={"done": _("Jobs done"), "failed": _("Jobs failed")},
            permission="videos.change_video",
            count=_encodes,
        )
    )
