"""Videos that are encoded elsewhere while they happen (stub)."""

from accounts.models import Channel
from videos.models import Video


def start_recording(*, channel: Channel, title: str, category: str, visibility: str) -> Video:
    raise NotImplementedError


def reopen_recording(video: Video) -> None: ...


def finish_recording(video: Video, *, visibility: str, poster_key: str = "") -> None: ...
