"""Fragments become parts and segments, cut by the picture's clock.

Every rendition of a broadcast is cut by a packager of its own, and all of them at
the same pictures: decisions go by the time since the segment began, with room for
timestamps that were rounded differently.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

from .boxes import Movie, Reader, Sample, Track, write_fragment

# FLV counts whole milliseconds, and two renditions round differently.
TOLERANCE_S = 0.001
# A segment ends at the first keyframe that is this close to its minimum; just off
# the grid of every usual frame rate, so that no rounding decides.
SLACK_S = 0.107
# All parts but a segment's last last at least this much of the target: iOS insists.
MIN_PART = 0.85
# FFmpeg stretches an epoch's first picture back to where the sound's priming began:
# two AAC frames, each re-encoding adding one.
MAX_STRETCH_S = 0.2
# Sound ahead of a picture that does not come is forgotten, oldest first.
MAX_AHEAD_SAMPLES = 1500
# Pictures whose clock stands still cannot grow a part for ever.
MAX_PART_PICTURES = 500


@dataclass(frozen=True, slots=True)
class Shape:
    """How a broadcast is cut, the same in all renditions for all its life."""

    part_target_s: float
    target_duration_s: int
    min_segment_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Init:
    """An init segment, and what the multivariant playlist says of its rendition."""

    data: bytes
    codecs: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Part:
    """Part ``number`` of segment ``msn``, whose timing is the picture's.

    ``duration_s`` never exceeds the part target: a picture that stood longer is
    made up for in its segment's duration.
    """

    msn: int
    number: int
    duration_s: float
    is_independent: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class SegmentEnd:
    """Segment ``msn`` has all its parts."""

    msn: int
    duration_s: float


class Packager:
    """Cuts one rendition during one epoch: one run of FFmpeg."""

    def __init__(self, shape: Shape, *, first_msn: int) -> None:
        self._shape = shape
        self._reader = Reader()
        self._video: Track | None = None
        self._audio: Track | None = None
        self._msn = first_msn
        self._number = 0
        self._sequence = 0
        self._pictures: list[Sample] = []
        self._sounds: deque[Sample] = deque(maxlen=MAX_AHEAD_SAMPLES)
        # In the picture's timescale; None before the first keyframe.
        self._segment_start: int | None = None
        self._last_end = 0
        self._frame = 0
        self._is_first = True

    def feed(self, data: bytes) -> list[Init | Part | SegmentEnd]:
        """Return what ``data`` completes, in order.  Raises BrokenBoxes."""
        return [made for piece in self._reader.feed(data) for made in self._take(piece)]

    def finish(self) -> list[Part | SegmentEnd]:
        """Return what is in hand as a last part, and the segment's end: FFmpeg will say no more."""
        if self._segment_start is None:
            return []
        made: list[Part | SegmentEnd] = []
        if self._pictures:
            made.append(self._part(self._pictures[-1].end, is_last=True))
        if self._number:
            made.append(self._end_segment(self._last_end))
        self._segment_start = None
        return made

    def _take(self, piece: Movie | Sample) -> Iterator[Init | Part | SegmentEnd]:
        if isinstance(piece, Movie):
            yield self._begin(piece)
        elif self._video and piece.track == self._video.number:
            yield from self._picture(piece)
        elif self._audio and piece.track == self._audio.number:
            self._sounds.append(piece)

    def _begin(self, movie: Movie) -> Init:
        self._video = next((track for track in movie.tracks if track.kind == "vide"), None)
        self._audio = next((track for track in movie.tracks if track.kind == "soun"), None)
        tracks = [track for track in (self._video, self._audio) if track]
        size = (self._video.width_px, self._video.height_px) if self._video else (0, 0)
        return Init(movie.data, ",".join(track.codecs for track in tracks), *size)

    # --- Pictures -------------------------------------------------------------------

    def _picture(self, picture: Sample) -> Iterator[Part | SegmentEnd]:
        if self._segment_start is None:
            if not picture.is_sync:
                return
            self._segment_start = picture.decode_time
        else:
            self._correct_last(picture)
            yield from self._cut_before(picture)
        self._pictures.append(self._with_duration(picture))
        # The very first picture's own duration is known only from the second.
        if not self._is_first:
            yield from self._cut_after()
        self._is_first = False

    def _correct_last(self, picture: Sample) -> None:
        """Make the last picture last until this one, as far as it is still in hand."""
        if not self._pictures:
            return
        last = self._pictures[-1]
        frame = picture.decode_time - last.decode_time
        if frame < 0:
            return
        if self._number == 0 and self._sequence == 0 and len(self._pictures) == 1:
            stretch = frame - picture.duration
            if self._ticks(TOLERANCE_S) < stretch <= self._ticks(MAX_STRETCH_S) and picture.duration:
                last = replace(last, decode_time=last.decode_time + stretch)
                self._segment_start = last.decode_time
                frame = picture.duration
        self._frame = frame
        self._pictures[-1] = replace(last, duration=frame)

    def _with_duration(self, picture: Sample) -> Sample:
        """Assume the frame before as the duration of a picture that comes without one."""
        return picture if picture.duration else replace(picture, duration=self._frame)

    def _cut_before(self, picture: Sample) -> Iterator[Part | SegmentEnd]:
        """Close a part that would become too long, and at a keyframe part and segment.

        A keyframe too early to end a segment opens a part if the one before is long
        enough without it; otherwise it is a picture like others.
        """
        at = picture.decode_time
        ends = picture.is_sync and self._segment_s(at) >= self._shape.min_segment_s - SLACK_S
        if self._pictures and (
            ends
            or not self._fits(self._with_duration(picture).end)
            or (picture.is_sync and self._part_s(at) >= MIN_PART * self._shape.part_target_s)
        ):
            yield self._part(at)
        if ends:
            yield self._end_segment(at)

    def _cut_after(self) -> Iterator[Part]:
        """Close the part as soon as another picture like its last would make it too long."""
        last = self._pictures[-1]
        if not self._fits(last.end + last.duration):
            yield self._part(last.end)

    def _fits(self, end: int) -> bool:
        if len(self._pictures) >= MAX_PART_PICTURES:
            return False
        return self._part_s(end) <= self._shape.part_target_s + TOLERANCE_S

    # --- Parts ----------------------------------------------------------------------

    def _part(self, end: int, *, is_last: bool = False) -> Part:
        pictures, self._pictures = self._pictures, []
        start = pictures[0].decode_time
        # Sound that outlasts the last picture has no later part to go to.
        sounds = self._take_sounds(inf if is_last else self._seconds(end))
        self._sequence += 1
        part = Part(
            msn=self._msn,
            number=self._number,
            duration_s=min(self._seconds(end - start), self._shape.part_target_s),
            is_independent=pictures[0].is_sync,
            data=write_fragment(self._sequence, [pictures, sounds]),
        )
        self._number += 1
        self._last_end = end
        return part

    def _take_sounds(self, until_s: float) -> list[Sample]:
        """Take the sound that has arrived and begins before ``until_s``; what is late comes with the next."""
        rate_hz = self._audio.timescale if self._audio else 1
        taken = []
        while self._sounds and self._sounds[0].decode_time / rate_hz < until_s:
            taken.append(self._sounds.popleft())
        return taken

    def _end_segment(self, end: int) -> SegmentEnd:
        made = SegmentEnd(self._msn, self._segment_s(end))
        self._msn += 1
        self._number = 0
        self._segment_start = end
        return made

    # --- Clock ----------------------------------------------------------------------

    def _part_s(self, at: int) -> float:
        return self._seconds(at - self._pictures[0].decode_time)

    def _segment_s(self, at: int) -> float:
        return self._seconds(at - (self._segment_start or 0))

    def _seconds(self, ticks: int) -> float:
        return ticks / (self._video.timescale if self._video else 1)

    def _ticks(self, seconds: float) -> int:
        return round(seconds * (self._video.timescale if self._video else 1))
