"""Assembly of recorded segments: the packagers' output is collected and joined, in memory only."""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from live.recording.spool import SpooledSegment, SpoolFolder, StoredBytes, set_aside
from videos.publishing import RECORDING_TARGET_DURATION_S
from videos.transcoding.chunks import SEGMENT_S

logger = logging.getLogger(__name__)

# Longest duration that rounds to the target duration (RFC 8216, 4.3.3.1).
LONGEST_SEGMENT_S = RECORDING_TARGET_DURATION_S + 0.4
# Bound for the parts of incomplete segments: beyond it, they are lost to the recording.
MAX_INCOMPLETE_BYTES = 64 * 1024**2
# A recorded segment of this size is stored, however short.
MAX_RECORDED_SEGMENT_BYTES = 32 * 1024**2


@dataclass(slots=True)
class LiveSegment:
    """Live segment in every rendition; ``is_discontinuous`` if it is the first of an epoch.

    ``starts_at`` is the wall clock of its first frame (Unix time).
    """

    msn: int
    duration_s: float
    is_discontinuous: bool
    starts_at: float
    inits: dict[str, bytes]
    data: Mapping[str, bytes]

    def spill(self, folder: SpoolFolder) -> None:
        """Move the bytes to disk, with everything that a recovery needs.  Raises SpoolFull."""
        fields = {
            "duration_s": self.duration_s,
            "is_discontinuous": self.is_discontinuous,
            "starts_at": self.starts_at,
            "inits": {name: b64encode(data).decode() for name, data in self.inits.items()},
        }
        self.data = folder.store(self.msn, fields, self.data)

    @classmethod
    def of_disk(cls, left: SpooledSegment) -> LiveSegment:
        """Return the segment in a spooled file.  Raises KeyError, TypeError, ValueError if it is invalid."""
        return cls(
            left.msn,
            float(left.fields["duration_s"]),
            bool(left.fields["is_discontinuous"]),
            float(left.fields["starts_at"]),
            {name: b64decode(data) for name, data in dict(left.fields["inits"]).items()},
            left.data,
        )

    @property
    def is_on_disk(self) -> bool:
        return isinstance(self.data, StoredBytes)

    @property
    def size_bytes(self) -> int:
        data = self.data
        return data.size_bytes if isinstance(data, StoredBytes) else sum(map(len, data.values()))


@dataclass(slots=True)
class RecordedSegment:
    """Recorded segment: consecutive live segments of one epoch that are stored together."""

    segments: list[LiveSegment]

    @property
    def first_msn(self) -> int:
        return self.segments[0].msn

    @property
    def last_msn(self) -> int:
        return self.segments[-1].msn

    @property
    def duration_s(self) -> float:
        return min(sum(segment.duration_s for segment in self.segments), LONGEST_SEGMENT_S)

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)

    @property
    def memory_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments if not segment.is_on_disk)

    def spill(self, folder: SpoolFolder) -> None:
        """Move the bytes to disk; another thread may read them meanwhile.  Raises SpoolFull."""
        for segment in self.segments:
            if not segment.is_on_disk:
                segment.spill(folder)

    def set_aside(self) -> None:
        """Leave the bytes on disk out of any later attempt."""
        for segment in self.segments:
            if isinstance(segment.data, StoredBytes):
                set_aside(segment.data.path)

    def data(self, rendition: str) -> bytes:
        """Return the bytes in one rendition.  Raises Unreadable."""
        return b"".join(segment.data[rendition] for segment in self.segments)

    def after(self, msn: int) -> RecordedSegment | None:
        """Return the part that follows live segment ``msn``, None if there is none."""
        left = [segment for segment in self.segments if segment.msn > msn]
        return RecordedSegment(left) if left else None

    def takes(self, segment: LiveSegment) -> bool:
        """Return whether ``segment`` still belongs to it."""
        duration_s = sum(own.duration_s for own in self.segments)
        is_next = segment.msn == self.last_msn + 1 and not segment.is_discontinuous
        return is_next and duration_s < SEGMENT_S and duration_s + segment.duration_s <= LONGEST_SEGMENT_S


def join(segments: Iterable[LiveSegment]) -> Iterator[RecordedSegment]:
    """Join live segments to recorded ones of at least ``SEGMENT_S``, cut alike in all renditions."""
    joined: RecordedSegment | None = None
    for segment in segments:
        if joined and joined.takes(segment):
            joined.segments.append(segment)
            continue
        if joined:
            yield joined
        joined = RecordedSegment([segment])
    if joined:
        yield joined


class SegmentAssembler:
    """Collector of the parts of all renditions, until a recorded segment is complete."""

    def __init__(self, renditions: Sequence[str]) -> None:
        self._renditions = renditions
        self._inits: dict[str, bytes] = {}
        self._parts: dict[int, dict[str, list[bytes]]] = {}
        self._durations: dict[int, dict[str, float]] = {}
        self._parts_bytes = 0
        self._lost_msn = -1
        self._joined: RecordedSegment | None = None
        self._is_new = True
        self._starts_at = 0.0

    def begin_epoch(self, started_at: float) -> RecordedSegment | None:
        """Begin a new timeline at ``started_at`` (Unix time); return the pending segment of the old one."""
        self._starts_at = started_at
        self._parts.clear()
        self._parts_bytes = 0
        self._durations.clear()
        self._inits.clear()
        self._is_new = True
        return self.flush()

    def add_init(self, rendition: str, data: bytes) -> None:
        self._inits[rendition] = data

    def add_part(self, rendition: str, msn: int, data: bytes) -> None:
        """Keep a part until its segment is complete; segments that are too large are dropped."""
        if msn <= self._lost_msn:
            return
        self._parts.setdefault(msn, {}).setdefault(rendition, []).append(data)
        self._parts_bytes += len(data)
        if self._parts_bytes > MAX_INCOMPLETE_BYTES:
            self._lost_msn = max(self._parts)
            self._parts.clear()
            self._parts_bytes = 0
            logger.error("Gap in a recording: a segment is too large", extra={"msn": self._lost_msn})

    def end_segment(self, rendition: str, msn: int, duration_s: float) -> RecordedSegment | None:
        """End a live segment in one rendition; return the recorded segment that this completes, if any."""
        durations = self._durations.setdefault(msn, {})
        durations[rendition] = duration_s
        if len(durations) < len(self._renditions):
            return None
        parts = self._parts.pop(msn, {})
        del self._durations[msn]
        self._parts_bytes -= sum(len(data) for pieces in parts.values() for data in pieces)
        if len(parts) < len(self._renditions):
            self._starts_at += max(durations.values())
            return None
        segment = LiveSegment(
            msn,
            max(durations.values()),
            self._is_new,
            self._starts_at,
            dict(self._inits),
            {name: b"".join(data) for name, data in parts.items()},
        )
        self._is_new = False
        self._starts_at += segment.duration_s
        return self._add(segment)

    def flush(self) -> RecordedSegment | None:
        joined, self._joined = self._joined, None
        return joined

    def _add(self, segment: LiveSegment) -> RecordedSegment | None:
        complete = None
        if self._joined is None or not self._joined.takes(segment):
            complete, self._joined = self._joined, RecordedSegment([segment])
        else:
            self._joined.segments.append(segment)
        # Stored as soon as it is long enough, because viewers can rewind to stored segments only.
        is_enough = (
            self._joined.duration_s >= SEGMENT_S or self._joined.size_bytes >= MAX_RECORDED_SEGMENT_BYTES
        )
        if complete is None and is_enough:
            return self.flush()
        return complete
