"""Helper for tests: all playlists of a video."""

from __future__ import annotations

from videos.models import Video
from videos.publishing import Encode, media_playlist, multivariant_playlist


def playlists(video: Video) -> list[str]:
    """Return the multivariant playlist and each media playlist of a video, with keys instead of URLs."""
    encode = Encode.of(Video.objects.get(pk=video.pk))
    media = [media_playlist(encode, each, str).render() for each in [*encode.rungs, *encode.tracks]]
    return [multivariant_playlist(encode, "{}.m3u8".format), *media]
