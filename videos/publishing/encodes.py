"""An encode as stored in SQL, and the segments of it that a playlist lists."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil, inf
from typing import TYPE_CHECKING

from videos.models import Rendition, SegmentPlan, SegmentRun, Video
from videos.transcoding.chunks import SEGMENT_S

if TYPE_CHECKING:
    from collections.abc import Sequence


_ROUNDING_S = 0.05
# A place on the grid may lie this much, in frames, behind the frame that begins there.
_ROUNDING_FRAMES = Fraction(1, 1000)
# Our encoder's blocks of 1024 samples at 48 kHz.
AAC_BLOCKS_PER_S = Fraction(48_000, 1024)


@dataclass(slots=True)
class Encode:
    """An encode as stored in SQL: its renditions, their planned segments and the runs of stored ones."""

    video: Video
    renditions: list[Rendition]
    runs: list[SegmentRun] = field(repr=False)
    plans: dict[str, SegmentPlan] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, video: Video) -> Encode:
        """Read the current encode of ``video`` in three queries; a recording has no plan and takes two."""
        return cls(
            video=video,
            renditions=list(
                video.renditions.filter(encode_key=video.encode_key).order_by("kind", "position")
            ),
            runs=list(SegmentRun.objects.of(video)),
            plans={}
            if video.is_recording
            else {plan.kind: plan for plan in video.plans.filter(encode_key=video.encode_key)},
        )

    def runs_of(self, rendition: Rendition) -> list[SegmentRun]:
        """Return the runs of ``rendition`` in the order of its segments."""
        runs = [run for run in self.runs if run.holds(rendition)]
        # The first segment of an empty run of a recording says nothing.
        return runs if self.video.is_recording else sorted(runs, key=lambda run: run.first_segment)

    @property
    def is_complete(self) -> bool:
        """Return whether no run is open and no rendition has a gap."""
        return bool(self.runs) and not any(run.is_open for run in self.runs) and not self.gap

    @property
    def gap(self) -> SegmentRun | None:
        """Return the first chunk with too few segments although a later one has some, or None.

        A source may end earlier than its header says; then every later chunk is empty.
        """
        for rung in self.rungs:
            ended: SegmentRun | None = None
            for chunk in self.runs_of(rung):
                if ended and chunk.segments:
                    return ended
                if chunk.is_short and not chunk.is_open:
                    ended = ended or chunk
        return None

    @property
    def rungs(self) -> list[Rendition]:
        return [rendition for rendition in self.renditions if rendition.kind == Rendition.Kind.VIDEO]

    @property
    def offered(self) -> list[Rendition]:
        """Return the rungs for new players: without a copy that an encoded rung has replaced.

        During an encode, those that have their first segment come first: players of ours
        begin with the first one (``engine.js``).
        """
        rungs = [rung for rung in self.rungs if rung.retired_at is None]
        if self.shows_plan:
            rungs.sort(key=lambda rung: not self._stored(rung))
        return rungs

    @property
    def indexed(self) -> list[Rendition]:
        """Return the rungs whose keyframes have an index: those with an I-frame playlist."""
        is_ready = self.video.status == Video.Status.READY  # else a recording goes on
        return [rung for rung in self.offered if is_ready and rung.keyframes_peak_bps]

    @property
    def tracks(self) -> list[Rendition]:
        """Return the audio renditions, except those without decodable audio in the source."""
        tracks = [rendition for rendition in self.renditions if rendition.kind == Rendition.Kind.AUDIO]
        return [track for track in tracks if any(run.is_open or run.segments for run in self.runs_of(track))]

    @property
    def shows_plan(self) -> bool:
        """Return whether the playlists list the planned segments: until the encode is complete."""
        plan = self.plans.get(Rendition.Kind.VIDEO)
        is_running = self.video.status == Video.Status.PROCESSING
        return plan is not None and plan.is_trusted and is_running and not self.is_complete

    @property
    def is_playable(self) -> bool:
        """Return whether every rendition has its first segment; with a plan, one rung and all tracks."""
        rungs = [bool(self._stored(rung)) for rung in self.rungs]
        tracks = [bool(self._stored(track)) for track in self.tracks]
        if not rungs and not tracks:
            return False
        is_enough = any(rungs) if self.shows_plan else all(rungs)
        return is_enough and all(tracks)

    @property
    def duration_s(self) -> float:
        """Return the published duration (s) of the longest rendition."""
        return max(
            (sum(segment.duration_s for segment in self.segments(r)) for r in [*self.rungs, *self.tracks]),
            default=0.0,
        )

    def segments(self, rendition: Rendition) -> list[Placed]:
        """Return the stored segments of ``rendition`` for its playlist: the first ones, without a gap.

        During an encode, video stops at the end of the slowest audio track, so that
        playback never waits for audio.  Audio stops with the last segment of video,
        because players without MSE wait for both.  If a source holds less video than
        its header declares, both end with the video.
        """
        placed = self._stored(rendition)
        if rendition.kind == Rendition.Kind.AUDIO:
            return _beginning_before(self._video_end_s, placed)
        sound_s = min((_listened_s(self.runs_of(track)) for track in self.tracks), default=inf)
        ends = accumulate(segment.duration_s for segment in placed)
        return [
            segment for segment, end_s in zip(placed, ends, strict=True) if end_s <= sound_s + SEGMENT_S / 2
        ]

    def _stored(self, rendition: Rendition) -> list[Placed]:
        return _place(rendition, self.runs_of(rendition))

    @property
    def _video_end_s(self) -> float:
        """Return the seconds of video without a gap in the longest rung, or infinity without a rung."""
        lengths_s = [sum(segment.duration_s for segment in self._stored(rung)) for rung in self.rungs]
        return max(lengths_s, default=inf)

    def listed(self, rendition: Rendition) -> list[Placed]:
        """Return the segments of the rendition's playlist now; with a plan, also those that will exist."""
        if not self.shows_plan:
            return self.segments(rendition)
        stored = self.stored_by_number(rendition)
        init_name = next((placed.init_name for placed in stored.values()), f"{rendition.name}/init.mp4")
        listed = []
        for number, duration_s in enumerate(self._planned_durations_s(rendition)):
            if number in stored:
                listed.append(replace(stored[number], init_name=init_name))
            elif self.is_beyond_end(rendition, number):
                return listed
            else:
                name = f"{rendition.name}/{number}.m4s"
                listed.append(Placed(name, init_name, duration_s, is_stored=False))
        # The decoder found more than the header declared.
        while placed := stored.get(len(listed)):
            listed.append(replace(placed, init_name=init_name))
        return listed

    def stored_by_number(self, rendition: Rendition) -> dict[int, Placed]:
        """Return the stored segments of ``rendition`` by their number in the video, with gaps."""
        return {
            run.first_segment + index: placed
            for run in self.runs_of(rendition)
            for index, placed in enumerate(_placed_of(rendition, run))
        }

    def awaits(self, name: str, number: int | None) -> bool:
        """Return whether segment ``number`` of a rendition may still come; None means its init segment."""
        rendition = self.rendition(name)
        if rendition is None or not self.shows_plan:
            return False
        stored = self.stored_by_number(rendition)
        if number is None:
            return not stored
        is_planned = number < len(self.plans[rendition.kind].starts_s)
        return is_planned and number not in stored and not self.is_beyond_end(rendition, number)

    def rendition(self, name: str) -> Rendition | None:
        """Return the rung or the track ``name``, or None."""
        return next((each for each in [*self.rungs, *self.tracks] if each.name == name), None)

    def is_beyond_end(self, rendition: Rendition, number: int) -> bool:
        """Return whether ``rendition`` ends before segment ``number``, as far as that is known."""
        for run in self.runs_of(rendition):
            stored_until = run.first_segment + len(run.segments)
            if stored_until > number:
                return False
            planned_until = inf if run.segment_count is None else run.first_segment + run.segment_count
            if run.is_open and planned_until > number:
                return False
        return True

    def _planned_durations_s(self, rendition: Rendition) -> list[float]:
        """Return the durations of the planned segments, each from its first frame to the next one's."""
        grid = self.plans[rendition.kind].grid
        source = self.video.source
        if rendition.kind == Rendition.Kind.VIDEO and any(rung.is_copied for rung in self.rungs):
            # Cut at the source's own frames.
            return [round(after - before, 6) for before, after in pairwise([*grid.starts_s, grid.end_s])]
        if rendition.kind == Rendition.Kind.AUDIO:
            rate = AAC_BLOCKS_PER_S
        elif source and source.video:
            rate = source.video.frame_rate
        else:
            rate = Fraction(rendition.frame_rate).limit_denominator(1001)
        # A segment begins with the first frame at or after its place on the grid.
        starts = [ceil(Fraction(start_s) * rate - _ROUNDING_FRAMES) / rate for start_s in grid.starts_s]
        following = [
            *starts[1:],
            max(starts[-1], ceil(Fraction(grid.end_s) * rate - _ROUNDING_FRAMES) / rate),
        ]
        return [round(float(end - start), 6) for start, end in zip(starts, following, strict=True)]


def _beginning_before(end_s: float, placed: list[Placed]) -> list[Placed]:
    """Return the segments that begin before ``end_s``."""
    starts = accumulate((segment.duration_s for segment in placed), initial=0.0)
    # Audio is cut between blocks of 21 ms: a segment that starts just before the end belongs after it.
    return [
        segment for segment, start_s in zip(placed, starts, strict=False) if start_s < end_s - _ROUNDING_S
    ]


@dataclass(frozen=True, slots=True)
class Placed:
    """A listed segment: its key and its init segment's, relative to the encode, and its duration.

    The names of segments that are not stored yet, and of init segments before the first
    stored one, are addresses relative to the playlists (``videos.views.delivery``).
    """

    name: str
    init_name: str
    duration_s: float
    is_discontinuous: bool = False
    taken_at: datetime | None = None
    is_stored: bool = True


def _place(rendition: Rendition, runs: Sequence[SegmentRun]) -> list[Placed]:
    """Return the segments of consecutive runs, up to the first gap.

    Runs of one timeline have the same init segment, byte for byte, so players need
    only the first.  An upload has one timeline; a recording begins another after each
    interruption of its timestamps.
    """
    placed: list[Placed] = []
    init_name = ""
    for run in runs:
        of_run = _placed_of(rendition, run)
        if of_run and (run.is_discontinuous or not init_name):
            init_name = of_run[0].init_name
        is_gap = run.is_discontinuous and bool(placed)
        placed += [
            replace(segment, init_name=init_name, is_discontinuous=is_gap and index == 0)
            for index, segment in enumerate(of_run)
        ]
        if run.is_open or run.is_short:
            break
    return placed


def _placed_of(rendition: Rendition, run: SegmentRun) -> list[Placed]:
    """Return the stored segments of one run, with the init segment of that run."""
    folder = run.folder(rendition.name)
    return [
        Placed(
            f"{folder}{run.first_segment + index}.m4s",
            f"{folder}init.mp4",
            duration_s,
            taken_at=run.began_at if index == 0 else None,
        )
        for index, duration_s in enumerate(run.segments)
    ]


def _listened_s(runs: Sequence[SegmentRun]) -> float:
    """Return the seconds of audio in ``runs``, or infinity if they are complete."""
    if not any(run.is_open for run in runs):
        return inf
    return sum(run.duration_s for run in runs)
