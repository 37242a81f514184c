"""The tables of a scanned source beside its encode: the plan stores them, and every worker reads them.

Nothing needs them once the video is complete; without them the source is scanned again.
"""

from __future__ import annotations

from common import storage
from videos.models import Video
from videos.transcoding.source import SourceInfo

NAME = "tables.bin"
MAX_BYTES = 256 * 1024**2
"""Those of six hours at 60 frames per second are a quarter of this."""


def store(video: Video, source: SourceInfo) -> None:
    """Store the tables of a source that was scanned."""
    if source.copied and source.copied.is_scanned:
        storage.put_bytes(f"{video.encode_prefix}{NAME}", source.copied.tables)


def stored(video: Video) -> bytes | None:
    """Return the stored tables of a source; None if they are lost."""
    key = f"{video.encode_prefix}{NAME}"
    size_bytes = storage.size_of(key)
    return storage.read_range(key, 0, min(size_bytes, MAX_BYTES)) if size_bytes else None
