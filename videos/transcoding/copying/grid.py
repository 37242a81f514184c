"""The grid of a copied source: segments that begin at its keyframes, the same in every rendition."""

from __future__ import annotations

from collections.abc import Sequence

from videos.transcoding.chunks import SEGMENT_S

LONGEST_GOP_S = 8.0
"""Keyframes that lie further apart make segments that players load too slowly."""

# A segment ends at the keyframe that is nearest to SEGMENT_S, but not later than this.
_LATEST_S = 1.5 * SEGMENT_S
# The first segment is short, because a viewer waits for it.
_FIRST_S = 1.0
# A remainder shorter than this joins the segment before.
_SHORTEST_TAIL_S = 1.0


def segment_starts(keyframes_s: Sequence[float], end_s: float) -> list[int]:
    """Return the positions in ``keyframes_s`` at which segments begin.

    The first segment lasts about a second, all others about ``SEGMENT_S``; none lasts
    longer than ``LONGEST_GOP_S`` if keyframes and ``end_s`` lie no further apart.
    """
    starts = [0]
    while (following := _following(keyframes_s, starts[-1], end_s, is_first=len(starts) == 1)) is not None:
        starts.append(following)
    return starts


def _following(keyframes_s: Sequence[float], at: int, end_s: float, *, is_first: bool) -> int | None:
    """Return the position of the keyframe that ends the segment at ``at``; None if the source's end does."""
    begins_s = keyframes_s[at]
    wanted_s = _FIRST_S if is_first else SEGMENT_S
    if end_s - begins_s <= (_FIRST_S if is_first else _LATEST_S):
        return None
    best: int | None = None
    for position in range(at + 1, len(keyframes_s)):
        length_s = keyframes_s[position] - begins_s
        is_tail_short = end_s - keyframes_s[position] < _SHORTEST_TAIL_S
        if is_tail_short and (best is not None or end_s - begins_s <= LONGEST_GOP_S):
            break
        if best is None or abs(length_s - wanted_s) < abs(keyframes_s[best] - begins_s - wanted_s):
            best = position
        if length_s >= wanted_s:
            break
    return best
