"""Structured data about videos for search engines (https://schema.org/VideoObject, as Google reads it)."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.utils.duration import duration_iso_string

if TYPE_CHECKING:
    from datetime import datetime

    from videos.models import Video
    from videos.views.quoting import LinkPreview


def described(preview: LinkPreview, published_at: datetime) -> dict[str, Any]:
    """Return the fields that Google requires of each ``VideoObject``, from the preview of its page."""
    return {
        "@context": "https://schema.org",
        "@type": "VideoObject",
        "name": preview.title,
        "description": preview.description or preview.title,
        "thumbnailUrl": [preview.poster_url],
        "uploadDate": published_at.isoformat(),
        "url": preview.page_url,
        "embedUrl": preview.player_url,
    }


def video_object(video: Video, preview: LinkPreview) -> dict[str, Any] | None:
    """Return the ``VideoObject`` of a public video with its chapters, or None for one that is not indexed."""
    if video.visibility != video.Visibility.PUBLIC or not (preview.player_url and preview.poster_url):
        return None
    if video.published_at is None or not video.duration_s:
        return None
    bounds_s = [*(chapter.start_s for chapter in video.named_chapters), video.duration_s]
    return described(preview, video.published_at) | {
        "duration": duration_iso_string(timedelta(seconds=round(video.duration_s))),
        "author": {"@type": "Person", "name": video.channel.name},
        "interactionStatistic": {
            "@type": "InteractionCounter",
            "interactionType": {"@type": "WatchAction"},
            "userInteractionCount": video.view_count,
        },
        "potentialAction": {
            "@type": "SeekToAction",
            "target": f"{preview.page_url}?t={{seek_to_second_number}}",
            "startOffset-input": "required name=seek_to_second_number",
        },
        "hasPart": [
            {
                "@type": "Clip",
                "name": chapter.title,
                "startOffset": int(start_s),
                "endOffset": int(end_s),
                "url": f"{preview.page_url}?t={int(start_s)}",
            }
            for chapter, (start_s, end_s) in zip(video.named_chapters, pairwise(bounds_s), strict=True)
        ],
    }
