"""A picture of what is on air, for cards: one frame of a recorded segment, now and then."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor

from django.db import DatabaseError, connection

from live.ingest.recorder import Joined
from live.models import Broadcast
from videoplatform import storage
from videos.transcoding.ffmpeg import POSTER_LONG_SIDE_PX
from videos.transcoding.sandbox import PROBE_ADDRESS_SPACE_BYTES, clean_environment, sandboxed, scrub
from videos.transcoding.tools import ffmpeg_path

logger = logging.getLogger(__name__)

EVERY_S = 30.0
TIMEOUT_S = 15
MAX_POSTER_BYTES = 4 * 1024**2
MAX_COMPLAINT_CHARS = 200


def poster_args() -> list[str]:
    """Return the FFmpeg that reads fragmented MP4 from stdin and writes its first picture as JPEG."""
    box = f"'min(iw,{POSTER_LONG_SIDE_PX})':'min(ih,{POSTER_LONG_SIDE_PX})'"
    fit = "force_original_aspect_ratio=decrease:force_divisible_by=2"
    return [
        # Whoever waits for the live picture comes first.
        "nice", "-n", "15",
        ffmpeg_path(), "-hide_banner", "-v", "error", "-threads", "1",
        "-protocol_whitelist", "pipe", "-format_whitelist", "mov", "-codec_whitelist", "h264,aac",
        "-f", "mov", "-i", "pipe:0", "-map", "0:v:0", "-frames:v", "1", "-map_metadata", "-1",
        "-vf", f"scale={box}:{fit},format=yuvj420p",
        "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg", "pipe:1",
    ]  # fmt: skip


async def draw(segment: bytes) -> bytes | None:
    """The first picture of an init segment and what follows it; None where that failed."""
    process = await asyncio.create_subprocess_exec(
        *sandboxed(poster_args(), address_space_bytes=PROBE_ADDRESS_SPACE_BYTES, cpu_s=TIMEOUT_S),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            picture, complaints = await process.communicate(segment)
    except TimeoutError:
        logger.warning("A poster took too long")
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not picture or len(picture) > MAX_POSTER_BYTES:
        said = scrub(complaints.decode("utf-8", "replace"))[:MAX_COMPLAINT_CHARS]
        logger.warning("No poster", extra={"reason": said})
        return None
    return picture


class PosterMaker:
    """Draws one at once and then one every ``EVERY_S``, never two at a time."""

    def __init__(self, broadcast: Broadcast, executor: Executor) -> None:
        self._broadcast_pk = broadcast.pk
        self._connection_id = broadcast.connection_id
        self._executor = executor
        self._due_at = 0.0
        self._drawing: asyncio.Task[None] | None = None

    def offer(self, joined: Joined, rendition: str) -> None:
        """Draw from this segment, if it is time."""
        now = asyncio.get_running_loop().time()
        if now < self._due_at or (self._drawing and not self._drawing.done()):
            return
        self._due_at = now + EVERY_S
        newest = joined.segments[-1]
        segment = newest.inits[rendition] + newest.data[rendition]
        self._drawing = asyncio.create_task(self._make(segment, f"poster-{newest.msn}.jpg"))

    async def finish(self, *, within_s: float) -> None:
        if self._drawing:
            await asyncio.wait([self._drawing], timeout=within_s)
            self._drawing.cancel()

    async def _make(self, segment: bytes, name: str) -> None:
        if picture := await draw(segment):
            await asyncio.get_running_loop().run_in_executor(self._executor, self._keep, picture, name)

    def _keep(self, picture: bytes, name: str) -> None:
        """In a thread: store it, show it, and delete the one before.  Decoration: it fails with a warning."""
        ours = Broadcast.objects.filter(pk=self._broadcast_pk, connection_id=self._connection_id)
        try:
            if broadcast := ours.select_related("recording").first():
                old_key, key = broadcast.poster_key, f"{_folder(broadcast)}{name}"
                storage.put_bytes(key, picture)
                ours.update(poster_key=key)
                storage.delete_keys([old_key] if old_key not in ("", key) else [])
        except (*storage.StorageError, DatabaseError) as error:
            logger.warning("Poster not kept", extra={"reason": type(error).__name__})
        finally:
            connection.close()  # this thread's own


def _folder(broadcast: Broadcast) -> str:
    """Beside the recording, so that it goes with it, as long as there is one."""
    return broadcast.recording.encode_prefix if broadcast.recording else f"live/{broadcast.public_id}/"
