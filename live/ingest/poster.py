"""Poster of a running broadcast, for cards: one frame of a recorded segment every EVERY_S seconds."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import replace

from django.db import DatabaseError, connection

from common import deletion, storage
from live.models import Broadcast
from live.recording.assembler import RecordedSegment
from videos.transcoding.errors import LimitsExceeded
from videos.transcoding.ffmpeg import POSTER_LONG_SIDE_PX
from videos.transcoding.processes import run_piped
from videos.transcoding.sandbox import probing
from videos.transcoding.tools import ffmpeg_path

logger = logging.getLogger(__name__)

EVERY_S = 30.0
TIMEOUT_S = 15
MAX_POSTER_BYTES = 4 * 1024**2
MAX_SOURCE_BYTES = 32 * 1024**2  # of a segment; a larger one is skipped
MAX_COMPLAINT_CHARS = 200
_LIMITS = replace(probing(TIMEOUT_S), cpu_s=TIMEOUT_S)  # one thread


def poster_args() -> list[str]:
    """Return the FFmpeg command that reads fragmented MP4 from stdin and writes its first frame as JPEG."""
    box = f"'min(iw,{POSTER_LONG_SIDE_PX})':'min(ih,{POSTER_LONG_SIDE_PX})'"
    fit = "force_original_aspect_ratio=decrease:force_divisible_by=2"
    return [
        # The live encoders have priority.
        "nice", "-n", "15",
        ffmpeg_path(), "-hide_banner", "-v", "error", "-threads", "1",
        "-protocol_whitelist", "pipe", "-format_whitelist", "mov", "-codec_whitelist", "h264,aac",
        "-f", "mov", "-i", "pipe:0", "-map", "0:v:0", "-frames:v", "1", "-map_metadata", "-1",
        "-vf", f"scale={box}:{fit},format=yuvj420p",
        "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg", "pipe:1",
    ]  # fmt: skip


async def draw(segment: bytes) -> bytes | None:
    """Return the first frame of an init segment and its media as JPEG; None if that fails."""
    try:
        done = await run_piped(
            poster_args(), segment, _LIMITS, timeout_s=TIMEOUT_S, max_stdout_bytes=MAX_POSTER_BYTES
        )
    except LimitsExceeded as error:
        logger.warning("Poster not made", extra={"reason": str(error)})
        return None
    if not done.stdout:
        logger.warning("Poster not made", extra={"reason": done.stderr[:MAX_COMPLAINT_CHARS]})
    return done.stdout or None


class PosterMaker:
    """Maker of posters: the first at once, then one every ``EVERY_S`` seconds, never two at a time."""

    def __init__(self, broadcast: Broadcast, executor: Executor) -> None:
        self._broadcast_pk = broadcast.pk
        self._connection_id = broadcast.connection_id
        self._executor = executor
        self._due_at = 0.0
        self._drawing: asyncio.Task[None] | None = None

    def offer(self, joined: RecordedSegment, rendition: str) -> None:
        """Draw a poster from this segment if one is due."""
        now = asyncio.get_running_loop().time()
        if now < self._due_at or (self._drawing and not self._drawing.done()):
            return
        self._due_at = now + EVERY_S
        newest = joined.segments[-1]
        if len(newest.data[rendition]) > MAX_SOURCE_BYTES:
            return
        segment = newest.inits[rendition] + newest.data[rendition]
        self._drawing = asyncio.create_task(self._make(segment, f"poster-{newest.msn}.jpg"))

    async def finish(self, *, within_s: float) -> None:
        if self._drawing:
            await asyncio.wait([self._drawing], timeout=within_s)
            self._drawing.cancel()

    async def _make(self, segment: bytes, name: str) -> None:
        try:
            picture = await draw(segment)
        except OSError as error:  # no process could be started
            logger.warning("Poster not made", extra={"reason": str(error)})
            return
        if picture:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._keep, picture, name)

    def _keep(self, picture: bytes, name: str) -> None:
        """Store and publish the poster, delete the previous one; runs in a thread.  Failures are logged."""
        ours = Broadcast.objects.filter(pk=self._broadcast_pk, connection_id=self._connection_id)
        try:
            if broadcast := ours.select_related("recording").first():
                recording = broadcast.recording
                # The recording's folder, with which the poster is deleted, or one of the broadcast.
                folder = recording.encode_prefix if recording else f"live/{broadcast.public_id}/"
                old_key, key = broadcast.poster_key, f"{folder}{name}"
                storage.put_bytes(key, picture)
                ours.update(poster_key=key)
                if old_key not in ("", key):
                    deletion.delete_later(old_key)
        except (*storage.StorageError, DatabaseError) as error:
            logger.warning("Poster not saved", extra={"reason": type(error).__name__})
        finally:
            connection.close()  # the connection of this thread
