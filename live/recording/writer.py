"""Writer of recorded segments: it stores them in every rendition, then lists them.  It runs in a thread."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from django.db import DatabaseError, transaction
from django.db.models import Q

from common import storage
from live.models import Broadcast
from live.recording.assembler import RecordedSegment
from live.recording.description import MEASURED_FROM_S, described, measured_bps
from videos.models import SegmentRun, Video
from videos.room import keeps_enough
from videos.services import recordings
from videos.services.recordings import RecordedRendition, RecordingClosed

logger = logging.getLogger(__name__)

# The list in SQL is rewritten for every segment, so after 20 minutes another begins.
SEGMENTS_PER_RUN = 300
# Attempts of a writer while others write the same recording.
LOOKS = 3


class StorageLimitReached(RecordingClosed):
    """The channel has reached its storage limit: the broadcast continues without its recording."""


class RecordingWriter:
    """Synchronous writer that stores and lists recorded segments of one broadcast.

    Two writers may be active at once: an ingest, and a recovery that takes it for dead.
    Each writes to runs of its own, and ``recorded_msn`` changes only from the number
    that the writer has seen.  On a conflict, the one that ``gives_way`` stops, and
    the other continues after it.
    """

    def __init__(
        self, broadcast: Broadcast, renditions: Sequence[RecordedRendition], *, gives_way: bool = False
    ) -> None:
        assert broadcast.recording is not None  # noqa: S101 (who has none makes no writer)
        self._broadcast_pk = broadcast.pk
        self._connection_id = broadcast.connection_id
        self._video: Video = broadcast.recording
        self._renditions = renditions
        self._listed_msn = broadcast.recorded_msn
        self._run: SegmentRun | None = None
        self._has_had_run = False
        # The first MSN of the segment that ``_run`` was opened for.
        self._opened_for_msn = -1
        self._has_init = False
        self._gives_way = gives_way
        self._peaks: dict[str, int] = {}

    def write(self, joined: RecordedSegment) -> None:
        """Store and list the segments that are not listed yet.

        Raises RecordingClosed if this writer may not write any more, Unreadable if the bytes
        are on disk and lost, and StorageError or DatabaseError, after which the call may be
        repeated.
        """
        for _ in range(LOOKS):
            left = joined.after(self._listed_msn)
            if left is None:
                return
            try:
                self._write(left)
            except StorageLimitReached:
                raise
            except RecordingClosed:
                if self._gives_way:
                    raise
                self._look_again()
        raise RecordingClosed

    def _write(self, joined: RecordedSegment) -> None:
        run = self._run_for(joined)
        if not self._has_init:
            for name, data in joined.segments[0].inits.items():
                storage.put_bytes(recordings.init_key(run, name), data)
            self._has_init = True
        sizes_bytes = {}
        for rendition in self._renditions:
            key = recordings.segment_key(run, rendition.name, len(run.segments))
            data = joined.data(rendition.name)
            storage.put_bytes(key, data)
            sizes_bytes[rendition.name] = len(data)
        peaks = self._new_peaks(sizes_bytes, joined.duration_s)
        learned = self._described(joined, run, peaks)
        try:
            self._list(joined, run, learned)
        except DatabaseError:
            # The segment is listed or not; another run begins behind either.
            self._run = None
            raise
        self._listed_msn = joined.last_msn
        self._peaks |= peaks

    def _list(self, joined: RecordedSegment, run: SegmentRun, learned: list[RecordedRendition]) -> None:
        with transaction.atomic():
            seen = Broadcast.objects.filter(pk=self._broadcast_pk, recorded_msn=self._listed_msn)
            if not self._gives_way:
                seen = seen.filter(self._before_any_newer(joined))
            if not seen.update(recorded_msn=joined.last_msn):
                raise RecordingClosed
            # The renditions first: everything locks the video before its runs.
            if learned:
                recordings.record_renditions(self._video, learned)
            recordings.append_segment(run, duration_s=joined.duration_s, size_bytes=joined.size_bytes)

    def _new_peaks(self, sizes_bytes: Mapping[str, int], duration_s: float) -> dict[str, int]:
        """Return the bitrates above all earlier ones; a short segment is no measure."""
        if duration_s < MEASURED_FROM_S:
            return {}
        measured = {name: measured_bps(size, duration_s) for name, size in sizes_bytes.items()}
        return {name: bps for name, bps in measured.items() if bps > self._peaks.get(name, 0)}

    def _described(
        self, joined: RecordedSegment, run: SegmentRun, peaks: Mapping[str, int]
    ) -> list[RecordedRendition]:
        """Return changed descriptions of renditions: for the first segment of a run and higher bitrates."""
        if run.segments and not peaks:
            return []
        is_first = self._listed_msn < 0
        return [
            replace(
                described(rendition, joined.segments[0].inits[rendition.name], joined.data(rendition.name)),
                # The declared bitrate holds until one can be measured.
                bitrate_bps=peaks.get(rendition.name, rendition.bitrate_bps if is_first else 0),
            )
            for rendition in self._renditions
        ]

    def _before_any_newer(self, joined: RecordedSegment) -> Q:
        """Return the condition that a replaced publisher stores only segments before the newer one's."""
        is_ours = Q(connection_id=self._connection_id)
        return is_ours | Q(first_msn=None) | Q(first_msn__gt=joined.last_msn)

    def _run_for(self, joined: RecordedSegment) -> SegmentRun:
        """Return the run for ``joined``: a new one for a new timeline, after a gap, or after a full one.

        Raises StorageLimitReached instead of a further one for a channel that keeps enough.
        """
        follows = joined.first_msn == self._listed_msn + 1 and not joined.segments[0].is_discontinuous
        # The run was opened for this segment, and storage failed before the segment was listed.
        is_repeated = joined.first_msn == self._opened_for_msn
        if self._run and (is_repeated or follows) and len(self._run.segments) < SEGMENTS_PER_RUN:
            return self._run
        if self._has_had_run and not self._gives_way and keeps_enough(self._video.channel):
            raise StorageLimitReached
        began_at = datetime.fromtimestamp(joined.segments[0].starts_at, tz=UTC)
        self._run = recordings.open_run(self._video, is_continuous=follows, began_at=began_at)
        self._has_had_run = True
        self._opened_for_msn = joined.first_msn
        self._has_init = False
        return self._run

    def _look_again(self) -> None:
        """Continue after another writer's segments.  Raises RecordingClosed if the broadcast is not ours."""
        self._run = None
        ours = Broadcast.objects.filter(pk=self._broadcast_pk, connection_id=self._connection_id)
        listed_msn = ours.values_list("recorded_msn", flat=True).first()
        if listed_msn is None:
            raise RecordingClosed
        self._listed_msn = listed_msn
