"""One run of FFmpeg: frames in; parts to the edge, segments to the recorder."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from live.ingest.alignment import Alignment, Made
from live.ingest.encoder import Encoder, EncoderGone
from live.ingest.frames import Frame
from live.ingest.recorder import Joined, Shelf
from live.ingest.source import Output, Plan, Source
from live.llhls.boxes import BrokenBoxes
from live.llhls.segments import Init, Packager, Part, SegmentEnd
from live.rtmp import flv

if TYPE_CHECKING:
    from live.edge import EdgeWriter

logger = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
FINISH_WITHIN_S = 4.0
# What a segment may hold above the average, with a second of x264's buffer.
PEAK = 1.25


def bandwidth_bps(output: Output, source: Source) -> int:
    """The highest bitrate of any segment, with its sound (RFC 8216, 4.3.4.2)."""
    return round(output.bitrate_bps * PEAK) + source.audio_bitrate_bps


class Epoch:
    """Feeds one FFmpeg and carries away what it makes, each rendition by a packager of its own.

    ``on_inits`` hears what each rendition has become, once; ``on_joined`` gets
    each recorded segment as soon as it is complete.
    """

    def __init__(
        self,
        plan: Plan,
        source: Source,
        edge: EdgeWriter,
        shelf: Shelf,
        *,
        on_inits: Callable[[dict[str, Init]], None],
        on_joined: Callable[[Joined], None],
    ) -> None:
        self.plan = plan
        self.written_pictures = 0
        self._source = source
        self._edge = edge
        self._shelf = shelf
        self._on_inits = on_inits
        self._on_joined = on_joined
        self._alignment = Alignment(len(plan.outputs), first_msn=edge.next_msn)
        self._inits: dict[str, Init] = {}
        # What goes out, goes out in order, whichever pipe it came by.
        self._turn = asyncio.Lock()
        self._encoder: Encoder | None = None
        self._reading: list[asyncio.Task[None]] = []
        self._start_ms: int | None = None

    async def start(self, headers: dict[str, Frame], *, first: Frame, preset: str) -> None:
        """Start FFmpeg; ``first`` is the keyframe that will open it."""
        if joined := self._shelf.begin_epoch(first.arrived_at):
            self._on_joined(joined)
        await self._edge.begin_epoch(self._edge.next_epoch, first.arrived_at)
        first_msn = self._edge.next_msn
        self._alignment = Alignment(len(self.plan.outputs), first_msn=first_msn)
        self._encoder = await Encoder.start(self.plan, preset=preset)
        self._reading = [
            asyncio.create_task(self._read(place, Packager(self._edge.shape, first_msn=first_msn)))
            for place in range(len(self.plan.outputs))
        ]
        self._start_ms = first.timestamp_ms
        await self._encoder.write(flv.file_header(has_audio=self.plan.has_audio))
        for kind in ("video", "audio") if self.plan.has_audio else ("video",):
            await self._encoder.write(flv.tag(kind, 0, headers[kind].payload))

    @property
    def pid(self) -> int | None:
        return self._encoder.pid if self._encoder else None

    @property
    def complaints(self) -> str:
        return self._encoder.complaints if self._encoder else ""

    async def write(self, frame: Frame) -> None:
        """Encode a frame.  Raises EncoderGone."""
        if self._encoder is None or any(task.done() for task in self._reading):
            raise EncoderGone(self.complaints)
        assert self._start_ms is not None  # noqa: S101 (set with the encoder)
        at_ms = frame.timestamp_ms - self._start_ms
        # Sound from before the first picture has no place in its segment.
        if at_ms < 0 or (frame.kind == "audio" and not self.plan.has_audio):
            return
        await self._encoder.write(flv.tag(frame.kind, at_ms, frame.payload))  # type: ignore[arg-type]
        self.written_pictures += frame.is_picture

    async def finish(self, *, within_s: float = FINISH_WITHIN_S) -> None:
        """Let FFmpeg finish what it has, and carry that away; an end in any case."""
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
            # With its pipes closed, every reader comes to its end.
            for task, result in zip(
                self._reading, await asyncio.gather(*self._reading, return_exceptions=True), strict=True
            ):
                if isinstance(result, Exception):
                    logger.error("A rendition ended early", exc_info=result, extra={"task": task.get_name()})
        if joined := self._shelf.flush():
            self._on_joined(joined)

    async def _read(self, place: int, packager: Packager) -> None:
        assert self._encoder is not None  # noqa: S101 (started before)
        output = self._encoder.outputs[place]
        try:
            while data := await output.read(READ_BYTES):
                await self._deliver(place, packager.feed(data))
        except BrokenBoxes:
            logger.exception("FFmpeg wrote what cannot be read")
        await self._deliver(place, [*packager.finish()])

    async def _deliver(self, place: int, made: list[Made]) -> None:
        async with self._turn:
            for rendition, piece in self._alignment.add(place, made):
                await self._send(self.plan.outputs[rendition], piece)

    async def _send(self, output: Output, piece: Made) -> None:
        match piece:
            case Init():
                await self._begin_rendition(output, piece)
            case Part():
                self._shelf.add_part(output.name, piece.msn, piece.data)
                await self._edge.add_part(output.name, piece)
            case SegmentEnd():
                if joined := self._shelf.end_segment(output.name, piece.msn, piece.duration_s):
                    self._on_joined(joined)
                await self._edge.end_segment(output.name, piece)

    async def _begin_rendition(self, output: Output, init: Init) -> None:
        self._inits[output.name] = init
        self._shelf.add_init(output.name, init.data)
        await self._edge.add_init(
            output.name,
            init,
            bandwidth_bps=bandwidth_bps(output, self._source),
            frame_rate=self._source.frame_rate,
        )
        if len(self._inits) == len(self.plan.outputs):
            self._on_inits(self._inits)
