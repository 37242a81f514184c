"""What templates ask about a video."""

from __future__ import annotations

from django import template

from videos.models import Video
from videos.services import watching

register = template.Library()


@register.filter
def poster_url(video: Video) -> str:
    """Where the browser loads the poster; empty while there is none."""
    return watching.poster_url(video) or ""
