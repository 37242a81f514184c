"""The signed URLs of one answer to a player."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from common import signing, storage
from videos.models import Video

# These cover the longest broadcast that a viewer rewinds to its beginning.
RECORDING_WINDOW = timedelta(hours=6)
RECORDING_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class UrlSigner:
    """The endpoint, times and keys of signed URLs, and a part of cache keys: equal ones make equal URLs."""

    base: str
    signed_at: datetime
    expires: timedelta
    access_key: str
    token: str

    @classmethod
    def of(cls, video: Video) -> UrlSigner:
        """Return the signer of the objects of ``video`` for this request."""
        signed_at, expires = _window(video)
        who = signing.credentials()
        return cls(storage.public_base(), signed_at, expires, who.access_key, who.token)

    def url(self, key: str) -> str:
        return storage.sign_get(key, base=self.base, signed_at=self.signed_at, expires=self.expires)


def _window(video: Video) -> tuple[datetime, timedelta]:
    """Return the signing time of a playlist's URLs and their lifetime from then.

    Both stay the same for an hour, or for ``RECORDING_WINDOW`` while a broadcast is
    recorded: its playlist is requested every few seconds, and players that get delta
    updates keep the first URLs to the end.
    """
    now = timezone.now()
    if video.is_recording and video.status != Video.Status.READY:
        began = storage.window_start(video.created_at)
        windows = max(0, (now - began) // RECORDING_WINDOW)
        return began + windows * RECORDING_WINDOW, RECORDING_LIFETIME + RECORDING_WINDOW
    return storage.window_start(now), storage.lifetime(video.duration_s) + storage.SIGNING_WINDOW
