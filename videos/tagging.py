"""Tags of videos."""

from __future__ import annotations

from collections.abc import Iterable

from common.words import folded
from videos.models import Tag, Video

MAX_TAGS = 12


def set_tags(video: Video, names: Iterable[str]) -> None:
    """Replace the tags of ``video`` with ``names``: trimmed, lower case, unique, twelve at most."""
    wanted = list(
        dict.fromkeys(filter(None, (folded(name.strip().lstrip("#").strip())[:40] for name in names)))
    )
    # A fixed order, so that two transactions adding the same new tags cannot deadlock.
    names = sorted(wanted[:MAX_TAGS])
    Tag.objects.bulk_create([Tag(name=name) for name in names], ignore_conflicts=True)
    video.tags.set(Tag.objects.filter(name__in=names).order_by("name"))
