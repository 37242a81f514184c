"""The segments of a trimmed video: which stay whole, which are cut, and where audio continues.

A segment that is kept whole is copied with other times.  One at the edge of a kept part is
encoded anew.  Blocks of AAC overlap by a smooth window, so that audio continues at any of
them without an encode and without a click.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from common.media.fragments import Sample

from .copying.grid import LONGEST_GOP_S
from .timeline import KeptParts

SHORTEST_S = 1.0
"""Shorter segments at an edge are encoded together with the one beside them."""

# Playlists have microseconds, sample tables ticks; frames are further apart than this.
_ROUNDING_S = 0.001
# A player's clock may differ from ours by so much.
_CLOCK_OFF_S = 0.002
_BLOCK = 1024  # samples of AAC


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment of the trimmed video, of the old segments ``first`` to before ``after``.

    ``start_s`` and ``end_s`` are old times; ``begins_s`` is its new time.
    """

    part: int
    first: int
    after: int
    start_s: float
    end_s: float
    begins_s: float
    is_whole: bool

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


def plan_pieces(bounds_s: Sequence[float], kept: KeptParts) -> tuple[Piece, ...]:
    """Return the segments of a trimmed video.

    ``bounds_s`` are the beginnings of the old segments, and the end of the last.
    """
    pieces: list[Piece] = []
    for part, (start_s, end_s) in enumerate(kept.parts):
        of_part: list[Piece] = []
        for number, (begins_s, ends_s) in enumerate(pairwise(bounds_s)):
            first_s, last_s = max(start_s, begins_s), min(end_s, ends_s)
            if last_s - first_s <= _ROUNDING_S:
                continue
            is_whole = first_s - begins_s <= _ROUNDING_S and ends_s - last_s <= _ROUNDING_S
            new_s = kept.starts_s[part] + first_s - start_s
            piece = Piece(part, number, number + 1, first_s, last_s, round(new_s, 6), is_whole)
            if of_part and _is_joined(of_part[-1], piece):
                before = of_part.pop()
                piece = replace(before, after=piece.after, end_s=piece.end_s, is_whole=False)
            of_part.append(piece)
        pieces += of_part
    return tuple(pieces)


def _is_joined(before: Piece, piece: Piece) -> bool:
    is_short = min(before.length_s, piece.length_s) < SHORTEST_S
    is_cut = not (before.is_whole and piece.is_whole)
    return is_short and is_cut and before.length_s + piece.length_s <= LONGEST_GOP_S


def segment_at(bounds_s: Sequence[float], at_s: float) -> int:
    """Return the number of the segment that holds a moment, the last one for moments behind the end."""
    return min(max(0, bisect_right(bounds_s, at_s + _CLOCK_OFF_S) - 1), len(bounds_s) - 2)


def frame_at(shown_s: Sequence[float], at_s: float) -> float:
    """Return the time of the frame on screen at a moment; ``shown_s`` are the times of all, in order."""
    return shown_s[max(0, bisect_right(shown_s, at_s + _CLOCK_OFF_S) - 1)]


def frames_between(shown_s: Sequence[float], start_s: float, end_s: float) -> range:
    """Return the numbers of the frames that begin from ``start_s`` to before ``end_s``."""
    first, after = (sum(one_s < at_s - _ROUNDING_S for one_s in shown_s) for at_s in (start_s, end_s))
    return range(first, after)


def spliced(samples: Iterable[Sample], kept: KeptParts, timescale: int) -> Iterator[Sample]:
    """Yield the blocks of audio in the kept parts, one behind the other on the new time line.

    At each seam, audio goes on with the block that is nearest to the new time, so it is never
    off by more than half a block: 11 ms at 48 kHz.  The last block lasts until the end.
    """
    ends = [round(at_s * timescale) for at_s in kept.starts_s[1:]]
    shifts = [
        round((new_s - old_s) * timescale)
        for (old_s, _), new_s in zip(kept.parts, kept.starts_s[:-1], strict=True)
    ]
    part, at = 0, 0
    held: Sample | None = None
    for sample in samples:
        half = min(sample.duration, _BLOCK) // 2
        while part < len(ends) and at > ends[part] - half:
            part += 1
        if part == len(ends):
            break
        if sample.decode_time + shifts[part] < at - half:
            continue
        if held:
            yield held
        # A block that was stretched to the end of a source ends with its part.
        is_stretched = sample.duration > _BLOCK
        duration = min(sample.duration, max(half, ends[part] - at)) if is_stretched else sample.duration
        held = replace(sample, decode_time=at, duration=duration)
        at += duration
    if held:
        yield replace(held, duration=max(1, ends[-1] - held.decode_time))
