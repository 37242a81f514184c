"""Charts of the admin's first page; each app registers its own at start-up.

A chart answers one question, with one line for each series::

    charts.register(
        charts.Chart(
            name="uploads",
            title=_("Uploads"),
            question=_("How many videos arrive?"),
            lines={"uploads": _("Videos")},
            permission="videos.view_video",
            count=lambda since: {"uploads": charts.per_day(Video.objects, "created_at", since)},
        )
    )
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Manager, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.functional import Promise

DAYS = 30
CACHED_S = 60

Counts = dict[date, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Chart of daily counts; ``count`` takes the first moment and returns each line's counts by day."""

    name: str
    title: str | Promise
    question: str | Promise
    lines: dict[str, str | Promise]
    permission: str
    count: Callable[[datetime], dict[str, Counts]]


_charts: dict[str, Chart] = {}


def register(chart: Chart) -> None:
    _charts[chart.name] = chart


def per_day(rows: Manager[Any] | QuerySet[Any], moment: str, since: datetime) -> Counts:
    """Count the rows by the day of their ``moment``, in one query; days without rows are left out."""
    counted = rows.filter(**{f"{moment}__gte": since}).order_by().annotate(day=TruncDate(moment))
    return dict(counted.values_list("day").annotate(count=Count("pk")))


def read(may: Callable[[str], bool], now: datetime | None = None) -> dict[str, Any]:
    """Return the charts that ``may`` permits, ready to draw; counts are cached for a minute."""
    today = timezone.localtime(now).date()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    charts = [chart for chart in _charts.values() if may(chart.permission)]
    return {"days": [day.isoformat() for day in days], "charts": [_drawn(chart, days) for chart in charts]}


def _drawn(chart: Chart, days: list[date]) -> dict[str, Any]:
    key = f"chart:{chart.name}:{days[-1]}"
    counts: dict[str, list[int]] | None = cache.get(key)
    if counts is None:
        since = timezone.make_aware(datetime.combine(days[0], time()))
        found = chart.count(since)
        counts = {line: [found.get(line, {}).get(day, 0) for day in days] for line in chart.lines}
        cache.set(key, counts, CACHED_S)
    lines = [{"name": str(label), "counts": counts[line]} for line, label in chart.lines.items()]
    return {"name": chart.name, "title": str(chart.title), "question": str(chart.question), "lines": lines}
