"""Access to the conversation about a video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videos.models import Video

if TYPE_CHECKING:
    from accounts.viewers import Viewer


def is_discussed(video: Video, viewer: Viewer) -> bool:
    """Return whether ``viewer`` may read the conversation: they may watch, and the upload is complete."""
    return video.status != Video.Status.UPLOADING and video.can_watch(viewer)
