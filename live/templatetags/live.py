"""What templates ask about what is live."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone

from live.models import Broadcast, Stream

register = template.Library()


@register.filter
def uptime_s(started_at: datetime) -> float:
    """Seconds on air so far."""
    return max(0.0, (timezone.now() - started_at).total_seconds())


@register.filter
def length_s(broadcast: Broadcast) -> float:
    """Seconds from the first picture to the end."""
    return ((broadcast.ended_at or timezone.now()) - broadcast.started_at).total_seconds()


@register.filter
def category_name(shown: dict[str, Any]) -> str:
    """What people call the category of a stream's state."""
    return str(Stream(category=shown["category"]).get_category_display())
