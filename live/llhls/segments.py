"""Packager: it cuts fragments into parts and segments by the video track's clock.

Every rendition of a broadcast has its own packager, and all cut at the same frames:
decisions depend on the time since the segment began, with a tolerance for
timestamps that were rounded differently.

Times of an epoch are shifted so that its first frame is presented at ``start_s``, in
every rendition, and decoded at the same time: reordered frames get negative
composition offsets (ISO/IEC 14496-12, 8.8.8, version 1).  So the timeline continues
from epoch to epoch, and a player may switch between a rendition with B-frames and
one without at any segment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from common.media.fragments import FragmentReader, Movie, Sample, Track, write_fragment
from live.llhls.sent_audio import MAX_AHEAD_SAMPLES, SentAudio

# FLV counts whole milliseconds, and two renditions round differently.
TOLERANCE_S = 0.001
# FFmpeg is told this duration of every frame, and replaces it if the next frame is there.
UNKNOWN_S = 0.001
# A segment ends at the first keyframe this close to its minimum; the value is off
# the grid of every usual frame rate, so that no rounding decides.
SLACK_S = 0.107
# Least share of the target for all parts but a segment's last: iOS requires it.
MIN_PART = 0.85
# Frames whose clock stands still must not grow a part forever.
MAX_PART_PICTURES = 500
MAX_PART_BYTES = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class Shape:
    """Durations by which a broadcast is cut, constant and equal in all renditions."""

    part_target_s: float
    target_duration_s: int
    min_segment_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Init:
    """Init segment, and its rendition's attributes for the multivariant playlist."""

    data: bytes
    codecs: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Part:
    """Part ``number`` of segment ``msn``, timed by its video frames.

    ``duration_s`` never exceeds the part target: a frame that lasts longer counts
    in its segment's duration only.  ``end_s`` is its end on the broadcast's timeline.
    """

    msn: int
    number: int
    duration_s: float
    is_independent: bool
    data: bytes
    end_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SegmentEnd:
    """End of segment ``msn``, after all its parts."""

    msn: int
    duration_s: float


class Packager:
    """Packager of one rendition during one epoch, which is one run of FFmpeg."""

    def __init__(
        self, shape: Shape, *, first_msn: int, start_s: float = 0.0, sent_audio: SentAudio | None = None
    ) -> None:
        """Prepare for an epoch that begins at ``start_s`` on the broadcast's timeline.

        ``sent_audio`` has the times of audio frames; without it, FFmpeg's are used.
        """
        self._shape = shape
        self._start_s = start_s
        self._sent_audio = sent_audio
        # Shift of FFmpeg's times; both are known from the first keyframe.
        self._move_s = 0.0
        self._reordered = 0
        self._reader = FragmentReader()
        self._video: Track | None = None
        self._audio: Track | None = None
        self._msn = first_msn
        self._number = 0
        self._sequence = 0
        self._pictures: list[Sample] = []
        self._sounds: deque[Sample] = deque(maxlen=MAX_AHEAD_SAMPLES)
        # In the video track's timescale; None before the first keyframe.
        self._segment_start: int | None = None
        self._last_end = 0
        # Time of the newest frame, the step to it, and the shorter of the last two steps.
        self._last_at = 0
        self._step = 0
        self._frame = 0
        self._is_first = True

    def feed(self, data: bytes) -> list[Init | Part | SegmentEnd]:
        """Return the output that ``data`` completes, in order.  Raises BrokenBoxes."""
        return [made for piece in self._reader.feed(data) for made in self._take(piece)]

    def finish(self) -> list[Part | SegmentEnd]:
        """Return the remaining frames as a last part, and the segment's end, after FFmpeg has ended."""
        if self._segment_start is None:
            return []
        made: list[Part | SegmentEnd] = []
        if self._pictures:
            made.append(self._part(self._pictures[-1].end))
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
            self._sounds.append(self._timed(piece, self._audio))

    def _timed(self, sound: Sample, track: Track) -> Sample:
        """Return ``sound`` with the time at which it was sent, and a frame's duration."""
        if self._sent_audio is None or (at_s := self._sent_audio.take(sound.data)) is None:
            return sound
        lasts = round(self._sent_audio.frame_s * track.timescale)
        return replace(sound, decode_time=round(at_s * track.timescale), duration=lasts)

    def _begin(self, movie: Movie) -> Init:
        self._video = next((track for track in movie.tracks if track.kind == "vide"), None)
        self._audio = next((track for track in movie.tracks if track.kind == "soun"), None)
        tracks = [track for track in (self._video, self._audio) if track]
        size = (self._video.width_px, self._video.height_px) if self._video else (0, 0)
        return Init(movie.data, ",".join(track.codecs for track in tracks), *size)

    def _picture(self, picture: Sample) -> Iterator[Part | SegmentEnd]:
        if self._segment_start is None:
            if not picture.is_sync:
                return
            self._reordered = picture.composition_offset
            self._move_s = self._start_s - self._seconds(picture.decode_time + self._reordered)
            picture = self._moved(picture)
            self._segment_start = picture.decode_time
        else:
            picture = self._moved(picture)
            self._correct_last(picture)
            yield from self._cut_before(picture)
        self._last_at = picture.decode_time
        self._pictures.append(self._with_duration(picture))
        # The duration of the first frame is known only with the second.
        if not self._is_first:
            yield from self._cut_after()
        self._is_first = False

    def _moved(self, picture: Sample) -> Sample:
        """Return ``picture`` with its times on the broadcast's timeline."""
        return replace(
            picture,
            decode_time=picture.decode_time + self._reordered + self._ticks(self._move_s),
            composition_offset=picture.composition_offset - self._reordered,
        )

    def _correct_last(self, picture: Sample) -> None:
        """Extend the previous frame up to this one, if it is not in a part yet."""
        frame = picture.decode_time - self._last_at
        if frame < 0:
            return
        # The step over a gap is no frame's duration.
        self._frame = min(frame, self._step or frame)
        self._step = frame
        if self._pictures:
            self._pictures[-1] = replace(self._pictures[-1], duration=frame)

    def _with_duration(self, picture: Sample) -> Sample:
        """Return ``picture``, with the duration of the frames before it if its own is unknown."""
        is_known = picture.duration > self._ticks(UNKNOWN_S)
        return picture if is_known else replace(picture, duration=self._frame)

    def _cut_before(self, picture: Sample) -> Iterator[Part | SegmentEnd]:
        """End a part that would become too long; at a keyframe, end part and segment.

        A part that would be too short takes one more frame: players insist on the least
        length of parts, and time above the target counts for the segment only.  A keyframe
        too early to end a segment opens a part if the previous one is long enough
        without it; otherwise it is treated like any frame.
        """
        at = picture.decode_time
        ends = picture.is_sync and self._segment_s(at) >= self._shape.min_segment_s - SLACK_S
        if self._pictures and (
            ends
            or (
                self._is_long_enough(at)
                and (picture.is_sync or not self._fits(self._with_duration(picture).end))
            )
        ):
            yield self._part(at)
        if ends:
            yield self._end_segment(at)

    def _cut_after(self) -> Iterator[Part]:
        """End the part if another frame of the same duration would make it too long."""
        last = self._pictures[-1]
        if self._is_long_enough(last.end) and not self._fits(last.end + last.duration):
            yield self._part(last.end)

    def _is_long_enough(self, end: int) -> bool:
        return self._is_full() or self._part_s(end) >= MIN_PART * self._shape.part_target_s

    def _fits(self, end: int) -> bool:
        return not self._is_full() and self._part_s(end) <= self._shape.part_target_s + TOLERANCE_S

    def _is_full(self) -> bool:
        size_bytes = sum(len(picture.data) for picture in self._pictures)
        return len(self._pictures) >= MAX_PART_PICTURES or size_bytes >= MAX_PART_BYTES

    def _part(self, end: int) -> Part:
        pictures, self._pictures = self._pictures, []
        start = pictures[0].decode_time
        sounds = self._take_sounds(self._seconds(end))
        self._sequence += 1
        part = Part(
            msn=self._msn,
            number=self._number,
            duration_s=min(self._seconds(end - start), self._shape.part_target_s),
            is_independent=pictures[0].is_sync,
            data=write_fragment(self._sequence, [pictures, sounds]),
            end_s=self._seconds(end),
        )
        self._number += 1
        self._last_end = end
        return part

    def _take_sounds(self, until_s: float) -> list[Sample]:
        """Return received audio that begins before ``until_s``; later arrivals go into the next part.

        Audio from before the epoch's first frame is dropped: it would lie in the previous epoch.
        """
        rate_hz = self._audio.timescale if self._audio else 1
        move = round(self._move_s * rate_hz)
        taken: list[Sample] = []
        while self._sounds and (self._sounds[0].decode_time + move) / rate_hz < until_s:
            sample = self._sounds.popleft()
            # Within a part, a frame begins where the previous one ends.
            following = self._sounds[0].decode_time if self._sounds else sample.end
            at = sample.decode_time + move
            if at / rate_hz >= self._start_s - TOLERANCE_S:
                # Rounding may put it just before 0, and decode times are unsigned.
                at = max(0, at)
                lasts = following + move - at
                taken.append(replace(sample, decode_time=at, duration=max(1, lasts)))
        return taken

    def _end_segment(self, end: int) -> SegmentEnd:
        made = SegmentEnd(self._msn, self._segment_s(end))
        self._msn += 1
        self._number = 0
        self._segment_start = end
        return made

    def _part_s(self, at: int) -> float:
        return self._seconds(at - self._pictures[0].decode_time)

    def _segment_s(self, at: int) -> float:
        return self._seconds(at - (self._segment_start or 0))

    def _seconds(self, ticks: int) -> float:
        return ticks / (self._video.timescale if self._video else 1)

    def _ticks(self, seconds: float) -> int:
        return round(seconds * (self._video.timescale if self._video else 1))
