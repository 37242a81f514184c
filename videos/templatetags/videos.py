"""Template filters for videos."""

from __future__ import annotations

import json

from django import template
from django.utils.safestring import SafeString, mark_safe

from comments.services import mentioned_usernames
from comments.text import to_html
from common.storage import media_url
from videos.models import Clip, Video
from videos.services import watching

register = template.Library()


@register.filter
def poster_url(video: Video) -> str:
    """Return the URL of the poster, or an empty string if there is none."""
    return watching.poster_url(video) or ""


@register.filter
def storyboard_url(video: Video) -> str:
    """Return the path of the storyboard, or an empty string if there is none."""
    return watching.storyboard_path(video) or ""


@register.filter
def clip_poster_url(clip: Clip) -> str:
    """Return the URL of a clip's poster, or its video's, or an empty string."""
    return media_url(clip.shown_poster_key) if clip.shown_poster_key else ""


@register.filter
def chapters_json(video: Video) -> str:
    """Return the chapters for the player, as JSON, or an empty string without any."""
    listed = [{"start_s": chapter.start_s, "title": chapter.title} for chapter in video.named_chapters]
    return json.dumps(listed, ensure_ascii=False) if listed else ""


@register.filter
def loudness_json(video: Video) -> str:
    """Return the loudness of each audio track for the player, as JSON."""
    return json.dumps(video.loudness)


@register.filter
def description_html(video: Video) -> SafeString:
    """Return the description as safe HTML with links: addresses, names, hashtags, and times of the video."""
    names = mentioned_usernames(video.description)
    return mark_safe(to_html(video.description, names, video.duration_s))  # noqa: S308 -- to_html escapes
