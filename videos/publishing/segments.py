"""Storing of finished segments, fenced by the attempt of their job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction

from common import storage
from videos.models import Job, Rendition, SegmentRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videos.transcoding.run import FinishedSegment


class LeaseLost(Exception):
    """Another attempt holds this job, or the video is gone: the worker must stop and change nothing."""


@dataclass(slots=True)
class SegmentPublisher:
    """The writer of one attempt's segments; it lists a number once every rendition has stored it."""

    job: Job
    run: SegmentRun
    renditions: Sequence[Rendition]
    on_listed: Callable[[], None]
    waiting: dict[int, dict[int, float]] = field(default_factory=dict)
    has_init: set[int] = field(default_factory=set)
    was_shortened: bool = False

    def key(self, output: int, name: str) -> str:
        rendition = self.renditions[output]
        return self.job.video.key_of(f"{self.run.folder(rendition.name)}{name}")

    def add(self, segment: FinishedSegment, init_path: Path) -> None:
        """Store a segment of one output and delete its file; list its number if no rendition lacks it.

        Raises LeaseLost.
        """
        output = segment.output_index
        if output not in self.has_init:
            storage.put_file(self.key(output, "init.mp4"), init_path)
            self.has_init.add(output)
        size_bytes = storage.put_file(self.key(output, f"{segment.number}.m4s"), segment.path)
        segment.path.unlink()
        self.hold(segment.number, size_bytes, segment.duration_s, output=output)
        self.list_complete()

    def hold(self, number: int, size_bytes: int, duration_s: float, *, output: int = 0) -> None:
        """Keep a stored segment of one output, to be listed."""
        self.run.bytes_stored += size_bytes
        self.waiting.setdefault(number, {})[output] = duration_s

    @property
    def is_cut(self) -> bool:
        """Return whether all segments are listed because the run was shortened: the encoder can stop."""
        return self.was_shortened and not self.run.is_short

    def list_complete(self) -> None:
        """List the next segments that every rendition has stored.  Raises LeaseLost."""
        listed = list(self.run.segments)
        while len(self.waiting.get(self.run.first_segment + len(listed), ())) == len(self.renditions):
            durations = self.waiting.pop(self.run.first_segment + len(listed))
            listed.append(round(max(durations.values()), 6))
        if len(listed) > len(self.run.segments):
            with transaction.atomic():
                # The first update locks the job, so no other attempt begins before the second,
                # and nobody shortens the run.
                is_held = self.job.renew_lease(waits_for="", waits=0)
                held = SegmentRun.objects.held(self.run)
                planned = held.values_list("segment_count", flat=True).first()
                if planned != self.run.segment_count:
                    self.was_shortened, self.run.segment_count = True, planned
                if self.was_shortened:
                    del listed[planned:]
                fields = {"segments": listed, "bytes_stored": self.run.bytes_stored}
                if not is_held or not held.update(**fields):
                    raise LeaseLost
            self.run.segments = listed
            self.on_listed()
