"""MP4 files for downloads: the segments of one rung and its audio, joined without encoding."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from common import deletion, disk, storage
from videos.models import Rendition, Video
from videos.publishing import Encode, media_playlist
from videos.transcoding.errors import HostTrouble, LimitsExceeded
from videos.transcoding.ffmpeg import remux_args
from videos.transcoding.run import run_remux

MAX_MP4_BYTES = 4 * 1024**3
# FFmpeg copies segments into a file that is hardly larger.
OVERHEAD = 1.1
ROOM_FACTOR = 2 * OVERHEAD  # the segments and the MP4
MIB = 1024**2
KEPT_FOR = timedelta(days=7)


def renditions_of(encode: Encode) -> list[Rendition]:
    """Return the best rung that fits ``MAX_MP4_BYTES`` with the default audio track; empty if none fits."""
    tracks = sorted(encode.tracks, key=lambda track: not track.is_default)[:1]
    for rungs in [[rung] for rung in encode.rungs] or [[]]:
        chosen = [*rungs, *tracks]
        if chosen and size_bytes(encode, chosen) <= MAX_MP4_BYTES:
            return chosen
    return []


def size_bytes(encode: Encode, renditions: list[Rendition]) -> int:
    """Return about how large the MP4 becomes, by the measured bitrates."""
    bps = sum(rendition.average_bps or rendition.bitrate_bps for rendition in renditions)
    return int(bps / 8 * (encode.video.duration_s or 0)) + MIB


def join(encode: Encode, folder: Path) -> Path:
    """Fetch the segments into ``folder``, join them there and return the MP4.

    Raises LimitsExceeded, HostTrouble if they do not fit, OSError for a full disk, and the
    errors of storage.
    """
    chosen = renditions_of(encode)
    if not chosen:
        raise LimitsExceeded("too large for a download", limit="size")
    room_bytes = disk.measure().free_bytes - settings.WORK_FLOOR_BYTES
    if room_bytes <= ROOM_FACTOR * size_bytes(encode, chosen):
        raise HostTrouble("no room for the segments and the MP4")
    playlists = []
    left_bytes = MAX_MP4_BYTES
    for number, rendition in enumerate(chosen):
        names: dict[str, str] = {}

        def local(name: str, number: int = number, names: dict[str, str] = names) -> str:
            return names.setdefault(name, f"{number}-{len(names)}{Path(name).suffix}")

        playlist = folder / f"{number}.m3u8"
        playlist.write_text(str(media_playlist(encode, rendition, local).render()))
        for name, file in names.items():
            path = folder / file
            storage.client().download_file(settings.S3_BUCKET, encode.video.key_of(name), str(path))
            left_bytes -= path.stat().st_size
            if left_bytes < 0:
                raise LimitsExceeded("too large for a download", limit="size")
        playlists.append(playlist)
    path = folder / "joined.mp4"
    return run_remux(remux_args(playlists, path), path, max_bytes=int(MAX_MP4_BYTES * OVERHEAD))


def publish(video: Video, key: str) -> None:
    """Make a stored MP4 the video's, in the caller's transaction, unless the video has changed.

    The one before is deleted when it expires, after downloads that run.
    """
    now = timezone.now()
    same = Video.objects.filter(pk=video.pk, encode_key=video.encode_key, duration_s=video.duration_s)
    before = same.filter(status=Video.Status.READY).select_for_update().first()
    if before is None:
        deletion.delete_later(key)
        return
    same.update(mp4_key=key, mp4_expires_at=now + KEPT_FOR)
    if before.mp4_key:
        kept_for = (before.mp4_expires_at or now) - now
        deletion.delete_later(before.mp4_key, after=max(kept_for, timedelta(0)))
