"""Template filters for streams and broadcasts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone

from live.models import Broadcast, Stream

register = template.Library()


@register.filter
def uptime_s(started_at: datetime) -> float:
    """Return the seconds on air so far."""
    return max(0.0, (timezone.now() - started_at).total_seconds())


@register.filter
def length_s(broadcast: Broadcast) -> float:
    """Return the seconds from the first frame to the end, or to now while on air."""
    return ((broadcast.ended_at or timezone.now()) - broadcast.started_at).total_seconds()


@register.filter
def category_name(shown: dict[str, Any]) -> str:
    """Return the display name of the category in a stream's state."""
    return str(Stream(category=shown["category"]).get_category_display())
