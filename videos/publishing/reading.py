"""Reading of an encode's own objects by the jobs that look at a finished video."""

from __future__ import annotations

from common import storage
from videos.models import Video

MAX_INIT_BYTES = 64 * 1024
MAX_SEGMENT_BYTES = 32 * 1024**2


def read_object(video: Video, name: str, most: int) -> bytes:
    """Return an object of the video's encode, up to ``most`` bytes of it."""
    return storage.read_range(video.key_of(name), 0, most)
