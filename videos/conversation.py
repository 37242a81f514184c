"""Access to the conversation about a video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videos.models import Video

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User


def is_discussed(video: Video, user: User | AnonymousUser) -> bool:
    """Return whether ``user`` may read the conversation: they may watch, and the upload is complete."""
    return video.status != Video.Status.UPLOADING and video.can_watch(user)
