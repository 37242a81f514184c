"""One run of FFmpeg: frames go in, parts and segments of every rendition come out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from common.media.boxes import BrokenBoxes
from live.ingest.alignment import Alignment, Made
from live.ingest.encoder import BUFFER_S, Encoder, EncoderGone
from live.ingest.frames import Frame
from live.ingest.source import EncodePlan, Output, Source, segment_duration_s
from live.llhls.segments import Init, Packager, Part, SegmentEnd
from live.llhls.sent_audio import SentAudio
from live.rtmp import flv

if TYPE_CHECKING:
    from live.ingest.fan_out import SegmentFanOut

logger = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
FINISH_WITHIN_S = 4.0
# A source that begins with silence may use this bitrate for its audio later.
USUAL_AUDIO_BPS = 128_000
# Descriptions of the frames in parts of 200 ms.
CONTAINER_BPS = 25_000


def bandwidth_bps(output: Output, source: Source, segment_s: float) -> int:
    """Return the highest bitrate of a segment that the encoder permits, with its audio (RFC 8216, 4.3.4.2).

    A copied source has no limit. It gets the same factor, so it ranks above its rungs.
    """
    video_bps = output.bitrate_bps * (1 + BUFFER_S / segment_s)
    return round(video_bps) + max(source.audio_bitrate_bps, USUAL_AUDIO_BPS) + CONTAINER_BPS


class EncoderRun:
    """One run of FFmpeg, with a packager for each rendition.

    ``on_inits`` is called once, with the init segments of all renditions.
    """

    def __init__(
        self,
        plan: EncodePlan,
        source: Source,
        fan_out: SegmentFanOut,
        *,
        on_inits: Callable[[dict[str, Init]], None],
    ) -> None:
        self.plan = plan
        self.written_pictures = 0
        self._source = source
        self._fan_out = fan_out
        self._on_inits = on_inits
        self._alignment: Alignment | None = None
        self._inits: dict[str, Init] = {}
        # All renditions are sent in order, although each arrives by its own pipe.
        self._turn = asyncio.Lock()
        self._encoder: Encoder | None = None
        self._reading: list[asyncio.Task[None]] = []
        self._start_ms: int | None = None
        self._sent_audio: list[SentAudio] = []

    async def start(self, headers: dict[str, Frame], *, first: Frame, preset: str) -> None:
        """Start FFmpeg; ``first`` is the keyframe at which it begins."""
        first_msn, start_s = await self._fan_out.begin_run(first.arrived_at)
        self._alignment = Alignment(len(self.plan.outputs), first_msn=first_msn)
        self._encoder = await Encoder.start(self.plan, preset=preset)
        sound = flv.aac_config(headers["audio"].payload)
        frame_s = sound.frame_samples / sound.sample_rate_hz
        self._sent_audio = [SentAudio(frame_s) for _ in self.plan.outputs]
        packagers = [
            Packager(self._fan_out.shape, first_msn=first_msn, start_s=start_s, sent_audio=sent)
            for sent in self._sent_audio
        ]
        self._reading = [
            asyncio.create_task(self._read(place, packager)) for place, packager in enumerate(packagers)
        ]
        self._start_ms = first.timestamp_ms
        await self._encoder.write(flv.file_header())
        for kind in ("video", "audio"):
            await self._encoder.write(flv.tag(kind, 0, headers[kind].payload))

    @property
    def pid(self) -> int | None:
        return self._encoder.pid if self._encoder else None

    @property
    def complaints(self) -> str:
        return self._encoder.complaints if self._encoder else ""

    async def write(self, frame: Frame) -> None:
        """Write a frame to FFmpeg.  Raises EncoderGone."""
        if self._encoder is None or any(task.done() for task in self._reading):
            raise EncoderGone(self.complaints)
        assert self._start_ms is not None  # noqa: S101 (set with the encoder)
        at_ms = frame.timestamp_ms - self._start_ms
        # Audio from before the first video frame has no place in its segment.
        if at_ms < 0:
            return
        if not frame.is_video:
            data = frame.payload[flv.AUDIO_HEADER :]
            for sent in self._sent_audio:
                sent.add(at_ms / 1000, data)
        await self._encoder.write(flv.tag(frame.kind, at_ms, frame.payload))  # type: ignore[arg-type]
        self.written_pictures += frame.is_picture

    async def finish(self, *, within_s: float = FINISH_WITHIN_S) -> None:
        """Let FFmpeg finish within ``within_s`` and deliver its output; then kill it in any case."""
        if self._encoder is None:
            return
        try:
            self._encoder.end_input()
            _, late = await asyncio.wait(self._reading, timeout=within_s)
            if late:
                logger.warning("FFmpeg did not finish in time")
        finally:
            self._encoder.kill()
            await self._encoder.close()
            # Closed pipes end every reader.
            for task, result in zip(
                self._reading, await asyncio.gather(*self._reading, return_exceptions=True), strict=True
            ):
                if isinstance(result, Exception):
                    logger.error("A rendition ended early", exc_info=result, extra={"task": task.get_name()})
        self._fan_out.end_run()

    async def _read(self, place: int, packager: Packager) -> None:
        assert self._encoder is not None  # noqa: S101 (started before)
        output = self._encoder.outputs[place]
        try:
            while data := await output.read(READ_BYTES):
                await self._deliver(place, packager.feed(data))
        except BrokenBoxes:
            logger.exception("FFmpeg output unreadable")
        await self._deliver(place, [*packager.finish()])

    async def _deliver(self, place: int, made: list[Made]) -> None:
        assert self._alignment is not None  # noqa: S101 (made at the start)
        async with self._turn:
            for rendition, piece in self._alignment.add(place, made):
                await self._send(self.plan.outputs[rendition], piece)

    async def _send(self, output: Output, piece: Made) -> None:
        match piece:
            case Init():
                await self._begin_rendition(output, piece)
            case Part():
                await self._fan_out.add_part(output.name, piece)
            case SegmentEnd():
                await self._fan_out.end_segment(output.name, piece)

    async def _begin_rendition(self, output: Output, init: Init) -> None:
        self._inits[output.name] = init
        await self._fan_out.add_init(
            output.name,
            init,
            bandwidth_bps=bandwidth_bps(output, self._source, segment_duration_s(self.plan, self._source)),
            frame_rate=self._source.frame_rate,
        )
        if len(self._inits) == len(self.plan.outputs):
            self._on_inits(self._inits)
