"""Template filters for videos."""

from __future__ import annotations

from django import template

from videos.models import Video
from videos.services import watching

register = template.Library()


@register.filter
def poster_url(video: Video) -> str:
    """Return the URL of the poster, or an empty string if there is none."""
    return watching.poster_url(video) or ""
