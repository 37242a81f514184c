"""The choice of stills that may become a video's poster: a pure rule over small grey frames.

A good poster is neither black nor white, has contrast, and is sharp.  The stills are spread
over the video: the best one of each fifth.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

CHOICES = 5
# The stills of each fifth that are scored; more would cost time and find little.
SCORED_IN_EACH = 5

_BLACK, _WHITE = 24, 238
# Contrast and sharpness beyond these make no better poster.
_ENOUGH_CONTRAST, _ENOUGH_SHARPNESS = 56.0, 14.0


def score(grey: bytes, width: int) -> float:
    """Return how well a frame of 8-bit grey rows of ``width`` suits as a poster, from 0 to 1.

    A black, white or even frame has 0.
    """
    count = len(grey)
    if count < 2 * width:
        return 0.0
    mean = sum(grey) / count
    if not _BLACK < mean < _WHITE:
        return 0.0
    contrast = sqrt(sum(value * value for value in grey) / count - mean * mean)
    across = sum(abs(right - left) for left, right in pairwise(grey))
    down = sum(abs(below - above) for above, below in zip(grey, grey[width:], strict=False))
    sharpness = (across + down) / (2 * count)
    return min(1.0, contrast / _ENOUGH_CONTRAST) * 0.5 + min(1.0, sharpness / _ENOUGH_SHARPNESS) * 0.5


def candidates(count: int) -> list[list[int]]:
    """Return the numbers of the stills to score, out of ``count``, for each fifth of the video."""
    ends = [round(count * share / CHOICES) for share in range(CHOICES + 1)]
    return [_spread(start, end) for start, end in pairwise(ends) if end > start]


def best_of_each(groups: Sequence[Sequence[int]], scores: dict[int, float]) -> list[int]:
    """Return the number of the best still of each group, in order; the first one wins a tie."""
    return [max(group, key=lambda number: (scores[number], -number)) for group in groups]


def _spread(start: int, end: int) -> list[int]:
    """Return up to ``SCORED_IN_EACH`` numbers from ``start`` to before ``end``, away from both ends."""
    length = end - start
    many = min(SCORED_IN_EACH, length)
    return [start + (2 * place + 1) * length // (2 * many) for place in range(many)]
