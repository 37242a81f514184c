"""Fan-out of encoded media: parts go to the edge, finished segments to the recording and the poster."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from live.llhls.segments import Init, Part, SegmentEnd, Shape
from live.recording.assembler import RecordedSegment, SegmentAssembler
from videos.hls.bitrate import measured

if TYPE_CHECKING:
    from live.edge.writer import EdgeWriter
    from live.ingest.poster import PosterMaker
    from live.recording.recorder import Recorder

# Segments whose bitrates are measured together: a peak may lie across several short ones (RFC 8216, 4.1).
MEASURED_SEGMENTS = 4


class SegmentFanOut:
    """The receiver of everything that the encoder runs of one publisher make.

    ``renditions`` are their names, best first; the poster shows the best.
    """

    def __init__(
        self,
        edge: EdgeWriter,
        renditions: Sequence[str],
        *,
        poster: PosterMaker,
        recorder: Recorder | None = None,
    ) -> None:
        self.recorder = recorder
        self._edge = edge
        self._poster = poster
        self._best = renditions[0]
        self._assembler = SegmentAssembler(renditions)
        # Bytes of the unfinished segments.
        self._sizes: Counter[str] = Counter()
        # Bytes and durations of the newest segments.
        self._newest: defaultdict[str, deque[tuple[int, float]]] = defaultdict(
            lambda: deque(maxlen=MEASURED_SEGMENTS)
        )

    @property
    def shape(self) -> Shape:
        return self._edge.shape

    async def begin_run(self, arrived_at: float) -> tuple[int, float]:
        """Begin a new timeline; return its first segment number and its start in seconds.

        ``arrived_at`` is the wall clock (Unix time) of its first frame.
        """
        listed_at = await self._edge.begin_epoch(self._edge.next_epoch, arrived_at)
        self._record(self._assembler.begin_epoch(listed_at))
        self._sizes.clear()
        self._newest.clear()
        return self._edge.next_msn, self._edge.media_end_s

    async def add_init(self, rendition: str, init: Init, *, bandwidth_bps: int, frame_rate: float) -> None:
        self._assembler.add_init(rendition, init.data)
        await self._edge.add_init(rendition, init, bandwidth_bps=bandwidth_bps, frame_rate=frame_rate)

    async def add_part(self, rendition: str, part: Part) -> None:
        self._sizes[rendition] += len(part.data)
        self._assembler.add_part(rendition, part.msn, part.data)
        await self._edge.add_part(rendition, part)

    async def end_segment(self, rendition: str, end: SegmentEnd) -> None:
        """List a segment, after the declared bandwidth has been raised if the segment exceeds it."""
        newest = self._newest[rendition]
        newest.append((self._sizes.pop(rendition, 0), end.duration_s))
        if sum(duration_s for _, duration_s in newest) >= self.shape.target_duration_s / 2:
            sizes, durations = zip(*newest, strict=True)
            peak_bps = measured(sizes, durations, self.shape.target_duration_s).peak_bps
            await self._edge.declare_peak(rendition, peak_bps)
        self._record(self._assembler.end_segment(rendition, end.msn, end.duration_s))
        await self._edge.end_segment(rendition, end)

    def end_run(self) -> None:
        """Record the segment that is not complete yet."""
        self._record(self._assembler.flush())

    def _record(self, segment: RecordedSegment | None) -> None:
        if segment is None:
            return
        if self.recorder:
            self.recorder.add(segment)
        self._poster.offer(segment, self._best)
