"""Structured data about broadcasts for search engines (https://schema.org/BroadcastEvent)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from videos.views.structured import described

if TYPE_CHECKING:
    from live.models import Broadcast
    from videos.views.quoting import LinkPreview


def broadcast_object(broadcast: Broadcast | None, preview: LinkPreview) -> dict[str, Any] | None:
    """Return the ``VideoObject`` of a public broadcast on air, or None for a page that is not indexed."""
    if broadcast is None or broadcast.stream.visibility != "public" or not preview.poster_url:
        return None
    began = broadcast.started_at
    event = {"@type": "BroadcastEvent", "isLiveBroadcast": True, "startDate": began.isoformat()}
    return described(preview, began) | {"publication": event}
